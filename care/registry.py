"""The register: who and what is where, with history. Functions do not commit; the caller does.

Times given as `at` are aware; a move at a time ends what was before at that very time, and the database's
exclusion constraints refuse two residents in one bed or one device at two people.
"""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from argon2 import PasswordHasher
from psycopg.rows import DictRow

from care.model import Ability, CareCategory, Device, Operator, Resident, RoomKind, Site, SiteKind
from care.refusals import REFUSALS, in_words
from database.connections import Connection
from database.errors import ConflictError, InvalidError, NotFoundError
from database.queries import queries
from identity.model import SCOPES, ScopeKind, Staff, StaffRole
from identity.passwords import require_acceptable
from identity.secrets import PASSWORD_HASHER, hash_device_secret, hash_password, new_device_secret
from protocol.model import NAME_PATTERN, DeviceKind, PowerSource, usual_power
from protocol.names import is_reserved
from protocol.texts import N_

_sql = queries("care", "sql/registry.sql")


class NewDevice(NamedTuple):
    """A device just added, with its secret; the secret is nowhere else and cannot be shown again."""

    device: Device
    site: Site
    secret: str


def add_operator(connection: Connection, *, code: str, name: str, phone: str | None = None) -> Operator:
    """Record an operator. ConflictError when the code is taken."""
    _check_name(REFUSALS["operator_code_check"], code)
    return Operator.from_row(_one(connection, "add_operator", code=code, name=name.strip(), phone=phone))


def add_site(
    connection: Connection,
    *,
    code: str,
    kind: SiteKind,
    name: str,
    township: str,
    operator: str | None = None,
    village: str | None = None,
    address: str | None = None,
    phone: str | None = None,
) -> Site:
    """Record a site; `code` becomes its level in MQTT topics. ConflictError when it is taken."""
    _check_name(REFUSALS["site_code_check"], code)
    operator_id = operator_by_code(connection, operator).id if operator else None
    row = _one(
        connection,
        "add_site",
        code=code,
        kind=kind,
        name=name.strip(),
        operator_id=operator_id,
        township=township.strip(),
        village=village,
        address=address,
        phone=phone,
    )
    return Site.from_row(row)


def add_room(
    connection: Connection,
    site_id: int,
    name: str,
    kind: RoomKind = RoomKind.BEDROOM,
    floor: int | None = None,
) -> int:
    """Record a room of a site; its id."""
    return int(_one(connection, "add_room", site_id=site_id, name=name.strip(), kind=kind, floor=floor)["id"])


def add_bed(connection: Connection, room_id: int, label: str) -> int:
    """Record a bed in a room; its id."""
    return int(_one(connection, "add_bed", room_id=room_id, label=label)["id"])


def bed_in(connection: Connection, site_id: int, room: str, bed: str) -> int:
    """The id of a bed by its room and label; room and bed are recorded when they are new."""
    row = _one(connection, "find_or_add_bed", site_id=site_id, room=room.strip(), bed=bed.strip())
    return int(row["id"])


def add_resident(
    connection: Connection,
    *,
    site_id: int,
    name: str,
    sex: str,
    born_on: date,
    category: CareCategory,
    lost_abilities: Collection[Ability] = (),
    bed_id: int | None = None,
    spo2_scale: int = 1,
    on_oxygen: bool = False,
    phone: str | None = None,
    family_contact: str | None = None,
    since: datetime | None = None,
) -> Resident:
    """Record a resident, living at `site_id` (and sleeping in `bed_id`) since `since` (default: now)."""
    since = since or datetime.now(UTC)
    row = _one(
        connection,
        "add_resident",
        site_id=site_id,
        name=name.strip(),
        sex=sex,
        born_on=born_on,
        category=category,
        spo2_scale=spo2_scale,
        on_oxygen=on_oxygen,
        phone=phone,
        family_contact=family_contact,
        since=since,
        **{str(ability): ability not in lost_abilities for ability in Ability},
    )
    resident = Resident.from_row(row)
    _start_residence(connection, resident.id, site_id, bed_id, since)
    return resident


def move_resident(
    connection: Connection,
    resident_id: int,
    *,
    site_id: int,
    bed_id: int | None = None,
    at: datetime | None = None,
) -> None:
    """From `at` (default: now) the resident lives at `site_id`, in `bed_id`. ConflictError: bed taken.

    Devices of another site no longer watch them: those stay where they are mounted.
    """
    at = at or datetime.now(UTC)
    _run(connection, "end_assignments_elsewhere", resident_id=resident_id, site_id=site_id, at=at)
    _run(connection, "end_residence", resident_id=resident_id, at=at)
    _start_residence(connection, resident_id, site_id, bed_id, at)


