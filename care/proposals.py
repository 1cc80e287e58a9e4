"""Devices that gateways have heard and nobody knows yet: proposed, then adopted or refused by a person.

Ingest records what is proposed; people decide inside `sessions.scope_of`, where row security keeps them to
their own sites. Functions do not commit. Times are aware.
"""

from collections.abc import Mapping
from datetime import datetime

from care.pairing import require_manager
from care.registry import check_not_reserved
from database.connections import Connection
from database.errors import ConflictError, InvalidError, NotFoundError, translated_errors
from database.queries import queries
from database.record import Record
from protocol.model import Adoption, DeviceKind, DeviceProposal, GatewayConfig, usual_power

_sql = queries("care", "sql/proposals.sql")

OPEN_MAX = 1_000
"""Proposals of one gateway that may wait: it can hear no more devices than a home has, whatever it says."""


class Proposal(Record, frozen=True, kw_only=True):
    """A proposed device that nobody has decided on."""

    gateway_id: int
    gateway: str
    site_id: int
    key: str
    kind: DeviceKind | None = None
    vendor: str | None = None
    product: str | None = None
    says: tuple[str, ...] = ()
    first_at: datetime
    heard_at: datetime


def record(connection: Connection, gateway_id: int, proposal: DeviceProposal) -> bool:
    """Keep what a gateway proposes, or bring it up to date; False when it has too many open already."""
    params = {
        "gateway_id": gateway_id,
        "key": _clean(proposal.key),
        "kind": proposal.kind,
        "vendor": _clean(proposal.vendor),
        "product": _clean(proposal.product),
        "says": [_clean(word) for word in proposal.says],
        "open_max": OPEN_MAX,
    }
    return connection.execute(_sql["record"], params).fetchone() is not None


def proposals(
    connection: Connection, *, site_id: int | None = None, gateway_id: int | None = None
) -> list[Proposal]:
    """What waits for a decision, the newest first, at most `OPEN_MAX`."""
    params = {"site_id": site_id, "gateway_id": gateway_id, "key": None, "limit": OPEN_MAX}
    return [Proposal.from_row(row) for row in connection.execute(_sql["open"], params)]


def proposal(connection: Connection, gateway_id: int, key: str) -> Proposal:
    """One proposal that waits. NotFoundError when it does not (any more), or is not in scope."""
    params = {"site_id": None, "gateway_id": gateway_id, "key": key, "limit": 1}
    row = connection.execute(_sql["open"], params).fetchone()
    if row is None:
        raise NotFoundError(f"gateway {gateway_id} proposes no {key!r}", gateway=gateway_id, key=key)
    return Proposal.from_row(row)


def adopt(
    connection: Connection,
    gateway_id: int,
    key: str,
    *,
    kind: DeviceKind,
    staff_id: int,
    name: str | None = None,
    resident_id: int | None = None,
    room_id: int | None = None,
) -> str:
    """The proposed device becomes one of the record, watching a resident, a room or nobody; its name.

    Without a `name` it gets its kind and a number. Its gateway is told by ingest, as soon as this is
    committed.

    Raises:
        NotAllowedError: Who is signed in does not manage devices.
        NotFoundError: It is not (any more) proposed: somebody was quicker, or it is out of scope.
        ConflictError: The name is taken.
        InvalidError: The name is no name, or resident or room are not of the gateway's site.
    """
    require_manager(connection)
    if resident_id is not None and room_id is not None:
        raise InvalidError("a device watches either a resident or a room")
    if kind is DeviceKind.GATEWAY:
        raise InvalidError("a gateway is paired, not adopted")
    if name is not None:
        check_not_reserved(name)
    found = _locked(connection, gateway_id, key)
    given = {
        "site_id": found.site_id,
        "name": name,
        "stem": kind.replace("_", "-"),
        "kind": kind,
        "model": " ".join(part for part in (found.vendor, found.product) if part) or None,
        "power": usual_power(kind),
    }
    with translated_errors():
        device = connection.execute(_sql["add_device"], given).fetchone()
    assert device is not None, "an INSERT returns its row"
    if resident_id is not None or room_id is not None:
        watching = {"device_id": device["id"], "resident_id": resident_id, "room_id": room_id}
        if connection.execute(_sql["is_at_site"], watching).fetchone() is None:
            raise InvalidError("what the device should watch is not at its gateway's site")
        with translated_errors():
            connection.execute(_sql["assign"], watching)
    decision = {"gateway_id": gateway_id, "key": key, "device_id": device["id"], "staff_id": staff_id}
    connection.execute(_sql["adopt"], decision)
    return str(device["name"])


def refuse(connection: Connection, gateway_id: int, key: str, *, staff_id: int) -> None:
    """The proposed device is none of ours; its gateway stops asking. Errors as `adopt`."""
    require_manager(connection)
    _locked(connection, gateway_id, key)
    connection.execute(_sql["refuse"], {"gateway_id": gateway_id, "key": key, "staff_id": staff_id})


def configs(connection: Connection) -> Mapping[tuple[str, str], GatewayConfig | None]:
    """What each gateway should know, by site and name; None for one that is no longer in use."""
    return {
        (row["site"], row["gateway"]): None
        if row["retired"]
        else GatewayConfig(
            devices={
                key: Adoption(name=name, kind=DeviceKind(kind))
                for key, name, kind in zip(row["keys"], row["names"], row["kinds"], strict=True)
            },
            refused=tuple(row["refused"]),
        )
        for row in connection.execute(_sql["configs"])
    }


def _locked(connection: Connection, gateway_id: int, key: str) -> Proposal:
    """The proposal, kept for ourselves: of two people who decide at once, the second finds it decided."""
    connection.execute(_sql["lock"], {"gateway_id": gateway_id, "key": key})
    try:
        return proposal(connection, gateway_id, key)
    except NotFoundError:
        decided = connection.execute(_sql["decided"], {"gateway_id": gateway_id, "key": key}).fetchone()
        if decided is None:
            raise
        raise ConflictError("somebody has decided on this device already", key=key) from None


def _clean(text: str | None) -> str | None:
    """PostgreSQL's text holds no NUL; the words of the wire have none either, but for a lone surrogate."""
    return None if text is None else text.encode("utf-8", "replace").decode()
