"""A house whose devices speak one dialect: remembers what the dialect learns, as an edge does."""

import json
from typing import Any

from gateway.dialects import Dialect, Told
from protocol import wire
from protocol.model import DeviceProposal


class House:
    """Plays messages into a dialect and keeps its knowledge as JSON, as if restarted in between."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.known: dict[str, Any] = {}
        self.ignored: list[str] = []
        self.proposed: dict[str, DeviceProposal] = {}
        self.answered: list[tuple[str, Any]] = []

    def told(self, topic: str, payload: Any, *, retained: bool = False) -> Told:
        """What comes of a message; bytes and text go as they are, all else as JSON."""
        if isinstance(payload, str):
            payload = payload.encode()
        elif not isinstance(payload, bytes):
            payload = json.dumps(payload).encode()
        told = self.dialect.understand(topic, payload, retained=retained, known=self.known)
        self.known = json.loads(json.dumps({**self.known, **told.learnt}, allow_nan=False))
        self.ignored += [ignored.reason for ignored in told.ignored]
        self.answered += [(answer.topic, json.loads(answer.payload)) for answer in told.answers]
        self.proposed.update({proposal.key: proposal for proposal in told.proposed})
        return told

    def hears(self, topic: str, payload: Any, *, retained: bool = False) -> list[tuple[str, dict[str, Any]]]:
        """Key and wire form of each message that was heard; the leaf stands in `is`."""
        return [
            (heard.key, {"is": str(wire.leaf_of(heard.message)), **json.loads(wire.encode(heard.message))})
            for heard in self.told(topic, payload, retained=retained).heard
        ]

    def says(self, topic: str, payload: Any, *, retained: bool = False) -> list[dict[str, Any]]:
        """What was heard, without who said it and without mere signs of life."""
        messages = [message for _, message in self.hears(topic, payload, retained=retained)]
        return [message for message in messages if message != ALIVE]


ALIVE = {"is": "status", "online": True}
SOS = {"is": "alarm", "alarm": "sos"}


def raised(kind: str) -> dict[str, Any]:
    return {"is": "alarm", "alarm": kind}


def cleared(kind: str) -> dict[str, Any]:
    return {"is": "alarm", "alarm": kind, "state": "cleared"}


def activity(event: str) -> dict[str, Any]:
    return {"is": "activity", "event": event}


def vitals(**signs: float) -> dict[str, Any]:
    return {"is": "vitals", **signs}


def status(**fields: Any) -> dict[str, Any]:
    return {"is": "status", "online": True, **fields}
