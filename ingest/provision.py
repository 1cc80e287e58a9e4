"""Identities at the broker: who may connect, and on which topics they may speak.

Mosquitto's dynamic security plugin keeps them. The database is the truth: at each start of the broker its
file is made anew from the devices there (`broker_identities`), and a device added meanwhile is told to the
running broker at once (`Provisioner`). Plugin: https://mosquitto.org/documentation/dynamic-security/
"""

import asyncio
import base64
import json
import logging
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import aiomqtt

from database.connections import Connection, connect
from database.queries import queries
from identity.secrets import DeviceHash, hash_device_secret
from ingest.errors import ProvisionError
from ingest.settings import SHARES_MAX
from protocol.broker import BrokerAddress
from protocol.model import DeviceKind
from protocol.names import is_reserved
from protocol.wire import ROOT, Leaf

log = logging.getLogger(__name__)

_sql = queries("ingest", "sql/provision.sql")

CONTROL = "$CONTROL/dynamic-security/v1"
TIMEOUT_S = 10.0
ROLES_AT_ONCE = 50
PROVISIONERS = tuple(f"anshou-provisioner-{number}" for number in range(1, 33))
"""Client ids of those who make identities, one for each who is at it; two who choose the same at the same
time are told to try again."""
_OWN, _OTHERS = 2, 1
"""Priorities: a gateway's own topics come before those of others that it may not use, and these before the
rest of its site."""

DEVICE_SAYS = (Leaf.VITALS, Leaf.ACTIVITY, Leaf.ALARM, Leaf.STATUS)
_READ_BY_INGEST = (Leaf.VITALS, Leaf.ACTIVITY, Leaf.STATUS, Leaf.BATCH)

_MAKES_IDENTITIES = (
    ("publishClientSend", "$CONTROL/dynamic-security/#"),
    ("publishClientReceive", "$CONTROL/dynamic-security/#"),
    ("subscribePattern", "$CONTROL/dynamic-security/#"),
)

SERVICE_RIGHTS: Mapping[str, Sequence[tuple[str, str]]] = {
    "ingest": (
        *(("subscribePattern", f"{ROOT}/+/+/{leaf}") for leaf in (*DEVICE_SAYS, Leaf.BATCH)),
        *(("subscribePattern", f"$share/+/{ROOT}/+/+/{leaf}") for leaf in (*DEVICE_SAYS, Leaf.BATCH)),
        ("publishClientReceive", f"{ROOT}/#"),
        ("publishClientSend", f"{ROOT}/+/+/{Leaf.RECEIPT}"),
        # To have the broker forget what it should not retain.
        *(("publishClientSend", f"{ROOT}/+/+/{leaf}") for leaf in _READ_BY_INGEST),
        ("subscribePattern", "$SYS/#"),
        ("publishClientReceive", "$SYS/#"),
    ),
    "alarms": (
        ("subscribePattern", f"{ROOT}/+/+/{Leaf.ALARM}"),
        ("publishClientReceive", f"{ROOT}/#"),
        ("publishClientSend", f"{ROOT}/+/+/{Leaf.RECEIPT}"),
        ("publishClientSend", f"{ROOT}/+/+/{Leaf.COMMAND}"),
        ("publishClientSend", f"{ROOT}/+/+/{Leaf.ALARM}"),
    ),
    "provisioner": _MAKES_IDENTITIES,
    "gateways": (
        ("subscribePattern", f"{ROOT}/+/+/{Leaf.PROPOSAL}"),
        ("publishClientReceive", f"{ROOT}/+/+/{Leaf.PROPOSAL}"),
        ("subscribePattern", f"{ROOT}/+/+/{Leaf.UNHEARD}"),
        ("publishClientReceive", f"{ROOT}/+/+/{Leaf.UNHEARD}"),
        ("subscribePattern", "$SYS/broker/log/#"),
        ("publishClientReceive", "$SYS/broker/log/#"),
        ("publishClientSend", f"{ROOT}/+/+/{Leaf.CONFIG}"),
        ("publishClientSend", f"{ROOT}/+/+/{Leaf.PROPOSAL}"),
        *_MAKES_IDENTITIES,
    ),
    "simulator": (
        ("publishClientSend", f"{ROOT}/#"),
        ("publishClientReceive", f"{ROOT}/#"),
        ("subscribePattern", f"{ROOT}/#"),
    ),
}
"""What each service account may do. The simulator's is made only where its account is asked for."""


