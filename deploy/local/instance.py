"""How to reach a running Anshou: its database, its broker and its pages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from deploy.errors import DeployError, NotRunningError
from deploy.local import places, ports
from deploy.local.data import DataFolder
from protocol.broker import BrokerAddress
from protocol.environment import SettingsError

DATABASE_VARIABLE = "ANSHOU_DATABASE_URL"
BROKER_VARIABLE = "ANSHOU_MQTT_URL"
DEVICES_VARIABLE = "ANSHOU_DEVICES_MQTT_URL"
"""Where devices reach that broker, if it has a listener of its own for them (`mqtt://host:port`)."""


class Reachable(msgspec.Struct, frozen=True, kw_only=True):
    """Where other machines reach an installation, over TLS.

    Attributes:
        address: Of the interface; 0.0.0.0 for all of them.
        https_port: Of the pages.
        mqtts_port: Of the broker.
        authority: File with the certificate (PEM) that signs theirs.
        certificate: File with the certificate (PEM) that they show.
    """

    address: str
    https_port: int
    mqtts_port: int
    authority: str
    certificate: str


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """A running installation, for the commands that work on it from outside.

    Attributes:
        owner_database_url: May do everything.
        service_database_url: What escalation and analytics sign in with.
        mqtt_host: Where devices connect to.
        mqtt_port: The broker's port there.
        provisioner_mqtt_url: Signs in as the account that may make device identities.
        http_url: The pages; None where only the servers are known.
        metrics_urls: Where a process serves its metrics, by its name.
        outside: Where other machines reach it; None with a broker of somebody's own.
    """

    owner_database_url: str
    service_database_url: str
    mqtt_host: str
    mqtt_port: int
    provisioner_mqtt_url: str
    http_url: str | None = None
    metrics_urls: dict[str, str] = {}
    outside: Reachable | None = None


def current(data: Path | None = None, environ: Mapping[str, str] = os.environ) -> Instance:
    """The installation that is meant: the one in the environment, else the one in the data folder.

    Args:
        data: The data folder; None for the default one. If one is given, it is what counts.
        environ: Where `ANSHOU_DATABASE_URL` and `ANSHOU_MQTT_URL` are looked up.

    Raises:
        NotRunningError: Nothing runs there.
        DeployError: Only one of the two variables is set, or the broker's is not an address of one.
    """
    if data is None and (DATABASE_VARIABLE in environ or BROKER_VARIABLE in environ):
        return _from_environment(environ)
    folder = DataFolder.at(data)
    hint = f"Start it: anshou up --data {folder.root}"
    try:
        instance = msgspec.json.decode(folder.instance_file.read_bytes(), type=Instance)
    except FileNotFoundError as error:
        raise NotRunningError(f"Anshou does not run from {folder.root}.", hint) from error
    except PermissionError as error:
        raise NotRunningError(
            f"{folder.root} belongs to another user.", "Use --data, or become that user."
        ) from error
    except msgspec.DecodeError as error:
        raise NotRunningError(f"{folder.instance_file} is damaged: {error}.", hint) from error
    database = urlsplit(instance.owner_database_url)
    if not ports.answers(database.port or 5432, database.hostname or ports.LOOPBACK):
        raise NotRunningError(f"Anshou has ended in {folder.root}: no database answers.", hint)
    return instance


def save(folder: DataFolder, instance: Instance) -> None:
    """Leave word of a running installation for `current`. It holds passwords: for our eyes only."""
    places.write_private(folder.instance_file, msgspec.json.encode(instance).decode())


def forget(folder: DataFolder) -> None:
    """Nothing runs there any more."""
    folder.instance_file.unlink(missing_ok=True)


def _from_environment(environ: Mapping[str, str]) -> Instance:
    missing = [name for name in (DATABASE_VARIABLE, BROKER_VARIABLE) if not environ.get(name)]
    if missing:
        raise DeployError(
            f"{missing[0]} is not set, but the other server's address is.", "Set both, or neither."
        )
    try:
        broker = BrokerAddress.parse(environ[BROKER_VARIABLE], BROKER_VARIABLE)
        of_devices = environ.get(DEVICES_VARIABLE)
        devices = BrokerAddress.parse(of_devices, DEVICES_VARIABLE) if of_devices else broker
    except SettingsError as error:
        raise DeployError(f"{error}.") from error
    return Instance(
        owner_database_url=environ[DATABASE_VARIABLE],
        service_database_url=environ[DATABASE_VARIABLE],
        mqtt_host=devices.host,
        mqtt_port=devices.port,
        provisioner_mqtt_url=environ[BROKER_VARIABLE],
    )
