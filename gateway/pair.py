"""A new box becomes a gateway, and a gateway gets a new secret. Standard library and paho only.

Nothing secret is sent before the centre has proved itself: see `protocol.enrolment`.
"""

import http.client
import json
import logging
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.errors import GatewayError
from gateway.identity import Identity, tls_context
from protocol.enrolment import (
    Authority,
    CodeError,
    ConfirmRequest,
    Enrolled,
    PairingCode,
    PairRequest,
    RotateRequest,
    fingerprint_of,
    new_secret,
    shown,
)

log = logging.getLogger(__name__)

TIMEOUT_S = 20.0
ANSWER_BYTES_MAX = 64 * 1024
ATTEMPTS = 4
PAUSE_S = 2.0
RETRY_STATUS = frozenset({502, 503, 504})

Answer = TypeVar("Answer", bound=msgspec.Struct)


class PairingError(GatewayError):
    """The centre cannot be reached, or it refuses. The text says what to do."""


def pair(url: str, typed: str, tell: Callable[[str], None] = log.info) -> Identity:
    """Redeem a one-time code at the centre whose pages are at `url`.

    Args:
        url: As on the page, such as http://192.168.1.10:8080.
        typed: The code, as somebody typed it.
        tell: Gets the fingerprint of the centre's authority, for people to compare.

    Raises:
        CodeError: It is no code, or not one of this centre's; nothing secret was sent.
        PairingError: The centre cannot be reached or refuses.
    """
    code = PairingCode.parse(typed)
    host = _host_of(url)
    authority = _fetch_authority(url)
    fingerprint = fingerprint_of(authority.certificate)
    if not code.fits(fingerprint):
        raise CodeError(
            f"the code does not fit the centre at {url}: it was mistyped, or somebody stands in between. "
            f"Nothing secret was sent. Its authority is SHA-256 {shown(fingerprint)}"
        )
    tell(f"The centre has proved itself: SHA-256 {shown(fingerprint)}")
    secret = new_secret()
    request = PairRequest(code=str(code), secret=secret)
    enrolled = _post(host, authority, "/api/gateways/pair", request, Enrolled)
    return Identity(
        site=enrolled.site,
        gateway=enrolled.gateway,
        username=enrolled.username,
        secret=secret,
        host=host,
        https_port=authority.https_port,
        mqtt_host=enrolled.mqtt_host or host,
        mqtt_port=enrolled.mqtt_port,
        authority=authority.certificate,
        since=datetime.now(UTC),
        pages=url,
    )


def find(identity: Identity, url: str | None = None) -> Identity:
    """The same gateway with the addresses that its centre has now; the same object if nothing has moved.

    What is told in clear is believed of nobody: the answer counts only if it is given again over TLS, by a
    server of the authority that this gateway was paired with.

    Args:
        identity: What it knows so far.
        url: Where the centre's pages may be; default: where it was paired, and where they were last.

    Raises:
        PairingError: Nobody there is this gateway's centre.
    """
    last = f"https://{_bracketed(identity.host)}:{identity.https_port}"
    asked = [url] if url is not None else [address for address in (identity.pages, last) if address]
    troubles = []
    for address in asked:
        try:
            found = _found_at(address, identity)
        except PairingError as error:
            troubles.append(str(error))
        else:
            moved = found if url is None else msgspec.structs.replace(found, pages=url)
            return identity if moved == identity else moved
    raise PairingError("; ".join(troubles))


def _found_at(url: str, identity: Identity) -> Identity:
    host = _host_of(url)
    told = _fetch_authority(url)
    if fingerprint_of(told.certificate) != fingerprint_of(identity.authority):
        raise PairingError(f"at {url} is another centre, not the one that this box was paired with")
    proved = Authority(certificate=identity.authority, https_port=told.https_port)
    sure = _ask(host, proved, "/api/gateways/authority", None, Authority)
    return msgspec.structs.replace(
        identity,
        host=host,
        https_port=sure.https_port,
        mqtt_host=sure.mqtt_host or host,
        mqtt_port=sure.mqtt_port or identity.mqtt_port,
    )


