"""What clients of ThingsBoard ask their server, and what we answer in its place.

Newer clients ask for the limits of their session (`getSessionLimits`) and send nothing at all before they
have them; others ask for attributes, and wait. We have no limits and no attributes to tell. A call of any
other procedure is answered by an error, so that nobody waits for it, and counted: it may be a cry.
Source: thingsboard.io, Reference, MQTT Device API, and the published client (tb-mqtt-client 1.13).
"""

import re
from typing import Any, NamedTuple

import msgspec

from gateway.dialects import Ignored, Order, Told
from gateway.dialects.payload import json_of
from gateway.dialects.unheard import example
from gateway.dialects.values import clean
from gateway.dialects.words import NotUnderstoodError

DEVICE_ASKS = ("v1/devices/me/rpc/request/+", "v1/devices/me/attributes/request/+")
GATEWAY_ASKS = "v1/gateway/attributes/request"
PAYLOAD_BYTES_MAX = 65_536
INFLIGHT_MAX = 100
_UNLIMITED = {"messages": "", "telemetryMessages": "", "telemetryDataPoints": ""}
SESSION_LIMITS = {
    "maxPayloadSize": PAYLOAD_BYTES_MAX,
    "maxInflightMessages": INFLIGHT_MAX,
    "rateLimits": _UNLIMITED,
    "gatewayRateLimits": _UNLIMITED,
}
_ASKED = re.compile(r"v1/devices/me/(?P<what>rpc|attributes)/request/(?P<number>\d{1,18})\Z")


class Asking(NamedTuple):
    """A question of a client: what it asks for, and the topic on which it waits."""

    what: str
    answers_on: str


def asking(topic: str, prefix: str = "") -> Asking | None:
    """The question that is asked on `topic`; None where none is.

    Args:
        topic: Without what a broker's mount point puts before it, …
        prefix: … which stands before the answer's topic again.
    """
    if topic == GATEWAY_ASKS:
        return Asking("gateway attributes", f"{prefix}v1/gateway/attributes/response")
    found = _ASKED.match(topic)
    if found is None:
        return None
    return Asking(found["what"], f"{prefix}v1/devices/me/{found['what']}/response/{found['number']}")


def answer(asked: Asking, payload: bytes, key: str | None = None) -> Told:
    """What we answer; NotUnderstoodError for what is no question. `key` is of the device that asks."""
    if asked.what == "attributes":
        return _answered(asked, {})
    question = json_of(payload)
    if not isinstance(question, dict):
        raise NotUnderstoodError("not a JSON object")
    if asked.what == "gateway attributes":
        device = clean(question.get("device"), 256)
        return _answered(asked, {"id": question.get("id"), "device": device, "values": {}})
    if question.get("method") == "getSessionLimits":
        return _answered(asked, SESSION_LIMITS)
    called = example(str(question.get("method")), question.get("params"))
    told = _answered(asked, {"error": "this procedure is unknown here"})
    return told._replace(ignored=[Ignored(key, "a procedure that nobody here knows is called", *called)])


def _answered(asked: Asking, said: dict[str, Any]) -> Told:
    return Told(answers=[Order(asked.answers_on, msgspec.json.encode(said))])
