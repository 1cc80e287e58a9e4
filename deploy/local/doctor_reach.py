"""Whether others find us: the ports that are kept, and the certificate that is shown."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from deploy.authority import names_in, names_of_this_machine
from deploy.errors import DeployError
from deploy.local import ports
from deploy.local.data import DataFolder
from deploy.local.findings import Finding, State, judge
from deploy.local.instance import Instance, Reachable
from deploy.local.port_plan import EVERYWHERE, TITLES, PortPlan
from protocol.enrolment import fingerprint_of, shown

CERTIFICATE_DAYS_MIN = 30
ANSWER_TIMEOUT_S = 10.0


def kept_ports(folder: DataFolder) -> Iterator[Finding]:
    """While nothing runs: whether the next start will have the ports of this installation."""
    try:
        kept = PortPlan(file=folder.ports_file).kept()
    except DeployError as error:
        yield Finding(state=State.MISSING, what="Ports", detail=error.what, remedy=error.remedy)
        return
    for service, port in kept.items():
        if (held := ports.holder(port)) is not None:
            yield judge(
                False,
                "Ports",
                f"{TITLES[service]} port {port} of this installation is held by {held}",
                f"Stop that program, or choose another port: anshou up --data {folder.root} --{service} PORT",
            )


def outside(running: Instance) -> Iterator[Finding]:
    """Whether other machines reach the pages and the broker, and are shown a certificate that fits."""
    reach = running.outside
    if reach is None:
        return
    address = ports.LOOPBACK if reach.address in EVERYWHERE else reach.address
    for what, port in (("Pages over TLS", reach.https_port), ("Broker over TLS", reach.mqtts_port)):
        yield judge(
            ports.answers(port, address),
            what,
            f"{address}:{port}",
            "Nobody answers there: restart with anshou down, then anshou up.",
        )
    if reach.address.startswith("127."):
        yield Finding(
            state=State.NOTE,
            what="Other machines",
            detail="cannot open the pages, and no gateway reaches us: start with --no-demo --listen 0.0.0.0",
        )
    else:
        yield _names(reach)
    yield _shown(address, reach.https_port)
    yield _authority(reach)


def _names(reach: Reachable) -> Finding:
    """A machine that has got another address since the start is not found in its certificate."""
    try:
        missing = sorted(names_of_this_machine() - names_in(Path(reach.certificate)))
    except (OSError, ValueError, x509.ExtensionNotFound) as error:
        return judge(False, "Certificate", f"{reach.certificate}: {error}", "Restore it from a backup.")
    return judge(
        not missing,
        "Certificate",
        f"without {', '.join(missing)}" if missing else "bears every name and address of this machine",
        "Restart, so that it is made anew: anshou down, then anshou up.",
    )


def _shown(address: str, port: int) -> Finding:
    """What browsers are shown, which may be a certificate of somebody's own."""
    try:
        text = ssl.get_server_certificate((address, port), timeout=ANSWER_TIMEOUT_S)
    except OSError as error:
        return judge(
            False, "Certificate's end", f"{address}:{port}: {error}", "See the log of dashboard-tls."
        )
    end = x509.load_pem_x509_certificate(text.encode()).not_valid_after_utc
    days = (end - datetime.now(UTC)).days
    return judge(
        days >= CERTIFICATE_DAYS_MIN,
        "Certificate's end",
        f"{end:%Y-%m-%d}, in {days} days",
        "Ours is renewed at a start; for one of your own, get a new one. Then: anshou down, anshou up.",
    )


def _authority(reach: Reachable) -> Finding:
    try:
        fingerprint = shown(fingerprint_of(Path(reach.authority).read_text(encoding="ascii")))
    except (OSError, ValueError) as error:
        return judge(False, "Authority", f"{reach.authority}: {error}", "Restore it from a backup.")
    return Finding(state=State.GOOD, what="Authority", detail=f"{reach.authority}, SHA-256 {fingerprint}")