def rotate(identity: Identity) -> Identity:
    """The same gateway with a new secret. The old one, which proves it, is valid until `confirm`.

    Raises:
        PairingError: As `pair`; the identity then stays what it is.
    """
    authority = Authority(certificate=identity.authority, https_port=identity.https_port)
    secret = new_secret()
    request = RotateRequest(username=identity.username, secret=identity.secret, new_secret=secret)
    enrolled = _post(identity.host, authority, "/api/gateways/rotate", request, Enrolled)
    return msgspec.structs.replace(
        identity, username=enrolled.username, secret=secret, since=datetime.now(UTC)
    )


def confirm(identity: Identity) -> None:
    """Tell the centre that this secret works and is kept: the one before ends. PairingError."""
    authority = Authority(certificate=identity.authority, https_port=identity.https_port)
    request = ConfirmRequest(username=identity.username, secret=identity.secret)
    _post(identity.host, authority, "/api/gateways/confirm", request, Enrolled)


def try_broker(identity: Identity) -> None:
    """Sign in at the broker once, and leave. PairingError when that fails."""
    answered = threading.Event()
    refusals: list[str] = []
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"{identity.username}-try",
        protocol=MQTTProtocolVersion.MQTTv5,
    )
    broker = identity.broker
    broker.prepare(client)

    def on_connect(_client: object, _data: object, _flags: object, reason: Any, _props: object) -> None:
        if reason.is_failure:
            refusals.append(str(reason))
        answered.set()

    client.on_connect = on_connect
    where = f"the broker at {broker.where}"
    try:
        client.connect(broker.host, broker.port, keepalive=60)
    except (OSError, ssl.SSLError) as error:
        raise PairingError(f"{where} cannot be reached: {error}") from error
    client.loop_start()
    try:
        if not answered.wait(TIMEOUT_S):
            raise PairingError(f"{where} did not answer within {TIMEOUT_S:.0f} s")
        if refusals:
            raise PairingError(f"{where} refuses us: {refusals[0]}")
    finally:
        client.disconnect()
        client.loop_stop()


def _host_of(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PairingError(f"{url!r} is not the address of a centre, such as http://192.168.1.10:8080")
    return parts.hostname


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _fetch_authority(url: str) -> Authority:
    """What the centre says of itself: not yet to be believed, so no certificate is asked for."""
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(  # noqa: S310 - the scheme was looked at
            f"{url.rstrip('/')}/api/gateways/authority", timeout=TIMEOUT_S, context=unverified
        ) as answer:
            return msgspec.json.decode(answer.read(ANSWER_BYTES_MAX), type=Authority)
    except urllib.error.HTTPError as error:
        raise PairingError(f"{url} does not pair gateways (HTTP {error.code})") from error
    except (OSError, http.client.HTTPException) as error:
        raise PairingError(f"the centre at {url} cannot be reached: {error}") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise PairingError(f"what answers at {url} is not a centre: {error}") from error


def _post(
    host: str, authority: Authority, path: str, request: msgspec.Struct, answer_type: type[Answer]
) -> Answer:
    return _ask(host, authority, path, msgspec.json.encode(request), answer_type)


def _ask(host: str, authority: Authority, path: str, body: bytes | None, answer_type: type[Answer]) -> Answer:
    """Ask over TLS; again when the answer was lost or the centre is busy: asking twice does no harm."""
    for attempt in range(1, ATTEMPTS + 1):
        last = attempt == ATTEMPTS
        try:
            status, answer = _exchange(host, authority, path, body)
        except ssl.SSLCertVerificationError as error:
            raise PairingError(
                f"{host}:{authority.https_port} has no certificate of this centre's authority: "
                f"{error.verify_message}"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            if last:
                raise PairingError(
                    f"the centre at {host}:{authority.https_port} cannot be reached: {error}"
                ) from error
        else:
            if status == http.HTTPStatus.OK:
                return msgspec.json.decode(answer, type=answer_type)
            if last or status not in RETRY_STATUS:
                raise PairingError(f"the centre refuses: {_reason_in(answer)} (HTTP {status})")
        time.sleep(PAUSE_S * attempt)
    raise AssertionError("the last attempt returns or raises")


def _exchange(host: str, authority: Authority, path: str, body: bytes | None) -> tuple[int, bytes]:
    connection = http.client.HTTPSConnection(
        host, authority.https_port, timeout=TIMEOUT_S, context=tls_context(authority.certificate)
    )
    try:
        method = "GET" if body is None else "POST"
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read(ANSWER_BYTES_MAX)
    finally:
        connection.close()


def _reason_in(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return "without a reason"
