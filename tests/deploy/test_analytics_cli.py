"""`anshou analytics …`: learn now, see what was learnt, go back."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from analytics.learnt import NAMES
from analytics.nightly import train_now
from analytics.settings import AnalyticsSettings
from database import leases
from database.connections import Connection, connect
from database.leases import DutyLock
from deploy import cli
from tests.analytics.conftest import NOW, World
from tests.analytics.county import LivedCounty
from tests.servers import Database

Anshou = Callable[..., str]


@pytest.mark.parametrize("verb", ["models", "restore"])
def test_the_help_names_every_model(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setattr("sys.argv", ["anshou", "analytics", verb, "--help"])
    with pytest.raises(SystemExit):
        cli.main()
    assert ", ".join(NAMES) in " ".join(capsys.readouterr().out.split())


@pytest.fixture
def anshou(database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Anshou:
    """Run the command on the test's own database; its output, or its error after `!`."""
    monkeypatch.setenv("ANSHOU_DATABASE_URL", database.service_url)
    monkeypatch.setenv("COLUMNS", "250")

    def run(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["anshou", "analytics", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return captured.out + captured.err if ended.value.code in (0, None) else f"!{captured.err}"

    return run


@pytest.fixture
def learnt(database: Database) -> None:
    """A county that has lived, and was learnt from on two nights long ago."""
    settings = AnalyticsSettings(database_url=database.service_url)
    with connect(database.owner_url, autocommit=True) as owner:
        LivedCounty(World(owner), people=3)
    with connect(database.service_url, autocommit=True) as service:
        for night in (1, 0):
            train_now(service, settings, now=NOW - timedelta(days=night))


LIVED_TILL_NOW = """
INSERT INTO readings.vitals_hourly (hour, device_id, resident_id, row_count, hr_sum, hr_count, hr_min, hr_max,
    rr_count, spo2_count, temp_count, sbp_count, dbp_count, glucose_count, weight_count)
SELECT hour, %(device)s, %(resident)s, 60, 60 * beats, 60, beats - 5, beats + 5, 0, 0, 0, 0, 0, 0, 0
FROM generate_series(date_trunc('hour', now()) - interval '40 days', now(), interval '1 hour') AS hour
CROSS JOIN LATERAL (SELECT 64 + extract(hour FROM hour) / 4 AS beats) AS drawn
"""


def test_training_now_from_what_was_lived_till_now(anshou: Anshou, database: Database) -> None:
    assert anshou("models") == "Models: none yet; learn now with: anshou analytics train\n"
    assert anshou("train") == "Learnt: nothing is known yet of anybody\n"
    with connect(database.owner_url, autocommit=True) as owner:
        county = LivedCounty(World(owner), people=1, days=0)
        params = {"device": county.bands[0], "resident": county.residents[0]}
        owner.execute(LIVED_TILL_NOW, params)
    header, line = anshou("train").splitlines()
    facts = dict(zip(header.split("\t"), line.split("\t"), strict=True))
    assert (facts["name"], facts["version"], facts["state"]) == ("vitals", "1", "live")
    assert (facts["residents"], facts["known"]) == ("1", "1")
    assert facts["reason"] == "there was no version in use to compare it with"
    again = anshou("train").splitlines()[1]
    assert again.startswith("vitals\t2\tlive\t")
    assert "no worse on the last 14 days: nats for a reading" in again
    assert facts["learnt_from"].endswith(" 00:00"), "days begin where the homes are"


def test_versions_are_listed_and_brought_back(learnt: None, anshou: Anshou) -> None:
    listed = [line.split("\t")[:3] for line in anshou("models").splitlines()]
    assert listed[0] == ["name", "version", "state"]
    assert ["rhythm", "2", "live"] in listed
    assert ["rhythm", "1", "retired"] in listed
    said = anshou("restore", "vitals")
    assert "Restored" in said
    assert "It is live but not used: what it has learnt from ended more than 14 days ago." in said
    (second, first) = (line.split("\t")[:3] for line in anshou("models", "vitals").splitlines()[1:])
    assert (second, first) == (["vitals", "2", "retired"], ["vitals", "1", "live"])
    assert "live" in anshou("restore", "vitals", "2")


def test_what_cannot_be_brought_back_is_said_in_one_line(learnt: None, anshou: Anshou) -> None:
    assert anshou("restore", "vitals", "7") == "!anshou: there is no version 7 of vitals; kept are 2, 1\n"
    assert anshou("restore", "vitals", "2") == "!anshou: vitals version 2 is live already\n"
    assert (
        anshou("restore", "pulse")
        == "!anshou: no version of 'pulse' is stored: there are vitals, rhythm, routine, restlessness\n"
    )


def test_beside_another_training_it_is_refused(anshou: Anshou, database: Database) -> None:
    with connect(database.service_url, autocommit=True) as other:
        assert_leads(other)
        assert anshou("train").startswith("!anshou: a training is at work already")


def assert_leads(connection: Connection) -> None:
    assert leases.try_to_lead(connection, DutyLock.TRAINING)


def test_alone_it_is_the_process_of_the_rounds() -> None:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ANSHOU_")}
    anshou = Path(sys.executable).parent / "anshou"
    done = subprocess.run([anshou, "analytics"], env=ours, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith("anshou analytics: ANSHOU_DATABASE_URL is not set")
