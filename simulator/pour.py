"""Says days of a story to a broker that have passed, with their own times: at full speed, or at a given pace.

paho with a thread of its own rather than aiomqtt, which the player uses: several times as fast.
"""

import asyncio
import threading
import time
from collections.abc import Callable

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from protocol import wire
from protocol.broker import BrokerAddress
from protocol.model import Message
from simulator import events
from simulator.clock import Clock, day_start_ms
from simulator.errors import SimulatorError
from simulator.story import Story

IN_FLIGHT_MAX = 500
"""Messages under way to the broker at once; more wait."""
ANSWER_S_MAX = 30.0
"""The broker may be away, or busy, for so long."""
_LOOK_S = 0.25


async def pour(
    story: Story, url: str, days: range, *, speed: float | None, progress: Callable[[int, int], None]
) -> int:
    """Say simulated `days`, as fast as the broker takes it or `speed` times life's pace.

    `progress(done, of)` counts days. How many messages the broker has; one that was under way when a
    connection broke it may have twice.

    Raises:
        SettingsError: `url` is not the address of a broker.
        SimulatorError: the broker cannot be reached, refuses, or is away for too long; what it has, it has.
    """
    stopped = threading.Event()
    spout = _Spout(BrokerAddress.parse(url, "--mqtt"), stopped)
    try:
        return await asyncio.to_thread(_pour, story, spout, days, speed, progress)
    finally:
        stopped.set()


def _pour(
    story: Story, spout: "_Spout", days: range, speed: float | None, progress: Callable[[int, int], None]
) -> int:
    with spout:
        return _say_all(story, spout, days, speed, progress)


def _say_all(
    story: Story, spout: "_Spout", days: range, speed: float | None, progress: Callable[[int, int], None]
) -> int:
    county, said = story.county, 0
    clock = Clock(start_ms=day_start_ms(days.start), speed=speed) if speed is not None else None
    for done, day in enumerate(days, start=1):
        rows = events.as_heard(story.day(day))
        heard_ms = (rows["ts_ms"] + rows["delay_ms"]).tolist()
        for at_ms, (_, device, message) in zip(heard_ms, events.messages(rows), strict=True):
            while clock is not None and (wait_ms := at_ms - clock.now_ms()) > 0 and spout.works():
                spout.stopped.wait(min(wait_ms / 1000 / clock.speed, _LOOK_S))
            spout.say(county.site_of(device), county.devices[device].name, message)
            said += 1
        spout.drain()
        progress(done, len(days))
    return said


class _Spout:
    """A connection that takes so many messages at once and no more; reconnects and sends again by itself."""

    def __init__(self, address: BrokerAddress, stopped: threading.Event) -> None:
        self.stopped = stopped
        self._slots = threading.Semaphore(IN_FLIGHT_MAX)
        self._connected = threading.Event()
        self._trouble: str | None = None
        self._address = address
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.max_inflight_messages_set(IN_FLIGHT_MAX)
        self._client.reconnect_delay_set(min_delay=1, max_delay=5)
        address.prepare(self._client)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish

    def __enter__(self) -> "_Spout":
        try:
            self._client.connect(self._address.host, self._address.port)
        except OSError as error:
            raise SimulatorError(f"the broker did not take the messages: {error}") from error
        self._client.loop_start()
        try:
            self._until(lambda: self._connected.wait(_LOOK_S))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def works(self) -> bool:
        """Whether there is a reason to go on. SimulatorError when the broker refuses."""
        if self._trouble is not None:
            raise SimulatorError(f"the broker did not take the messages: {self._trouble}")
        return not self.stopped.is_set()

    def say(self, site: str, device: str, message: Message) -> None:
        """Hand one message over; waits while too many are under way. SimulatorError when in vain."""
        if self.stopped.is_set() or not self._slots.acquire(blocking=False):
            self._until(lambda: self._slots.acquire(timeout=_LOOK_S))
        leaf = wire.leaf_of(message)
        topic = str(wire.Topic(site, device, leaf))
        told = self._client.publish(topic, wire.encode(message), qos=1, retain=leaf is wire.Leaf.STATUS)
        # Without a connection it is kept, and sent when there is one.
        if told.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
            raise SimulatorError(f"the broker did not take the messages: {paho.error_string(told.rc)}")

    def drain(self) -> None:
        """Return when the broker has all that was said."""
        for _ in range(IN_FLIGHT_MAX):
            self._until(lambda: self._slots.acquire(timeout=_LOOK_S))
        self._slots.release(IN_FLIGHT_MAX)

    def _until(self, done: Callable[[], bool]) -> None:
        """Call `done` until it is true. SimulatorError when that takes too long, or nobody waits any more."""
        begun_s = time.monotonic()
        while not done():
            if not self.works():
                raise SimulatorError("stopped before the broker had taken all messages")
            if time.monotonic() - begun_s > ANSWER_S_MAX:
                raise SimulatorError(
                    f"the broker has not answered for {ANSWER_S_MAX:g} s; what it has taken, it has"
                )

    def _on_connect(
        self,
        _client: paho.Client,
        _userdata: object,
        _flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._trouble = f"it refuses the connection ({reason})"
        else:
            self._connected.set()

    def _on_publish(
        self,
        _client: paho.Client,
        _userdata: object,
        _mid: int,
        reason: ReasonCode,
        _properties: Properties,
    ) -> None:
        if reason.is_failure:
            self._trouble = f"it refuses a message ({reason})"
        self._slots.release()
