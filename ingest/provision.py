"""Identities at the broker: who may connect, and on which topics they may speak.

Mosquitto's dynamic security plugin keeps them. The database is the truth: at each start of the broker its
file is made anew from the devices there (`broker_identities`), and a device added meanwhile is told to the
running broker at once (`Provisioner`). Plugin: https://mosquitto.org/documentation/dynamic-security/
"""

import asyncio
import base64
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiomqtt

from database.connections import connect
from identity.secrets import DeviceHash, hash_device_secret
from ingest.errors import ProvisionError
from protocol.broker import BrokerAddress
from protocol.model import DeviceKind
from protocol.wire import ROOT, Leaf

CONTROL = "$CONTROL/dynamic-security/v1"
TIMEOUT_S = 10.0

DEVICE_SAYS = (Leaf.VITALS, Leaf.ACTIVITY, Leaf.ALARM, Leaf.STATUS)

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
        ("subscribePattern", "$SYS/#"),
        ("publishClientReceive", "$SYS/#"),
    ),
    "alarms": (
        ("subscribePattern", f"{ROOT}/+/+/{Leaf.ALARM}"),
        ("publishClientReceive", f"{ROOT}/#"),
        ("publishClientSend", f"{ROOT}/+/+/{Leaf.RECEIPT}"),
        ("publishClientSend", f"{ROOT}/+/+/{Leaf.COMMAND}"),
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
        *_MAKES_IDENTITIES,
    ),
    "simulator": (
        ("publishClientSend", f"{ROOT}/#"),
        ("publishClientReceive", f"{ROOT}/#"),
        ("subscribePattern", f"{ROOT}/#"),
    ),
}
"""What each service account may do. The simulator's is made only where its account is asked for."""


def device_rights(site: str, device: str, kind: DeviceKind) -> list[tuple[str, str]]:
    """What a device may do: speak below its own name only; a gateway below its whole site."""
    own = f"{ROOT}/{site}/{device}"
    if kind is DeviceKind.GATEWAY:
        says = [f"{ROOT}/{site}/+/{leaf}" for leaf in DEVICE_SAYS]
        says += [f"{own}/{leaf}" for leaf in (Leaf.BATCH, Leaf.PROPOSAL, Leaf.UNHEARD)]
        hears = [f"{ROOT}/{site}/+/{Leaf.COMMAND}", f"{own}/{Leaf.RECEIPT}", f"{own}/{Leaf.CONFIG}"]
    else:
        says = [f"{own}/{leaf}" for leaf in DEVICE_SAYS]
        hears = [f"{own}/{Leaf.COMMAND}", f"{own}/{Leaf.RECEIPT}"]
    return [
        *(("publishClientSend", topic) for topic in says),
        *(("subscribePattern", topic) for topic in hears),
        *(("publishClientReceive", topic) for topic in hears),
    ]


def write_broker_identities(database_url: str, path: Path, service_accounts: Mapping[str, str]) -> int:
    """Write the plugin's file for all who sign in as a device, and the services; how many of the former.

    Args:
        database_url: the owner's.
        path: the file; replaced as one, readable by its owner only.
        service_accounts: user name -> password, of those in `SERVICE_RIGHTS`.
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
    clients = [_service_client(name, password) for name, password in service_accounts.items()]
    roles = {name: _role(_service_role(name), SERVICE_RIGHTS[name]) for name in service_accounts}
    for row in rows:
        stored = DeviceHash(row["secret_sha512"], row["secret_salt"], row["secret_iterations"])
        role = _device_role(row["name"])
        clients.append(_client(row["username"], stored, role))
        rights = device_rights(row["code"], row["name"], DeviceKind(row["kind"]))
        roles[role] = _role(role, rights)
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

    def add_device(self, site: str, device: str, kind: DeviceKind, secret: str) -> None:
        """The device can sign in from now on. ProvisionError: the broker is away or says no."""
        rights = device_rights(site, device, kind)
        role = _device_role(device)
        self._command(
            [
                {"command": "createRole", **_role(role, rights)},
                {
                    "command": "createClient",
                    "username": device,
                    "password": secret,
                    "roles": [{"rolename": role}],
                },
            ]
        )

    def remove_device(self, device: str) -> None:
        """The device is disconnected and cannot sign in again. ProvisionError as above.

        A gateway that was paired has no account of its own name, only credentials: that is no error.
        """
        self._command([{"command": "deleteClient", "username": device}], unless="not found")
        self._command([{"command": "deleteRole", "rolename": _device_role(device)}], unless="not found")

    def add_credential(self, site: str, gateway: str, username: str, secret: str) -> None:
        """The gateway can sign in as `username` from now on. Harmless to repeat. ProvisionError as above."""
        role = _device_role(gateway)
        rights = device_rights(site, gateway, DeviceKind.GATEWAY)
        self._command([{"command": "createRole", **_role(role, rights)}], unless="already exists")
        self._command([{"command": "modifyRole", **_role(role, rights)}])
        client = {"username": username, "password": secret, "roles": [{"rolename": role}]}
        self._command([{"command": "createClient", **client}], unless="already exists")
        self._command([{"command": "modifyClient", **client}])

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
        async with aiomqtt.Client(
            **self._broker.for_aiomqtt(), protocol=aiomqtt.ProtocolVersion.V5
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


def _role(name: str, rights: Iterable[tuple[str, str]]) -> dict[str, Any]:
    acls = [{"acltype": kind, "topic": topic, "priority": 0, "allow": True} for kind, topic in rights]
    return {"rolename": name, "acls": acls}


def _service_client(name: str, password: str) -> dict[str, Any]:
    return _client(name, hash_device_secret(password), _service_role(name))


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