def _start_residence(
    connection: Connection, resident_id: int, site_id: int, bed_id: int | None, at: datetime
) -> None:
    if bed_id is not None:
        found = connection.execute(_sql["who_has_bed"], {"bed_id": bed_id, "at": at}).fetchone()
        if found is not None and found["resident_id"] != resident_id:
            raise ConflictError(
                N_("Bed %(bed)s in room %(room)s is %(occupant)s’s (number %(occupant_id)s)."),
                constraint="one_resident_a_bed",
                bed=found["bed"],
                room=found["room"],
                occupant=found["occupant"],
                occupant_id=found["resident_id"],
            )
    _run(connection, "start_residence", resident_id=resident_id, site_id=site_id, bed_id=bed_id, at=at)


def add_device(
    connection: Connection,
    *,
    site: Site,
    kind: DeviceKind,
    name: str | None = None,
    model: str | None = None,
    power: PowerSource | None = None,
    resident_id: int | None = None,
    room_id: int | None = None,
    since: datetime | None = None,
    added_at: datetime | None = None,
    relayed: bool = False,
) -> NewDevice:
    """Record a device with a new secret, and whom or which room it watches.

    Without a `name` it gets its kind and a number. ConflictError when the name is taken.

    `since`: from when it watches them; `added_at`: from when it is missed if it does not speak; default: now.
    `relayed`: gateways of its site may pass on what it says, although it has credentials of its own.
    """
    if name is None:
        stem = kind.replace("_", "-")
        number = _one(connection, "next_device_number", stem=stem)["number"]
        name = f"{stem}-{number:04d}"
    _check_name(REFUSALS["device_name_check"], name)
    check_not_reserved(name)
    secret = new_device_secret()
    row = _one(
        connection,
        "add_device",
        site_id=site.id,
        name=name,
        kind=kind,
        model=model,
        power=power or usual_power(kind),
        added_at=added_at,
        relayed=relayed,
        **hash_device_secret(secret)._asdict(),
    )
    if resident_id is not None or room_id is not None:
        assign_device(connection, row["id"], resident_id=resident_id, room_id=room_id, at=since)
    device = Device.from_row({**row, "resident_id": resident_id, "room_id": room_id})
    return NewDevice(device, site, secret)


def assign_device(
    connection: Connection,
    device_id: int,
    *,
    resident_id: int | None = None,
    room_id: int | None = None,
    at: datetime | None = None,
) -> None:
    """From `at` (default: now) the device watches a resident or a room. InvalidError unless just one."""
    if (resident_id is None) == (room_id is None):
        raise InvalidError("a device watches either a resident or a room: give one of the two")
    at = at or datetime.now(UTC)
    _run(connection, "end_assignment", device_id=device_id, at=at)
    _run(connection, "start_assignment", device_id=device_id, resident_id=resident_id, room_id=room_id, at=at)


def unassign_device(connection: Connection, device_id: int, at: datetime | None = None) -> None:
    """From `at` (default: now) the device watches nobody."""
    _run(connection, "end_assignment", device_id=device_id, at=at or datetime.now(UTC))


def retire_device(connection: Connection, device_id: int, at: datetime | None = None) -> None:
    """The device is out of use from `at` (default: now); its history stays."""
    at = at or datetime.now(UTC)
    unassign_device(connection, device_id, at)
    _run(connection, "retire_device", device_id=device_id, at=at)


def add_staff(
    connection: Connection,
    *,
    username: str,
    name: str,
    role: StaffRole,
    password: str,
    scope: ScopeKind,
    township: str | None = None,
    operator: str | None = None,
    sites: Sequence[str] = (),
    phone: str | None = None,
    language: str = "zh_CN",
    hasher: PasswordHasher = PASSWORD_HASHER,
    is_known: bool = False,
) -> Staff:
    """Record a member of staff who may sign in and sees what `scope` says.

    InvalidError where role and scope do not go together, or nobody should choose this password.

    Scope `township` needs `township`, `operator` the operator's code, `site` the codes of the sites.
    `hasher` says what each guess at the password costs: nobody but tests has a reason for less.
    `is_known`: the password is one that everybody may know, as in the demonstration.
    """
    if scope not in SCOPES[role]:
        allowed = " or ".join(sorted(SCOPES[role]))
        raise InvalidError(f"a {role} sees a {allowed}, not a {scope}", role=role, scope=scope)
    if not is_known:
        require_acceptable(password, username, name, phone or "")
    needed = {ScopeKind.TOWNSHIP: township, ScopeKind.OPERATOR: operator, ScopeKind.SITE: sites}
    for kind, value in needed.items():
        if bool(value) != (kind is scope):
            problem = "needs" if kind is scope else "must not have"
            raise InvalidError(f"staff of scope {scope} {problem} a {kind}", scope=scope)
    if township is not None:
        _require_township(connection, township)
    row = _one(
        connection,
        "add_staff",
        username=username,
        name=name.strip(),
        role=role,
        phone=phone,
        scope=scope,
        township=township,
        operator_id=operator_by_code(connection, operator).id if operator else None,
        password_argon2=hash_password(password, hasher),
        language=language,
    )
    for code in sites:
        _run(connection, "add_staff_site", staff_id=row["id"], site_id=site_by_code(connection, code).id)
    return Staff.from_row(row)