class Right(NamedTuple):
    """A topic filter of the plugin; of several that match, the one of highest priority decides."""

    acltype: str
    topic: str
    allow: bool = True
    priority: int = 0


def device_rights(site: str, device: str, kind: DeviceKind, *, not_for: Iterable[str] = ()) -> list[Right]:
    """What a device may do: speak below its own name only.

    A gateway also speaks for the devices of its site, but for those in `not_for`: what signs in itself, or
    was adopted from another gateway.
    """
    own = f"{ROOT}/{site}/{device}"
    is_gateway = kind is DeviceKind.GATEWAY
    says = [*DEVICE_SAYS, *([Leaf.BATCH, Leaf.PROPOSAL, Leaf.UNHEARD] if is_gateway else [])]
    hears = [Leaf.COMMAND, Leaf.RECEIPT, *([Leaf.CONFIG] if is_gateway else [])]
    rights = [
        *(Right("publishClientSend", f"{own}/{leaf}", priority=_OWN) for leaf in says),
        *(Right("subscribePattern", f"{own}/{leaf}", priority=_OWN) for leaf in hears),
        *(Right("publishClientReceive", f"{own}/{leaf}", priority=_OWN) for leaf in hears),
    ]
    if kind is DeviceKind.GATEWAY:
        for other in sorted(not_for):
            for acltype in ("publishClientSend", "publishClientReceive"):
                topic = f"{ROOT}/{site}/{other}/+"
                rights.append(Right(acltype, topic, allow=False, priority=_OTHERS))
        rights += [Right("publishClientSend", f"{ROOT}/{site}/+/{leaf}") for leaf in DEVICE_SAYS]
        for acltype in ("subscribePattern", "publishClientReceive"):
            rights.append(Right(acltype, f"{ROOT}/{site}/+/{Leaf.COMMAND}"))
    return rights


def gateways_rights(connection: Connection) -> dict[str, list[Right]]:
    """What every gateway in use may do now, by name."""
    rows = connection.execute(_sql["gateways"]).fetchall()
    return {
        row["gateway"]: device_rights(row["site"], row["gateway"], DeviceKind.GATEWAY, not_for=row["not_for"])
        for row in rows
    }


def service_sessions(worker: str = "1") -> dict[str, list[str]]:
    """The client ids under which each service account signs in, where ingest runs as this worker."""
    session = f"anshou-ingest-{{}}-{worker}".format
    return {
        "ingest": [f"{session('readings')}-{number}" for number in range(1, SHARES_MAX + 1)],
        "alarms": [session("alarms")],
        "gateways": [session("gateways"), session("configs"), *PROVISIONERS],
        "provisioner": list(PROVISIONERS),
    }


