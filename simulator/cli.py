"""Runs the simulator as a process of its own: plays a county until it is stopped."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from protocol.environment import read_settings
from protocol.errors import ProtocolError
from simulator.clock import COUNTY_TIME, DAY_MS, day_of, wall_ms
from simulator.county import county_of, plan_county
from simulator.pour import pour
from simulator.publish import Player
from simulator.settings import Settings
from simulator.story import Story

SeedOption = Annotated[int | None, typer.Option(min=0, help="Which county; the same seed, the same county.")]
SpeedOption = Annotated[
    float | None, typer.Option(min=0.01, max=600, help="Virtual minutes in a minute of real time.")
]


def simulate(seed: SeedOption = None, speed: SpeedOption = None) -> None:
    """Play the demonstration county into the broker, until stopped.

    The broker is ANSHOU_MQTT_URL; further settings are ANSHOU_SIMULATOR_SEED, …_SPEED and …_INCIDENT_RATE.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = read_settings(Settings, "simulator", os.environ)
        given = {"seed": seed, "speed": speed}
        chosen = {name: value for name, value in given.items() if value is not None}
        play(msgspec.structs.replace(settings, **chosen))
    except ProtocolError as error:
        Console(stderr=True, soft_wrap=True).print(f"[red]{error}[/red]", highlight=False)
        raise typer.Exit(2) from error


@dataclass(frozen=True, kw_only=True)
class Span:
    """A made-up county over some days; what `anshou simulate --days N` makes.

    Attributes:
        seed: which county.
        residents: how many live there.
        days: how many days are told.
        start: the first day, in China; None for so many days ago that the last one is yesterday.
        incident_rate: as of `Story`.
    """

    seed: int
    residents: int
    days: int
    start: datetime | None = None
    incident_rate: float = 1.0

    @property
    def first_day(self) -> int:
        """The first simulated day."""
        if self.start is None:
            return day_of(wall_ms()) - self.days
        local = self.start.replace(tzinfo=COUNTY_TIME)
        return day_of(int(local.timestamp() * 1000) + DAY_MS // 2)


def write(span: Span, folder: Path) -> None:
    """Write what is said and what is true to Parquet, with a progress bar. SimulatorError as of `export`."""
    from simulator.export import Order, export  # a box that only plays needs no Parquet

    order = Order(
        seed=span.seed,
        residents=span.residents,
        first_day=span.first_day,
        days=span.days,
        incident_rate=span.incident_rate,
        ordeal_rate=span.incident_rate,
    )
    begun_s = time.monotonic()
    with _progress(f"telling {span.days} days of {span.residents:,} residents") as report:
        export(order, folder, report)
    person_days = span.days * span.residents
    per_s = person_days / (time.monotonic() - begun_s)
    console = Console(stderr=True, soft_wrap=True)
    console.print(f"written to {folder}: {person_days:,} person-days, {per_s:,.0f} a second")


def pour_span(span: Span, url: str, *, speed: float | None) -> None:
    """Say the same to a broker. SimulatorError as of `pour`."""
    story = Story(
        county_of(span.seed, span.residents),
        incident_rate=span.incident_rate,
        ordeal_rate=span.incident_rate,
    )
    days = range(span.first_day, span.first_day + span.days)
    with _progress(f"saying {span.days} days of {span.residents:,} residents") as report:
        said = asyncio.run(pour(story, url, days, speed=speed, progress=report))
    Console(stderr=True, soft_wrap=True).print(f"{said:,} messages said")


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def play(settings: Settings) -> None:
    """Play the county of `settings` until SIGINT or SIGTERM."""
    county = plan_county(settings.seed)
    console = Console(stderr=True, soft_wrap=True)
    console.print(
        f"county {settings.seed}: {len(county.sites)} sites, {len(county.subjects)} persons, "
        f"{len(county.devices):,} devices; playing at {settings.speed:g}× until stopped"
    )
    story = Story(county, incident_rate=settings.incident_rate)
    asyncio.run(_until_stopped(Player(story, settings.mqtt_url, speed=settings.speed)))


async def _until_stopped(player: Player) -> None:
    running = asyncio.create_task(player.run(), name="player")
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        logging.getLogger(__name__).info("stopped")