def _require_township(connection: Connection, township: str) -> None:
    """A township is known by its sites; one that is misspelt would show nobody anything."""
    known = [str(row["township"]) for row in connection.execute(_sql["townships"]).fetchall()]
    if not known:
        raise NotFoundError(
            N_("There is no township yet: record a site of %(township)s first."), township=township
        )
    if township not in known:
        raise NotFoundError(
            N_("There is no township %(township)s. There are: %(known)s."),
            township=township,
            known=", ".join(known),
        )


def operator_by_code(connection: Connection, code: str) -> Operator:
    """The operator with this code, or NotFoundError."""
    row = connection.execute(_sql["operator_by_code"], {"code": code}).fetchone()
    if row is None:
        raise NotFoundError(N_("there is no operator '%(operator)s'"), operator=code)
    return Operator.from_row(row)


def site_by_code(connection: Connection, code: str) -> Site:
    """The site with this code, or NotFoundError."""
    row = connection.execute(_sql["site_by_code"], {"code": code}).fetchone()
    if row is None:
        raise NotFoundError(N_("there is no site '%(site)s'"), site=code)
    return Site.from_row(row)


def site_of(connection: Connection, site_id: int) -> Site:
    """The site with this id, or NotFoundError."""
    row = connection.execute(_sql["site_by_id"], {"site_id": site_id}).fetchone()
    if row is None:
        raise NotFoundError(f"there is no site with id {site_id}", site_id=site_id)
    return Site.from_row(row)


def room_by_name(connection: Connection, site: Site, name: str) -> int:
    """The id of a room of `site`, or NotFoundError."""
    row = connection.execute(_sql["room_by_name"], {"site_id": site.id, "name": name}).fetchone()
    if row is None:
        raise NotFoundError(N_("site %(site)s has no room '%(room)s'"), site=site.code, room=name)
    return int(row["id"])


def find_resident(connection: Connection, sought: str) -> Resident:
    """The one resident with this id or name. NotFoundError for none, ConflictError for several."""
    rows = connection.execute(_sql["residents_called"], {"sought": sought}).fetchall()
    if not rows:
        raise NotFoundError(N_("there is no resident '%(resident)s'"), resident=sought)
    if len(rows) > 1:
        ids = ", ".join(str(row["id"]) for row in rows)
        raise ConflictError(
            N_("several residents are called %(resident)s: say which by id (%(ids)s)"),
            resident=sought,
            ids=ids,
        )
    return Resident.from_row(rows[0])


def device_by_name(connection: Connection, name: str) -> Device:
    """The device with this name and whom it watches now, or NotFoundError."""
    row = connection.execute(_sql["device_by_name"], {"name": name}).fetchone()
    if row is None:
        raise NotFoundError(N_("there is no device '%(device)s'"), device=name)
    return Device.from_row(row)


def list_operators(connection: Connection) -> list[DictRow]:
    """Rows for people to read: operators with the number of their sites."""
    return connection.execute(_sql["list_operators"]).fetchall()


def list_sites(connection: Connection) -> list[DictRow]:
    """Rows for people to read: sites with their numbers of residents and devices."""
    return connection.execute(_sql["list_sites"]).fetchall()


def list_residents(connection: Connection, site: str | None = None) -> list[DictRow]:
    """Rows for people to read: the residents of one site or all, with room and bed."""
    return connection.execute(_sql["list_residents"], {"site": site}).fetchall()


def list_devices(connection: Connection, site: str | None = None) -> list[DictRow]:
    """Rows for people to read: the devices of one site or all, with whom they watch and how they are."""
    return connection.execute(_sql["list_devices"], {"site": site}).fetchall()


def list_staff(connection: Connection) -> list[DictRow]:
    """Rows for people to read: who may sign in and what they see."""
    return connection.execute(_sql["list_staff"]).fetchall()


def _check_same_site(
    connection: Connection, device_id: int, resident_id: int | None, room_id: int | None
) -> None:
    """A device watches people and rooms of its own site: its messages carry that site's name."""
    row = connection.execute(
        _sql["sites_of_assignment"],
        {"device_id": device_id, "resident_id": resident_id, "room_id": room_id},
    ).fetchone()
    if row is not None and row["device_site"] != row["watched_site"]:
        raise InvalidError(
            f"the device belongs to site {row['device_site']}, but what it should watch is at "
            f"{row['watched_site']}: retire it there and add it here"
        )


def check_not_reserved(name: str) -> None:
    """InvalidError when it is a name of the rooms' own at the broker."""
    if is_reserved(name):
        raise InvalidError(REFUSALS["device_name_reserved"], constraint="device_name_reserved", name=name)


def _check_name(refusal: str, name: str) -> None:
    if not re.match(NAME_PATTERN, name):
        raise InvalidError(refusal, code=name, name=name)


def _one(connection: Connection, query: str, **params: Any) -> DictRow:
    with in_words(params):
        row = connection.execute(_sql[query], params).fetchone()
    assert row is not None, f"{query} returns a row"
    return row


def _run(connection: Connection, query: str, **params: Any) -> None:
    with in_words(params):
        connection.execute(_sql[query], params)