def write_broker_identities(
    database_url: str,
    path: Path,
    service_accounts: Mapping[str, str],
    sessions: Mapping[str, Sequence[str]] | None = None,
) -> int:
    """Write the plugin's file for all who sign in as a device, and the services; how many of the former.

    Args:
        database_url: the owner's.
        path: the file; replaced as one, readable by its owner only.
        service_accounts: user name -> password, of those in `SERVICE_RIGHTS`.
        sessions: client ids of some of these: each gets an account of its own, `NAME@ID`, that is bound to it
            (`BrokerAddress.for_session`), in place of the one that may choose its id.
    """
    with connect(database_url) as connection:
        rows = connection.execute(
            """
            WITH signs_in AS (
                SELECT id AS device_id, name AS username, secret_sha512, secret_salt, secret_iterations
                FROM care.device WHERE secret_sha512 IS NOT NULL
                UNION ALL
                SELECT device_id, username, secret_sha512, secret_salt, secret_iterations
                FROM care.gateway_credential WHERE revoked_at IS NULL AND told_at IS NOT NULL
            )
            SELECT device.name, device.kind, site.code, signs_in.username, signs_in.secret_sha512,
                signs_in.secret_salt, signs_in.secret_iterations
            FROM signs_in JOIN care.device ON device.id = device_id JOIN care.site ON site.id = device.site_id
            WHERE retired_at IS NULL ORDER BY device.name, signs_in.username
            """
        ).fetchall()
        of_gateways = gateways_rights(connection)
    clients = [
        client
        for name, password in service_accounts.items()
        for client in _service_clients(name, password, (sessions or {}).get(name))
    ]
    roles = {name: _role(_service_role(name), _service_rights(name)) for name in service_accounts}
    for row in rows:
        if is_reserved(row["name"]):
            log.error("device %s has a reserved name, and is not let in", row["name"])
            continue
        stored = DeviceHash(row["secret_sha512"], row["secret_salt"], row["secret_iterations"])
        role = _device_role(row["name"])
        clients.append({**_client(row["username"], stored, role), "clientid": row["username"]})
        rights = of_gateways.get(row["name"])
        roles[role] = _role(role, rights or device_rights(row["code"], row["name"], DeviceKind(row["kind"])))
    document = {
        "defaultACLAccess": _DENY_ALL,
        "clients": clients,
        "roles": list(roles.values()),
        "groups": [],
    }
    _replace(path, json.dumps(document).encode())
    return len(rows)


