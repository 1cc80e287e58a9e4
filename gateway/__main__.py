"""`python -m gateway`: the process of a gateway. The composition root: nothing else knows all the parts."""

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gateway import identity
from gateway.clock import Clock
from gateway.dialects import Dialect, registry
from gateway.edge import Edge
from gateway.outbox import Outbox
from gateway.settings import Settings
from gateway.uplink import Ears, Uplink
from gateway.whereabouts import Whereabouts
from protocol.broker import BrokerAddress, tls_from_files
from protocol.environment import SettingsError, read_settings
from protocol.errors import ProtocolError
from protocol.model import AlarmSignal, DeviceStatus
from protocol.watchdog import Watchdog

log = logging.getLogger(__name__)

STOP_S_MAX = 10.0


class Who(NamedTuple):
    """Who this gateway is, and where the centre's broker is: asked anew at each connection.

    `address` is told how many attempts in a row were in vain.
    """

    site: str
    name: str
    address: Callable[[int], BrokerAddress]


class Gateway:
    """Edge and uplink of one gateway, and the outbox between them."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._who = who(settings)
        clock = clock or Clock()
        self.watchdog = Watchdog(settings.stall_s_max)
        self._outbox = Outbox(
            data_folder(settings),
            clock,
            bytes_max=settings.outbox_mb_max * 1024 * 1024,
            age_days_max=settings.outbox_days_max,
        )
        lan = BrokerAddress.parse(settings.lan_url, "ANSHOU_GATEWAY_LAN_URL")
        self.edge = Edge(
            self._outbox,
            clock,
            lambda: lan,
            site=self._who.site,
            name=self._who.name,
            dialects=spoken(settings, self._who),
            confirm_s_max=settings.confirm_s_max,
            alarm_kept=self._alarm_kept,
            cry=self._cry,
            uplink_state=self._uplink_state,
            loop=self.watchdog.loop("house"),
        )
        self.uplink = Uplink(
            self._outbox,
            clock,
            self._address,
            site=self._who.site,
            name=self._who.name,
            ears=Ears(
                confirmed=self.edge.confirmed, config=self.edge.configured, command=self.edge.commanded
            ),
            status=self._status,
            status_every_s=settings.status_every_s,
            backlog_per_s_max=settings.backlog_per_s_max,
            keepalive_s=settings.keepalive_s,
            loop=self.watchdog.loop("uplink"),
        )
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Run until `stop`; raises what ended either of the two."""
        thread = threading.Thread(target=self._run_uplink, name="uplink", daemon=True)
        thread.start()
        try:
            self.edge.run()
        finally:
            self.uplink.stop()
            thread.join(STOP_S_MAX)
            self._outbox.close()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Return from `run` soon. Safe in a signal handler."""
        self.edge.stop()

    def _run_uplink(self) -> None:
        try:
            self.uplink.run()
        except BaseException as error:  # noqa: BLE001 - raised by `run`
            self._failure = error
            self.edge.stop()

    def _address(self) -> BrokerAddress:
        return self._who.address(self.uplink.failures)

    def _alarm_kept(self) -> None:
        self.uplink.alarm_waits()

    def _cry(self, number: int, device: str, alarm: AlarmSignal) -> None:
        self.uplink.cry(number, device, alarm)

    def _status(self) -> DeviceStatus:
        return self.edge.status()

    def _uplink_state(self) -> str:
        return "connected" if self.uplink.connected else (self.uplink.trouble or "connecting")


def who(settings: Settings) -> Who:
    """By the settings, or else by the identity of pairing. SettingsError, IdentityError say what to do."""
    if settings.mqtt_url is None:
        path = Path(settings.identity) if settings.identity else identity.default_path()
        enrolled = identity.load(path)
        return Who(enrolled.site, enrolled.gateway, Whereabouts(path).address)
    if settings.site is None or settings.name is None:
        raise SettingsError(
            "with ANSHOU_MQTT_URL, ANSHOU_GATEWAY_SITE and ANSHOU_GATEWAY_NAME are needed as well"
        )

    url = settings.mqtt_url

    def address(_failures: int) -> BrokerAddress:
        files = settings.ca_file, settings.cert_file, settings.key_file
        return BrokerAddress.parse(url, tls=lambda: tls_from_files(*files))

    address(0)  # a mistake is told at the start
    return Who(settings.site, settings.name, address)


def spoken(settings: Settings, by: Who) -> list[Dialect]:
    """The dialects of the settings. SettingsError for one that nobody speaks, or a mapping that is wrong."""
    names = [name for part in settings.dialects.split(",") if (name := part.strip())]
    mapping = None
    if settings.mapping is not None:
        path = Path(settings.mapping)
        try:
            mapping = registry.read(path.read_text(encoding="utf-8"), path.name)
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"ANSHOU_GATEWAY_MAPPING: {path} cannot be read: {error}") from error
    return registry.by_name(names, mapping, site=by.site, gateway=by.name)


def data_folder(settings: Settings) -> Path:
    """Where the outbox is."""
    if settings.data is not None:
        return Path(settings.data)
    if os.geteuid() == 0:
        return Path("/var/lib/anshou-gateway")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "anshou-gateway"


def made() -> Gateway:
    """The gateway of this box's settings."""
    return Gateway(read_settings(Settings, "gateway", os.environ))


def main(make: Callable[[], Gateway] = made) -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    try:
        gateway = make()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: gateway.stop())
        gc.freeze()
        gateway.watchdog.start()
        gateway.run()
    except (ProtocolError, OSError) as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
