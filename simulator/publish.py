"""Plays a story into the broker, from now on."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import NamedTuple

import aiomqtt
import msgspec

from protocol import wire
from protocol.backoff import Backoff
from protocol.broker import BrokerAddress
from protocol.model import Message
from simulator import events
from simulator.clock import Clock, day_of, day_start_ms, wall_ms
from simulator.errors import SimulatorError
from simulator.events import Events
from simulator.story import Story

log = logging.getLogger(__name__)

RECONNECT_S_MIN, RECONNECT_S_MAX = 0.5, 30.0
PUBLISH_TIMEOUT_S = 10.0
REPORT_EVERY_S = 60.0
LATE_MS_MAX = 6 * 3_600_000
"""After a pause (a laptop that slept) what is older than this is left out, and counted."""


class Saying(NamedTuple):
    """A message on its way out."""

    site: str
    device: str
    message: Message


def client_for(url: str, identifier: str) -> aiomqtt.Client:
    """A client for the broker at `url`. SettingsError when that is no broker's address."""
    return aiomqtt.Client(
        **BrokerAddress.parse(url).for_aiomqtt(),
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion.V5,
        timeout=PUBLISH_TIMEOUT_S,
    )


async def publish(client: aiomqtt.Client, saying: Saying) -> None:
    """Send one message with QoS 1; returns once the broker has it. A status is retained."""
    leaf = wire.leaf_of(saying.message)
    topic = wire.Topic(saying.site, saying.device, leaf)
    payload = wire.encode(saying.message)
    await client.publish(str(topic), payload, qos=1, retain=leaf is wire.Leaf.STATUS)


async def publish_all(url: str, sayings: Sequence[Saying]) -> None:
    """Send a few messages and be gone. SimulatorError when the broker cannot be reached or refuses."""
    try:
        async with client_for(url, f"simulate-{random.getrandbits(48):x}") as client:
            for saying in sayings:
                await publish(client, saying)
    except aiomqtt.MqttError as error:
        raise SimulatorError(f"the broker did not take the messages: {error}") from error


class Player:
    """Plays `story` from now on, at the pace of `clock`.

    With a speed of 1 every message carries its own time. A faster story would run into the future, which
    the centre rightly refuses, so its messages carry the time at which they are sent.
    """

    def __init__(self, story: Story, url: str, *, speed: float = 1.0) -> None:
        self._story = story
        self._url = url
        self._in_real_time = speed == 1.0
        self._clock = Clock(start_ms=wall_ms(), speed=speed)
        self.said: Counter[str] = Counter()
        """Messages sent, by leaf; and `late`: left out because they were too old."""

    async def run(self) -> None:
        """Play for ever; reconnects by itself and loses nothing meanwhile. Ends only when cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._report_now_and_then(), name="report")
            group.create_task(self._play(), name="play")

    async def _play(self) -> None:
        playing = asyncio.current_task()
        assert playing is not None, "called from a task"
        backoff = Backoff(RECONNECT_S_MIN, RECONNECT_S_MAX)
        pending: Saying | None = None
        async with aclosing(self._due()) as due:
            while True:
                try:
                    async with client_for(self._url, f"simulator-{random.getrandbits(32):x}") as client:
                        log.info("connected to the broker")
                        backoff.succeeded()
                        while True:
                            # Kept until the broker has it, and sent again after a reconnect.
                            saying: Saying = await anext(due) if pending is None else pending
                            pending = saying
                            await publish(client, saying)
                            self.said[wire.leaf_of(saying.message)] += 1
                            pending = None
                            if playing.cancelling():
                                # Up to Python 3.11, wait_for swallows a cancellation that comes with the
                                # broker's answer.
                                raise asyncio.CancelledError
                except aiomqtt.MqttError as error:
                    pause_s = backoff.failed()
                    log.log(backoff.level, "broker lost (%s); trying again in %.1f s", error, pause_s)
                    await asyncio.sleep(pause_s)

    async def _due(self) -> AsyncGenerator[Saying]:
        """Every message when its time has come."""
        county = self._story.county
        async for rows in self._days():
            for ts_ms, device, message in events.messages(rows):
                await self._clock.sleep_until(ts_ms)
                if self._clock.now_ms() - ts_ms > LATE_MS_MAX:
                    self.said["late"] += 1
                    continue
                shown = message
                if not self._in_real_time:
                    shown = msgspec.structs.replace(message, ts_ms=wall_ms())
                yield Saying(county.site_of(device), county.devices[device].name, shown)

    async def _days(self) -> AsyncGenerator[Events]:
        """What is left of today, then day after day; each is told, in a thread, a day ahead."""
        begin_ms = self._clock.now_ms()
        day = day_of(begin_ms)
        rows = await asyncio.to_thread(self._story.between, begin_ms, day_start_ms(day + 1))
        while True:
            day += 1
            tomorrow = asyncio.create_task(asyncio.to_thread(self._story.day, day), name=f"day {day}")
            yield rows
            rows = await tomorrow

    async def _report_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            said = ", ".join(f"{count:,} {leaf}" for leaf, count in sorted(self.said.items()))
            log.info("said so far: %s", said or "nothing")
