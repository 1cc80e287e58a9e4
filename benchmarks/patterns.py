"""Packets that are made once and sent many times: only their times, and ids made of these, change."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.load import publish_packet
from protocol import wire
from protocol.model import Message, VitalSigns

TS_MS = 1_000_000_000_000
"""Stands in for the time; as wide as any time until the year 2286."""
_TS = b"%d" % TS_MS


class Pattern(NamedTuple):
    """A PUBLISH at QoS 1 without its packet id, from before to after it, with times that stand in."""

    head: bytes
    tail: bytes

    def at(self, ts_ms: int) -> tuple[bytes, bytes]:
        """The packet as of `ts_ms`."""
        return self.head, self.tail.replace(_TS, b"%d" % ts_ms)


def single(site: str, device: str, message: Message) -> Pattern:
    """One message of a device."""
    topic = f"{wire.ROOT}/{site}/{device}/{wire.leaf_of(message)}"
    return Pattern(*publish_packet(topic, wire.encode(message)))


def batch(site: str, gateway: str, messages: Sequence[tuple[str, Message]]) -> Pattern:
    """A gateway's batch; its id is made of its time, so it differs from every other of that gateway."""
    topic = f"{wire.ROOT}/{site}/{gateway}/batch"
    return Pattern(*publish_packet(topic, wire.encode_batch(f"b{TS_MS}", messages)))


def vitals(generator: random.Random) -> VitalSigns:
    """A reading-set of five signs."""
    return VitalSigns(
        ts_ms=TS_MS,
        hr=float(generator.randint(55, 95)),
        rr=float(generator.randint(11, 20)),
        spo2=float(generator.randint(93, 99)),
        temp=generator.randint(360, 374) / 10,
        sbp=float(generator.randint(105, 160)),
    )


def batches_of_homes(homes: Sequence[Sequence[str]]) -> list[Pattern]:
    """One batch a home, with a reading-set of each of its devices."""
    generator = random.Random(7)
    return [
        batch(f"home-{number}", f"gw-{number}", [(device, vitals(generator)) for device in devices])
        for number, devices in enumerate(homes, start=1)
    ]


def singles_of_homes(homes: Sequence[Sequence[str]]) -> list[Pattern]:
    """One message a device, with its reading-set."""
    generator = random.Random(9)
    return [
        single(f"home-{number}", device, vitals(generator))
        for number, devices in enumerate(homes, start=1)
        for device in devices
    ]
