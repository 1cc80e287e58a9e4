"""Versions in the database: used while good, replaced by what is no worse, brought back by people."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import psycopg
import pytest

from analytics import features, training, versions
from analytics.baselines import WINDOWS_H, HistoryBaselines
from analytics.detectors.baseline import Baseline
from analytics.detectors.inactivity import Inactivity
from analytics.detectors.restlessness import COHORT_DAYS, learn_from, past_habits
from analytics.detectors.routine import Routine
from analytics.errors import AlreadyRunningError, ModelVersionError
from analytics.history import History
from analytics.learnt import NAMES
from analytics.models import storage
from analytics.nightly import CADENCE, Nightly, train_alone, train_now
from analytics.settings import AnalyticsSettings
from analytics.stored import StoredBaselines
from analytics.training import Candidate
from analytics.versions import Version
from database import leases
from database.connections import Connection, connect
from database.leases import DutyLock
from protocol.model import DeviceKind
from tests.analytics.conftest import NOW, WORLD
from tests.analytics.county import LIVED, MIDNIGHT, LivedCounty
from tests.analytics.test_training import assert_same_baseline
from tests.servers import Database, DatabaseServer, Population, asked_for

WAIT_S = 60
DAY = timedelta(days=1)


@pytest.fixture
def population(request: pytest.FixtureRequest) -> Population[object] | None:
    return asked_for(request, county=LIVED, world=WORLD)


@pytest.fixture
def county(database_server: DatabaseServer, owner: Connection) -> LivedCounty:
    return database_server.content(LIVED, owner)


@pytest.fixture
def train(
    county: LivedCounty, service: Connection, settings: AnalyticsSettings
) -> Callable[..., dict[str, Version]]:
    """Train as at NOW, or another time; what was stored, by name."""

    def train(now: datetime = NOW) -> dict[str, Version]:
        return {version.name: version for version in train_now(service, settings, now=now)}

    return train


Train = Callable[..., dict[str, Version]]


def states(connection: Connection, name: str = "vitals") -> dict[int, str]:
    return {version.version: version.state for version in versions.list_versions(connection, name)}


def damage(owner: Connection, name: str, version: int) -> None:
    """One bit of the content turns over, as on a bad disk."""
    owner.execute(
        "UPDATE analytics.model SET content = set_bit(content, 4321, 1 - get_bit(content, 4321))"
        " WHERE name = %s AND version = %s",
        (name, version),
    )


def assert_as_learnt_anew(service: Connection, settings: AnalyticsSettings, now: datetime = NOW) -> None:
    stored, anew, history = StoredBaselines(settings), HistoryBaselines(settings), History(service, now)
    for part in history.slices():
        assert_same_baseline(stored.vitals(history, part), anew.vitals(history, part))
    pd.testing.assert_frame_equal(stored.rhythm(history), anew.rhythm(history))


def test_stored_equals_learnt_by_day(
    train: Train, owner: Connection, service: Connection, settings: AnalyticsSettings
) -> None:
    stored = train()
    assert {name: (version.version, version.state) for name, version in stored.items()} == dict.fromkeys(
        NAMES, (1, "live")
    )
    history = History(service, NOW)
    expected = HistoryBaselines(settings)
    before = [expected.vitals(history, part) for part in history.slices()]
    rhythm = expected.rhythm(history)
    assert np.isfinite(before[0].spread["hr", WINDOWS_H[0]]).all()
    assert len(rhythm)
    restless = learn_from(past_habits(history, MIDNIGHT - COHORT_DAYS * DAY, MIDNIGHT), settings)
    # Without the history nothing can be learnt: what is answered comes from the versions.
    owner.execute("DELETE FROM readings.vitals_hourly")
    owner.execute("DELETE FROM readings.activity_hourly")
    owner.execute("DELETE FROM readings.activity")
    later = StoredBaselines(settings)
    for part, baseline in zip(history.slices(), before, strict=True):
        assert_same_baseline(later.vitals(history, part), baseline)
    pd.testing.assert_frame_equal(later.rhythm(history), rhythm)
    assert later.rare_days(history) is not None
    assert storage.dump(later.restless_days(history)) == storage.dump(restless)


def test_detectors_find_the_same_with_either(
    train: Train, county: LivedCounty, service: Connection, settings: AnalyticsSettings
) -> None:
    county.measure(8, 0, -14, off=0)  # the day goes on
    ill = county.world.resident(county.world.household)
    band = county.world.device(county.world.household, DeviceKind.WRISTBAND, resident_id=ill)
    hours = np.random.default_rng(3).standard_normal((2, 800))
    temp, hr = 36.5 + 0.1 * hours[0], 70 + 2 * hours[1]
    temp[-8:] += 2
    hr[-8:] += 20
    county.world.hours(band, ill, {"temp": temp.tolist(), "hr": hr.tolist()})
    train()
    history, stored, anew = History(service, NOW), StoredBaselines(settings), HistoryBaselines(settings)
    found = Baseline(settings, stored).score(history)
    assert [finding.subject.id for finding in found.findings] == [ill]
    assert found == Baseline(settings, anew).score(history)
    assert Inactivity(settings, stored).score(history) == Inactivity(settings, anew).score(history)
    assert Routine(settings, stored).score(history).fine == Routine(settings).score(history).fine


def test_of_somebody_new_nothing_is_known(
    train: Train, county: LivedCounty, service: Connection, settings: AnalyticsSettings
) -> None:
    train()
    new = county.move_in(20)
    history, stored = History(service, NOW), StoredBaselines(settings)
    (part,) = history.slices()
    baseline = stored.vitals(history, part)
    (row,) = np.flatnonzero(baseline.residents == new)
    assert np.isnan(baseline.usual["hr"][row]).all()
    assert np.isnan(baseline.spread["hr", WINDOWS_H[0]][row])
    assert baseline.days["hr"][row] == 0
    assert np.isfinite(np.delete(baseline.spread["hr", WINDOWS_H[0]], row)).all()
    assert new not in stored.rhythm(history).index.get_level_values("resident_id")


def test_a_change_of_the_live_version_is_noticed(
    train: Train, county: LivedCounty, service: Connection, settings: AnalyticsSettings
) -> None:
    train()
    stored, first = StoredBaselines(settings), HistoryBaselines(settings)
    history = History(service, NOW)
    (part,) = history.slices()
    before = first.vitals(history, part)
    assert_same_baseline(stored.vitals(history, part), before)
    county.measure(0, 0, -24)
    tomorrow = History(service, NOW + DAY)
    assert {version.state for version in train(NOW + DAY).values()} == {"live"}
    after = HistoryBaselines(settings).vitals(tomorrow, part)
    assert (after.usual["hr"] != before.usual["hr"]).any()
    assert_same_baseline(stored.vitals(tomorrow, part), after)
    versions.restore(service, "vitals", None, "test")
    assert states(service) == {1: "live", 2: "retired"}
    assert_same_baseline(stored.vitals(tomorrow, part), before)


def test_a_version_that_has_learnt_from_what_is_the_future_says_nothing(
    train: Train, county: LivedCounty, service: Connection, settings: AnalyticsSettings
) -> None:
    train()
    history = History(service, NOW)
    before = HistoryBaselines(settings).rhythm(history)
    hall, room_id = county.halls[0]
    county.world.activity_hours(hall, range(-20, 10), room_id=room_id)  # also through the night
    assert train(NOW + DAY)["rhythm"].state == "live"
    pd.testing.assert_frame_equal(StoredBaselines(settings).rhythm(history), before)
    tomorrow = History(service, NOW + DAY)
    changed = StoredBaselines(settings).rhythm(tomorrow)
    pd.testing.assert_frame_equal(changed, HistoryBaselines(settings).rhythm(tomorrow))
    assert not changed.equals(before)


def test_a_damaged_version_is_never_used(
    train: Train, owner: Connection, service: Connection, settings: AnalyticsSettings
) -> None:
    train(NOW - DAY)
    yesterday = History(service, NOW - DAY)
    (part,) = yesterday.slices()
    before = HistoryBaselines(settings).vitals(yesterday, part)
    train()
    damage(owner, "vitals", 2)
    today = History(service, NOW)
    assert_same_baseline(StoredBaselines(settings).vitals(today, part), before)
    damage(owner, "vitals", 1)
    damage(owner, "rhythm", 1)
    damage(owner, "rhythm", 2)
    assert_as_learnt_anew(service, settings)
    # Nobody waits for a version that cannot be read to be beaten.
    assert train(NOW + DAY)["vitals"].state == "live"


@pytest.mark.parametrize("name", NAMES)
def test_without_any_version_it_is_learnt_anew(
    county: LivedCounty, service: Connection, settings: AnalyticsSettings, name: str
) -> None:
    assert versions.live_id(service, name) is None
    assert StoredBaselines(settings).rare_days(History(service, NOW)) is None
    assert_as_learnt_anew(service, settings)


def test_what_is_too_old_or_learnt_otherwise_is_not_used(
    train: Train, service: Connection, settings: AnalyticsSettings
) -> None:
    (vitals, rhythm, routine, restlessness) = (train()[name] for name in NAMES)
    other = msgspec.structs.replace(
        settings, inactivity_personal_factor=2.0, routine_rare_share=0.1, restlessness_share=0.1
    )
    assert vitals.unusable(other, NOW) is None
    for version in (rhythm, routine, restlessness):
        assert version.unusable(settings, NOW) is None
        assert version.unusable(other, NOW) == "it was learnt with other settings than those that hold now"
    assert_as_learnt_anew(service, other)
    assert StoredBaselines(other).rare_days(History(service, NOW)) is None
    assert StoredBaselines(other).restless_days(History(service, NOW)) is None
    late = vitals.window_end + settings.models_age_days_max * DAY
    assert versions.load(service, "vitals", settings, late) is not None
    assert versions.load(service, "vitals", settings, late + timedelta(seconds=1)) is None
    assert vitals.unusable(settings, late) is None
    assert vitals.unusable(settings, late + timedelta(seconds=1)) is not None


def test_a_worse_version_is_rejected_and_said_why(
    train: Train, county: LivedCounty, service: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    assert train()["vitals"].state == "live"
    county.forget_signs(45, 20)
    for number in range(len(county.residents)):
        county.measure(number, 45 * 24 + 14, 20 * 24 + 14, off=12.0)
    rejected = train()["vitals"]
    assert rejected.state == "rejected"
    assert rejected.reason.startswith("worse on the last 14 days: nats for a reading")
    assert rejected.metrics["candidate"] > rejected.metrics["live"] + rejected.metrics["margin"]
    assert rejected.metrics["live_version"] == 1
    assert states(service) == {1: "live", 2: "rejected"}
    assert states(service, "rhythm") == {1: "retired", 2: "live"}
    assert "vitals version 2 is rejected: worse" in caplog.text
    with pytest.raises(ModelVersionError, match="version 2 was rejected and stays so: worse"):
        versions.restore(service, "vitals", 2, "test")


def test_restoring(train: Train, owner: Connection, service: Connection) -> None:
    with pytest.raises(ModelVersionError, match="'vitals' is stored: nothing has been learnt yet"):
        versions.restore(service, "vitals", None, "test")
    with pytest.raises(
        ModelVersionError, match="'vital' is stored: there are vitals, rhythm, routine, restlessness"
    ):
        versions.restore(service, "vital", None, "test")
    train(NOW - 2 * DAY)
    with pytest.raises(ModelVersionError, match="no earlier version of vitals"):
        versions.restore(service, "vitals", None, "test")
    train(NOW - DAY)
    train()
    assert states(service) == {1: "retired", 2: "retired", 3: "live"}
    restored = versions.restore(service, "vitals", None, "王护士长")
    assert (restored.version, restored.state, restored.reason) == (2, "live", "restored by 王护士长")
    assert states(service) == {1: "retired", 2: "live", 3: "retired"}
    assert versions.restore(service, "vitals", None, "test").version == 1
    assert versions.restore(service, "vitals", 3, "test").version == 3
    for number, said in ((3, "is live already"), (9, "no version 9 of vitals; kept are 3, 2, 1")):
        with pytest.raises(ModelVersionError, match=said):
            versions.restore(service, "vitals", number, "test")
    damage(owner, "vitals", 2)
    with pytest.raises(ModelVersionError, match=r"version 2 cannot be read: its \d+ bytes are damaged"):
        versions.restore(service, "vitals", 2, "test")
    assert states(service) == {1: "retired", 2: "retired", 3: "live"}


def test_old_versions_are_deleted_but_not_those_that_are_needed(
    train: Train, owner: Connection, service: Connection, settings: AnalyticsSettings
) -> None:
    train()
    train()
    train()
    # Then ten nights in a row nothing was good enough.
    owner.execute(
        "INSERT INTO analytics.model (name, version, state, reason, window_begin, window_end, recipe,"
        " metrics, format, content, digest)"
        " SELECT name, version + n, 'rejected', 'worse', window_begin, window_end, recipe, metrics, format,"
        " content, digest FROM analytics.model CROSS JOIN generate_series(1, 10) AS n WHERE version = 3"
    )
    owner.execute("UPDATE analytics.model SET state = 'retired' WHERE name = 'vitals' AND version = 3")
    owner.execute("UPDATE analytics.model SET state = 'live' WHERE name = 'vitals' AND version = 1")
    assert train()["vitals"].version == 14
    # The last ten, and before them two that were live.
    assert sorted(states(service)) == [2, 3, *range(5, 15)]
    assert states(service)[14] == "live"


def test_who_went_live_meanwhile_is_not_replaced_unseen(
    train: Train,
    county: LivedCounty,
    service: Connection,
    settings: AnalyticsSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train()
    train()
    learn = training.train

    def somebody_restores(*arguments: Any) -> tuple[Candidate, ...]:
        found = learn(*arguments)
        with connect(settings.database_url) as other:
            versions.restore(other, "vitals", None, "test")
        return found

    monkeypatch.setattr(training, "train", somebody_restores)
    stored = train()
    assert (stored["vitals"].state, stored["rhythm"].state) == ("candidate", "live")
    assert states(service) == {1: "live", 2: "retired", 3: "candidate"}
    assert versions.restore(service, "vitals", 3, "test").state == "live"


def test_two_versions_are_never_live(train: Train, owner: Connection) -> None:
    train()
    train()
    with pytest.raises(psycopg.errors.UniqueViolation):
        owner.execute("UPDATE analytics.model SET state = 'live' WHERE name = 'rhythm'")


def test_the_pages_cannot_see_models(train: Train, database: Database) -> None:
    with connect(database.web_url) as web, pytest.raises(psycopg.errors.InsufficientPrivilege):
        web.execute("SELECT FROM analytics.model")


def wait_until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(WAIT_S * 20):
        if condition():
            return
        pause.wait(0.05)
    pytest.fail(f"not within {WAIT_S} s")


TRAIN_THEN = """
import sys
from datetime import datetime
from analytics.nightly import train_now
from analytics.settings import AnalyticsSettings
from database.connections import connect
settings = AnalyticsSettings(database_url=sys.argv[1])
with connect(sys.argv[1], autocommit=True) as connection:
    train_now(connection, settings, now=datetime.fromisoformat(sys.argv[2]))