class Provisioner:
    """Tells the running broker about devices, with the account of a provisioner."""

    def __init__(self, broker: BrokerAddress) -> None:
        self._broker = broker

    def add_device(
        self,
        site: str,
        device: str,
        kind: DeviceKind,
        secret: str,
        rights: Iterable[Right] | None = None,
    ) -> None:
        """The device can sign in from now on. ProvisionError: the broker is away or says no.

        `rights` are those of a gateway (`gateways_rights`); None: it is alone at its site.
        """
        _require_free(device)
        rights = device_rights(site, device, kind) if rights is None else rights
        role = _device_role(device)
        self._command(
            [
                {"command": "createRole", **_role(role, rights)},
                {
                    "command": "createClient",
                    "username": device,
                    "clientid": device,
                    "password": secret,
                    "roles": [{"rolename": role}],
                },
            ]
        )

    def remove_device(self, device: str) -> None:
        """The device is disconnected and cannot sign in again. ProvisionError as above.

        A gateway that was paired has no account of its own name, only credentials: that is no error. An
        account of the rooms is never taken away.
        """
        _require_free(device)
        self._command([{"command": "deleteClient", "username": device}], unless="not found")
        self._command([{"command": "deleteRole", "rolename": _device_role(device)}], unless="not found")

    def add_credential(
        self,
        site: str,
        gateway: str,
        username: str,
        secret: str,
        rights: Iterable[Right] | None = None,
    ) -> None:
        """The gateway can sign in as `username` from now on. Harmless to repeat. ProvisionError as above.

        `rights` are those of the gateway; None: it is alone at its site.
        """
        _require_free(gateway)
        role = _device_role(gateway)
        may = list(device_rights(site, gateway, DeviceKind.GATEWAY) if rights is None else rights)
        self._command([{"command": "createRole", **_role(role, may)}], unless="already exists")
        self.set_rights({gateway: may})
        client = {"username": username, "password": secret, "roles": [{"rolename": role}]}
        made = {"command": "createClient", **client, "clientid": username}
        self._command([made], unless="already exists")
        self._command([{"command": "modifyClient", **client}])

    def set_rights(self, rights: Mapping[str, Iterable[Right]]) -> set[str]:
        """Bring devices' rights up to these, by name; whom the broker does not know. ProvisionError as above.

        Whose rights change is disconnected, and comes back; so what is right already is left alone.
        """
        wanted = {_device_role(name): set(given) for name, given in rights.items()}
        unknown = set(wanted)
        names = list(wanted)
        for first in range(0, len(names), ROLES_AT_ONCE):
            roles = names[first : first + ROLES_AT_ONCE]
            asked = [{"command": "getRole", "rolename": role} for role in roles]
            found = [
                answer["data"]["role"]
                for answer in self._command(asked, unless="not found")
                if "data" in answer
            ]
            now = {role["rolename"]: _rights_of(role) for role in found}
            unknown -= set(now)
            for role in roles:
                if role in now and now[role] != wanted[role]:
                    self._command([{"command": "modifyRole", **_role(role, wanted[role])}])
        return {name for name in rights if _device_role(name) in unknown}

    def remove_credential(self, username: str) -> None:
        """Whoever is connected as `username` is thrown out and cannot come back. ProvisionError as above."""
        self._command([{"command": "deleteClient", "username": username}], unless="not found")

    def _command(
        self, commands: Sequence[Mapping[str, Any]], *, unless: str | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The broker's answers. An error that says `unless` is what was wanted, and none."""
        try:
            return asyncio.run(asyncio.wait_for(self._exchange(commands, unless), TIMEOUT_S))
        except TimeoutError as error:
            raise ProvisionError(f"the broker did not answer within {TIMEOUT_S:.0f} s") from error
        except aiomqtt.MqttError as error:
            raise ProvisionError(f"the broker at {self._broker.where} cannot be told: {error}") from error

    async def _exchange(
        self, commands: Sequence[Mapping[str, Any]], unless: str | None
    ) -> Sequence[Mapping[str, Any]]:
        correlation = secrets.token_hex(8)
        sent = [{**command, "correlationData": correlation} for command in commands]
        client_id = secrets.choice(PROVISIONERS)
        broker = self._broker.for_session(client_id)
        async with aiomqtt.Client(
            **broker.for_aiomqtt(), identifier=client_id, protocol=aiomqtt.ProtocolVersion.V5
        ) as client:
            await client.subscribe(f"{CONTROL}/response", qos=1)
            await client.publish(CONTROL, json.dumps({"commands": sent}), qos=1)
            async for message in client.messages:
                responses = json.loads(message.payload)["responses"]
                ours = [answer for answer in responses if answer.get("correlationData") == correlation]
                if ours:
                    _raise_on_error(ours, unless)
                    return ours
        raise ProvisionError("the broker closed the connection without an answer")


def _raise_on_error(responses: Iterable[Mapping[str, Any]], unless: str | None) -> None:
    errors = [
        f"{answer['command']}: {answer['error']}"
        for answer in responses
        if "error" in answer and not (unless and unless in answer["error"])
    ]
    if errors:
        raise ProvisionError(f"the broker refused: {'; '.join(errors)}")


_DENY_ALL = {
    "publishClientSend": False,
    "publishClientReceive": False,
    "subscribe": False,
    "unsubscribe": True,
}


def _device_role(device: str) -> str:
    return f"device-{device}"


def _service_role(service: str) -> str:
    return f"service-{service}"


def _service_rights(name: str) -> list[Right]:
    return [Right(acltype, topic) for acltype, topic in SERVICE_RIGHTS[name]]


def _role(name: str, rights: Iterable[Right]) -> dict[str, Any]:
    return {"rolename": name, "acls": [right._asdict() for right in sorted(rights)]}


def _rights_of(role: Mapping[str, Any]) -> set[Right]:
    """The rights of a role as the broker tells it."""
    return {
        Right(acl["acltype"], acl["topic"], acl.get("allow", False), acl.get("priority", 0))
        for acl in role.get("acls", ())
    }


def _require_free(device: str) -> None:
    if is_reserved(device):
        raise ProvisionError(f"{device} is a name of the rooms' own, and no device's")


def _service_clients(name: str, password: str, sessions: Sequence[str] | None) -> list[dict[str, Any]]:
    hashed, role = hash_device_secret(password), _service_role(name)
    if sessions is None:
        return [_client(name, hashed, role)]
    return [{**_client(f"{name}@{session}", hashed, role), "clientid": session} for session in sessions]


def _client(username: str, hashed: DeviceHash, role: str) -> dict[str, Any]:
    return {
        "username": username,
        "password": base64.b64encode(hashed.sha512).decode(),
        "salt": base64.b64encode(hashed.salt).decode(),
        "iterations": hashed.iterations,
        "roles": [{"rolename": role}],
    }


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
