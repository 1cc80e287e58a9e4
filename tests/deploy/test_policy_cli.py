"""`anshou policy …`: what holds, and setting it."""

from collections.abc import Callable

import pytest

from care import policy
from care.policy import LIMITS
from database.connections import Connection
from deploy import cli
from tests.servers import Database

Anshou = Callable[..., str]


@pytest.fixture
def anshou(database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Anshou:
    """Run the command on the test's own database; its output, or its error after `!`."""
    monkeypatch.setenv("ANSHOU_DATABASE_URL", database.owner_url)
    monkeypatch.setenv("LOGNAME", "wei")

    def run(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["anshou", "policy", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return captured.out if ended.value.code in (0, None) else f"!{captured.err}"

    return run


def lines(output: str) -> dict[str, list[str]]:
    """Tab-separated lines by their first cell."""
    cells = [line.split("\t") for line in output.splitlines()]
    return {line[0]: line[1:] for line in cells}


def test_shown_set_and_shown_again(anshou: Anshou, owner: Connection) -> None:
    table = lines(anshou("show"))
    assert table.keys() == {"name", *LIMITS}
    assert table["bed_exit_s"] == ["1800", "1800", "300", "14400", "60", "–", "–"]
    changed = lines(anshou("set", "night_from_h", "21", "bed_exit_s", "1200"))
    assert changed == {
        "name": ["before", "now"],
        "night_from_h": ["22", "21"],
        "bed_exit_s": ["1800", "1200"],
    }
    assert lines(anshou("show"))["bed_exit_s"][:2] == ["1200", "1800"]
    assert lines(anshou("show"))["bed_exit_s"][-1] == "wei"
    assert policy.standing(owner).revision == 2
    assert "it was so already" in anshou("set", "bed_exit_s", "1200")
    assert policy.standing(owner).revision == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("bed_exit_s",), "a value is missing after bed_exit_s"),
        (("bed_exit", "1200"), "did you mean bed_exit_s?"),
        (("xyz", "1200"), "see: anshou policy show"),
        (("bed_exit_s", "20min"), "bed_exit_s must be a whole number, not '20min'"),
        (("bed_exit_s", "1200", "bed_exit_s", "1260"), "bed_exit_s is given twice"),
        (("bed_exit_s", "1201"), "bed_exit_s must be a whole number from 300 to 14400 in steps of 60"),
        (("bed_exit_s", "1200", "absence_days", "90"), "absence_days must be a whole number from 1 to 14"),
        (("night_to_h", "22"), "the night must have 2 to 14 hours"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_set(
    anshou: Anshou, owner: Connection, arguments: tuple[str, ...], told: str
) -> None:
    answer = anshou("set", *arguments)
    assert answer.startswith("!anshou: ")
    assert told in answer
    assert policy.standing(owner).revision == 1