"""


def test_killed_in_the_middle_of_publishing_it_leaves_everything_as_it_was(
    train: Train, owner: Connection, service: Connection, settings: AnalyticsSettings, database: Database
) -> None:
    train()
    before = versions.list_versions(service)
    with connect(database.owner_url) as holding:
        # Vitals are published first; then it waits for this row.
        holding.execute("SELECT FROM analytics.model WHERE name = 'rhythm' FOR UPDATE")
        process = subprocess.Popen(
            [sys.executable, "-c", TRAIN_THEN, settings.database_url, (NOW + DAY).isoformat()]
        )
        try:
            wait_until(lambda: waiting(owner) == 1)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    wait_until(lambda: publishing(owner) == 0)
    assert versions.list_versions(service) == before
    assert train(NOW + DAY)["vitals"].version == 2


def waiting(owner: Connection) -> int:
    """Sessions that have written a version of vitals and wait for somebody else."""
    return count(owner, "wait_event_type = 'Lock' AND query LIKE 'UPDATE analytics.model%'")


def publishing(owner: Connection) -> int:
    return count(owner, "query LIKE '%analytics.model%' AND state <> 'idle'")


def count(owner: Connection, condition: str) -> int:
    row = owner.execute(
        "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()"
        f" AND pid <> pg_backend_pid() AND {condition}"
    ).fetchone()
    assert row is not None
    return int(row["n"])


def test_no_two_train_at_once(service: Connection, settings: AnalyticsSettings) -> None:
    assert leases.try_to_lead(service, DutyLock.TRAINING)
    with pytest.raises(AlreadyRunningError, match="a training is at work already"):
        train_alone(settings)


def test_it_is_done_once_a_night_at_a_quarter_past_three() -> None:
    three = features.midnight(NOW) + timedelta(hours=3)
    done = three + timedelta(minutes=16)
    assert CADENCE.is_due(done, None)
    assert not CADENCE.is_due(three + timedelta(minutes=14), done - DAY)
    assert CADENCE.is_due(three + timedelta(minutes=15), done - DAY)
    assert not CADENCE.is_due(three + timedelta(hours=23), done)


def runs(connection: Connection) -> list[str]:
    return [row["detector"] for row in connection.execute("SELECT detector FROM analytics.run")]


def test_the_duty_trains_in_a_process_of_its_own_and_once(
    database: Database,
    service: Connection,
    settings: AnalyticsSettings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("ANSHOU_DATABASE_URL", database.service_url)
    caplog.set_level("INFO")
    Nightly(settings, threading.Event()).go(service)
    assert runs(service) == ["training"]
    assert "the nightly training took" in caplog.text
    caplog.clear()
    Nightly(settings, threading.Event()).go(service)
    assert caplog.text == ""


def test_a_training_that_fails_is_not_tried_again_every_minute(
    service: Connection,
    settings: AnalyticsSettings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("ANSHOU_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nowhere")
    Nightly(settings, threading.Event()).go(service)
    assert runs(service) == ["training"]
    assert "has failed (exit code 1); what is live stays so" in caplog.text


def test_a_training_that_is_interrupted_is_still_due(
    service: Connection, settings: AnalyticsSettings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSHOU_DATABASE_URL", database.service_url)
    stop = threading.Event()
    stop.set()
    Nightly(settings, stop).go(service)
    assert runs(service) == []


def test_the_process_of_the_rounds_trains_too(database: Database, owner: Connection) -> None:
    environment = {**os.environ, "ANSHOU_DATABASE_URL": database.service_url}
    process = subprocess.Popen([sys.executable, "-m", "analytics"], env=environment)
    try:
        wait_until(lambda: "training" in runs(owner))
        wait_until(lambda: pulses(owner) > 0)
        process.terminate()
        assert process.wait(WAIT_S) == 0
    finally:
        process.kill()
        process.wait()


def pulses(owner: Connection) -> int:
    row = owner.execute("SELECT count(*) AS n FROM analytics.pulse").fetchone()
    assert row is not None
    return int(row["n"])


def test_midnight_is_where_the_homes_are() -> None:
    assert MIDNIGHT.isoformat() == "2025-03-03T00:00:00+08:00"
