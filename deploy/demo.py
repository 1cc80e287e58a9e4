"""Fills an empty platform with the demonstration county.

The simulator, started afterwards with the same seed, goes on where the history written here ends.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from database.connections import Connection, connect
from deploy.county import accounts, alarms, last_day, record
from deploy.county.accounts import DemoAccount
from deploy.county.known import revive
from deploy.county.progress import Step
from ingest.database import Database
from ingest.directory import Directory
from ingest.settle import Rhythm, settle
from simulator.clock import DAY_MS, wall_ms
from simulator.county import DEFAULT_SEED, plan_county
from simulator.plan import County
from simulator.settings import DEMO_INCIDENT_RATE
from simulator.story import Story

_TITLES = {
    "sites": "sites",
    "residents": "residents",
    "devices": "devices",
    "accounts": "staff accounts",
    "story": "last day, told",
    "last_day": "last day, stored",
}


def populate(
    owner_url: str,
    seed: int = DEFAULT_SEED,
    *,
    county: County | None = None,
    console: Console | None = None,
) -> tuple[DemoAccount, ...]:
    """Write the demonstration county of `seed`, unless it is there; the accounts to sign in with.

    The record is one transaction, the last 24 hours with their alarms another: what was interrupted is
    made up for by the next call.

    Args:
        owner_url: the database, as its owner.
        seed: which county.
        county: a plan of one's own, such as a small one for a test; `seed` is then the plan's.
        console: where progress is shown.

    Raises:
        ConflictError: a site, device or user name of the demonstration is taken by something else.
    """
    county = county or plan_county(seed)
    people = accounts.accounts_of(county)
    with connect(owner_url, application="anshou-demo") as connection, _progress(console) as step:
        if not record.is_written(connection):
            record.write(connection, county, step)
            accounts.write(connection, people, step)
        else:
            revive(connection)
        connection.commit()
        if not last_day.is_written(connection, county):
            with closing(Database(owner_url, "anshou-demo register")) as database:
                directory = Directory(database)
                directory.refresh()
                _write_last_day(connection, county, directory, step)
            connection.commit()
            while settle(connection, Rhythm()).more:
                pass
    return people


def _write_last_day(connection: Connection, county: County, directory: Directory, step: Step) -> None:
    now_ms = wall_ms()
    story = Story(county, incident_rate=DEMO_INCIDENT_RATE)
    rows = story.between(now_ms - DAY_MS, now_ms, lambda done, of: step("story", done, of))
    with connection.transaction():
        signals = last_day.write(connection, county, last_day.thinned(rows, now_ms), directory, step)
        alarms.write(connection, signals, county.seed)


@contextmanager
def _progress(console: Console | None) -> Iterator[Step]:
    """Shows a bar for each thing that is being written."""
    columns = (
        TextColumn("  {task.description:<18}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console or Console(stderr=True)) as progress:
        tasks = {}

        def step(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(_TITLES[what], total=of)
            progress.update(tasks[what], completed=done)

        yield step
