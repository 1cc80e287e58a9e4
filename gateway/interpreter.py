"""What is said in a house, understood: from messages on the LAN broker to what the outbox keeps.

The dialects know the words; here is what is the same for all of them: which of them wants a topic, which
devices are adopted or refused, what comes a second time, and what nobody understood.
"""

import hashlib
import logging
from collections import ChainMap, Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from paho.mqtt.client import topic_matches_sub

from gateway.clock import Clock, Stamp
from gateway.dialects import Dialect, Heard, Ignored, Order, Told
from gateway.dialects.anshou import name_of as plain_name_of
from gateway.dialects.unheard import Unheard, UnheardLog
from gateway.link import Incoming
from gateway.outbox import Entry, Outbox
from gateway.presses import Presses
from protocol import wire
from protocol.model import AlarmSignal, DeviceProposal, GatewayConfig, Message

log = logging.getLogger(__name__)

UNACKNOWLEDGED_MAX = 2_000
"""Messages at QoS 0 in hand while the disk takes nothing; more are dropped, and counted …"""
UNACKNOWLEDGED_ALARMS_MAX = 1_000
"""… but for so many alarms."""
RECENT_MAX = 100
"""Messages that the LAN broker lets wait for our acknowledgement: so many may come a second time."""
IGNORED_REASONS_MAX = 50
ANSWERS_MAX = 1_000
"""Answers that wait for the disk; who gets none asks again."""


Recent = dict[tuple[int, str], None]
"""Packet ids and digests of messages, the oldest first."""


class Taken(NamedTuple):
    """What one turn brought, ready to be kept."""

    entries: list[Entry]
    proposals: dict[str, DeviceProposal]
    learnt: dict[str, dict[str, Any]]
    received: list[Incoming]
    cried: dict[int, int]
    """What was sent from memory meanwhile: its number there, by its place among the entries."""
    answers: list[Order]
    """What is to be published on the LAN broker once all this is kept."""


