"""Runs the simulator as a process of its own: plays a county until it is stopped."""

import asyncio
import logging
import os
import signal
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from gateway.environment import read_settings
from gateway.errors import GatewayError
from gateway.simulator.county import plan_county
from gateway.simulator.publish import Player
from gateway.simulator.settings import Settings
from gateway.simulator.story import Story

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
    except GatewayError as error:
        Console(stderr=True, soft_wrap=True).print(f"[red]{error}[/red]", highlight=False)
        raise typer.Exit(2) from error


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
