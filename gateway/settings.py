"""Settings of a gateway, from the environment (`ANSHOU_GATEWAY_…`). A paired box needs none of them."""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.model import Name
from protocol.watchdog import STALL_S_MAX

Positive = Annotated[int, Meta(ge=1)]


class Settings(Struct, frozen=True, kw_only=True):
    """How a gateway runs."""

    identity: str | None = None
    """The file that pairing wrote; default /etc/anshou/gateway.json for root, else below ~/.config."""
    mqtt_url: str | None = None
    """mqtts://user:password@host:port of the centre's broker, for a box that was not paired."""
    site: Name | None = None
    """Code of the site, for a box that was not paired."""
    name: Name | None = None
    """Name of this gateway, for a box that was not paired."""
    ca_file: str | None = None
    """Certificates (PEM) that the centre's is checked against; default: those that the system trusts."""
    cert_file: str | None = None
    """This gateway's own certificate (PEM), where the centre's broker asks for one …"""
    key_file: str | None = None
    """… and its private key."""
    lan_url: str = "mqtt://127.0.0.1:1883"
    """The broker in the house, where the devices speak."""
    data: str | None = None
    """Folder of the outbox; default /var/lib/anshou-gateway for root, else ~/.local/share/anshou-gateway."""
    dialects: str = "anshou,zigbee2mqtt,thingsboard,homeassistant"
    """What is spoken on the LAN broker, separated by commas."""
    mapping: str | None = None
    """Settings file of the dialects (TOML), see docs/devices.md."""
    outbox_mb_max: Annotated[int, Meta(ge=2, le=1_000_000)] = 512
    """Size of the outbox: past it the oldest readings make room."""
    outbox_days_max: Annotated[int, Meta(ge=1, le=60)] = 14
    """Readings are kept this long. The centre takes nothing older than 60 days for true."""
    backlog_per_s_max: Positive = 2_000
    """Messages of a backlog that are sent in a second."""
    confirm_s_max: Annotated[float, Meta(gt=0, le=600)] = 5.0
    """An alarm that the centre has not confirmed by then is sounded in the house."""
    status_every_s: Annotated[float, Meta(ge=1, le=86_400)] = 300.0
    """How often the gateway says how it is."""
    keepalive_s: Annotated[int, Meta(ge=5, le=3_600)] = 20
    """After so long without a word the centre's broker is asked for one."""
    stall_s_max: Annotated[float, Meta(ge=1, le=86_400)] = STALL_S_MAX
    """A loop of the process that stands still for so long ends it, to be started again."""