class Interpreter:
    """Understands with `dialects` what is heard. `config` says what the centre adopted and refused.

    What was learnt and kept before it finds in the outbox.
    """

    def __init__(
        self, outbox: Outbox, clock: Clock, dialects: Sequence[Dialect], config: GatewayConfig
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self.config = config
        self.dialects = {dialect.name: dialect for dialect in dialects}
        self.known = {dialect: outbox.knowledge(dialect) for dialect in self.dialects}
        """What each dialect has learnt, by device key."""
        self._filters = self._wanted()
        self._recent = dict.fromkeys(
            msgspec.json.decode(outbox.state("recent") or b"[]", type=list[tuple[int, str]])
        )
        self._stamped_ms: dict[str, int] = {}
        self._proposed: set[str] = set()
        self.ignored: Counter[str] = Counter()
        """How often what was not taken, by reason."""
        self.heard_count = 0
        self.overflowed = 0
        """Messages that were dropped since this was last set to 0."""
        self._unheard = UnheardLog()
        self._presses = Presses()

    @property
    def topics(self) -> set[str]:
        """The topic filters that the dialects want to hear."""
        return {topic for topic, _ in self._filters}

    def understand(self, received: Sequence[Incoming], taken: Taken) -> None:
        """Add what was received to what is to be kept."""
        in_hand = set(self._recent) | {
            (before.mid, _digest(before)) for before in taken.received if before.mid
        }
        for incoming in received:
            is_full = not incoming.mid and len(taken.received) >= UNACKNOWLEDGED_MAX
            if not is_full:
                taken.received.append(incoming)
            if incoming.repeated and (incoming.mid, _digest(incoming)) in in_hand:
                continue  # kept already, or about to be; only our acknowledgement was lost
            stamp = self._clock.now()
            for dialect in self._speakers(incoming.topic):
                told = self._told(dialect, incoming, taken)
                if told.learnt:
                    taken.learnt.setdefault(dialect.name, {}).update(told.learnt)
                for proposal in told.proposed:
                    self._propose(taken, proposal)
                for heard in told.heard:
                    if is_full and not _has_room_for(taken, heard.message):
                        self.overflowed += 1
                    else:
                        self._take(taken, heard, stamp)
                taken.answers.extend(told.answers[: max(0, ANSWERS_MAX - len(taken.answers))])
                for ignored in told.ignored:
                    self._ignore(ignored.reason)
                    self._unheard.take(ignored, stamp.ms)

    def _told(self, dialect: Dialect, incoming: Incoming, taken: Taken) -> Told:
        known = ChainMap(taken.learnt.get(dialect.name, {}), self.known[dialect.name])
        try:
            return dialect.understand(
                incoming.topic, incoming.payload, retained=incoming.retained, known=known
            )
        except Exception:
            # A mistake of ours in one dialect must not let one message stop all others for ever.
            log.exception("the dialect %s cannot take what came on %s", dialect.name, incoming.topic)
            return Told(ignored=[Ignored(None, f"{dialect.name} failed")])

    def _wanted(self) -> list[tuple[str, Dialect]]:
        """Each topic filter, and the dialect that wants it."""
        return [
            (topic, dialect)
            for dialect in self.dialects.values()
            for topic in dialect.filters(self.known[dialect.name])
        ]

    def learn(self, learnt: Mapping[str, Mapping[str, Any]]) -> None:
        """Lay it over what is known, None being forgotten; `topics` may be others from then on."""
        for dialect, entries in learnt.items():
            known = self.known[dialect]
            known.update(entries)
            for key in [key for key, value in entries.items() if value is None]:
                del known[key]
        self._filters = self._wanted()

    def _speakers(self, topic: str) -> list[Dialect]:
        """The dialects that want a topic, each once."""
        found = {
            dialect.name: dialect for wanted, dialect in self._filters if topic_matches_sub(wanted, topic)
        }
        return list(found.values())

    def _take(self, taken: Taken, heard: Heard, stamp: Stamp) -> None:
        if heard.key in self.config.refused:
            self._ignore("device refused")
            return
        name = self.name_of(heard.key)
        if heard.key not in self.config.devices and not self._outbox.knows_room_for(heard.key):
            self._ignore("too many unknown devices")
            self.overflowed += 1
            return
        if self._presses.is_again(heard.key, heard.message, stamp):
            self._ignore("the same press once more")
            return
        if heard.message.ts_ms is None:
            stamp = self._distinct(heard.key, stamp)
        if name is None and heard.key not in taken.proposals and not self._was_proposed(heard.key):
            self._propose(taken, DeviceProposal(key=heard.key, says=(_word_for(heard.message),)))
        self.heard_count += 1
        taken.entries.append(Entry(heard.key, name, heard.message, stamp))

    def _distinct(self, key: str, stamp: Stamp) -> Stamp:
        """No two stamps of one device are the same: the centre takes equal times for one and the same."""
        ahead_ms = max(0, self._stamped_ms.get(key, -1) + 1 - stamp.boot_ms)
        self._stamped_ms[key] = stamp.boot_ms + ahead_ms
        ms = None if stamp.ms is None else stamp.ms + ahead_ms
        return Stamp(ms, stamp.boot_ms + ahead_ms, stamp.sure)

    def name_of(self, key: str) -> str | None:
        """What the device is called at the centre; None while nobody has adopted it."""
        adopted = self.config.devices.get(key)
        return plain_name_of(key) if adopted is None else adopted.name

    def _propose(self, taken: Taken, proposal: DeviceProposal) -> None:
        if proposal.key not in self.config.devices and proposal.key not in self.config.refused:
            taken.proposals[proposal.key] = proposal
            self._proposed.add(proposal.key)

    def _was_proposed(self, key: str) -> bool:
        if key not in self._proposed and self._outbox.is_proposed(key):
            self._proposed.add(key)
        return key in self._proposed

    def unheard(self, devices_max: int) -> dict[str, dict[str, Unheard]]:
        """By device and field what nobody understood, with the last example."""
        return self._unheard.told(devices_max)

    def remembering(self, received: Sequence[Incoming]) -> Recent:
        """What was kept last with these, as much as can be unacknowledged."""
        fresh = {(incoming.mid, _digest(incoming)): None for incoming in received if incoming.mid}
        older = {pair: None for pair in self._recent if pair not in fresh}
        return dict.fromkeys(list({**older, **fresh})[-RECENT_MAX:])

    def remember(self, recent: Recent) -> None:
        """These are kept: what comes again of them is no new message."""
        self._recent = recent

    def _ignore(self, reason: str) -> None:
        if reason not in self.ignored and len(self.ignored) >= IGNORED_REASONS_MAX:
            reason = "other"
        self.ignored[reason] += 1


def _has_room_for(taken: Taken, message: Message) -> bool:
    """Whether there is still room for this when there is none for readings: there is for some alarms."""
    count_max = UNACKNOWLEDGED_MAX + UNACKNOWLEDGED_ALARMS_MAX
    return isinstance(message, AlarmSignal) and len(taken.entries) < count_max


def _word_for(message: Message) -> str:
    """The model's word for what a message says, as a proposal lists them."""
    if isinstance(message, AlarmSignal):
        return f"alarm.{message.kind}"
    return str(wire.leaf_of(message))


def _digest(incoming: Incoming) -> str:
    return hashlib.blake2b(incoming.topic.encode() + b"\0" + incoming.payload, digest_size=6).hexdigest()
