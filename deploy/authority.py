"""The centre's own small certificate authority: made once, it signs the certificates of the centre's servers.

Gateways believe this authority and no other, wherever they reach the centre (`protocol.enrolment`).
It signs nothing but the centre's own servers: gateways prove themselves by secrets. Its key is worth as much
as all gateways together: it lies in a folder that only its owner can enter, and belongs into the backup.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.errors import DeployError
from deploy.local import places
from deploy.local.port_plan import own_addresses
from deploy.local.progress import note
from protocol.enrolment import SERVER_NAME, fingerprint_of

ROOT_VALID = timedelta(days=10 * 365)
SERVER_VALID = timedelta(days=820)
"""Apple's browsers take none that is valid for more than 825 days: https://support.apple.com/103769"""
RENEW_BEFORE = timedelta(days=400)
"""A server's certificate is renewed at a start that finds less than this left of it."""
PRIVATE_NETWORKS = tuple(
    map(
        ipaddress.ip_network,
        (
            "127.0.0.0/8",
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "::1/128",
            "fc00::/7",
        ),
    )
)
"""Addresses for which the authority may sign whatever machine it was made on."""
CLOCK_SLACK = timedelta(days=1)
"""A gateway's clock may be behind; certificates are valid since yesterday."""


@dataclass(frozen=True, kw_only=True)
class Authority:
    """The authority in a folder, and the one certificate that all servers of the centre share."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """The authority's own certificate: no secret, everybody may have it."""
        return self.folder / "authority.pem"

    @property
    def key(self) -> Path:
        """Its private key."""
        return self.folder / "authority.key"

    @property
    def server_certificate(self) -> Path:
        """What the broker and the pages show."""
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        """The private key that goes with it."""
        return self.folder / "server.key"

    def fingerprint(self) -> bytes:
        """SHA-256 of the authority's certificate."""
        return fingerprint_of(self.certificate.read_text(encoding="ascii"))

    def prepare(self, names: Iterable[str] = ()) -> None:
        """Make the authority the first time, and the servers' certificate when it is due; safe to repeat.

        Args:
            names: Host names and addresses that other clients than gateways reach the centre at.

        Raises:
            DeployError: What is in the folder cannot be read; making it anew would lock out every gateway.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        names = {SERVER_NAME, *map(_normal, names)}
        if not self.certificate.exists():  # written last, so a first start that was killed begins again
            self._make_root(names)
        try:
            wanted = sorted(name for name in names if self.may_sign_for(name))
            if left_out := sorted(names.difference(wanted)):
                told = ", ".join(left_out)
                note(f"Not in the centre's certificate, since its authority was made for others: {told}.")
            due = self._server_is_due(wanted)
            if due:
                self._make_server(wanted)
        except (ValueError, OSError) as error:
            raise DeployError(
                f"The centre's certificates in {self.folder} cannot be read: {error}.",
                "Restore them from a backup: with a new authority every gateway has to be paired again.",
            ) from error

    def may_sign_for(self, name: str) -> bool:
        """Whether a certificate for this host name or address would be believed.

        An authority signs for the names of the machine that it was made on, and for private networks. Those
        that were made before there was such a bound sign for all.
        """
        certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        try:
            bound = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        except x509.ExtensionNotFound:
            return True
        permitted = bound.permitted_subtrees or []
        wanted = _general_name(name)
        if isinstance(wanted, x509.DNSName):
            hosts = [each.value for each in permitted if isinstance(each, x509.DNSName)]
            return any(f".{wanted.value}".endswith(f".{host}") for host in hosts)
        networks = [
            ipaddress.ip_network(each.value) for each in permitted if isinstance(each, x509.IPAddress)
        ]
        return any(ipaddress.ip_address(name) in network for network in networks)

    def shown_in(self, folder: Path, group: int | None = None) -> Authority:
        """Copies of all but the authority's own key, in a folder that a group may read; None: only we.

        Who serves pages or the broker has no use for the key that signs.
        """
        folder.mkdir(exist_ok=True)
        if group is not None:
            os.chown(folder, -1, group, follow_symlinks=False)
        folder.chmod(0o700 if group is None else 0o750)
        shown = Authority(folder=folder)
        # Key first, as when they are made.
        for name in (self.server_key.name, self.server_certificate.name, self.certificate.name):
            places.write_private(folder / name, (self.folder / name).read_text(encoding="ascii"), group=group)
        return shown

    def _make_root(self, names: Iterable[str]) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Anshou {socket.gethostname()}"[:64])])
        certificate = (
            _builder(name, name, key.public_key(), ROOT_VALID)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.NameConstraints(_permitted(names), None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        places.write_private(self.key, _key_text(key))
        places.write_private(self.certificate, _certificate_text(certificate))

    def _make_server(self, names: list[str]) -> None:
        authority = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        authority_key = serialization.load_pem_private_key(self.key.read_bytes(), None)
        if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
            raise TypeError("the authority's key is of an unknown kind")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SERVER_NAME)])
        valid = min(SERVER_VALID, authority.not_valid_after_utc - datetime.now(UTC))
        certificate = (
            _builder(subject, authority.subject, key.public_key(), valid)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(list(map(_general_name, names))), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
            .sign(authority_key, hashes.SHA256())
        )
        # Key first: killed in between, the pair does not match, and the next start makes both anew.
        places.write_private(self.server_key, _key_text(key))
        places.write_private(self.server_certificate, _certificate_text(certificate))

    def _server_is_due(self, names: list[str]) -> bool:
        if not (self.server_certificate.exists() and self.server_key.exists()):
            return True
        certificate = x509.load_pem_x509_certificate(self.server_certificate.read_bytes())
        key = serialization.load_pem_private_key(self.server_key.read_bytes(), None)
        authority = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            return True
        known = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return (
            key.public_key() != certificate.public_key()
            or certificate.not_valid_after_utc
            < min(datetime.now(UTC) + RENEW_BEFORE, authority.not_valid_after_utc)
            or sorted(str(name.value) for name in known) != names
        )


def names_of_this_machine() -> set[str]:
    """What others may call this machine: its names, also in the local network, and all its addresses."""
    host = socket.gethostname()
    names = {"localhost", *own_addresses()}
    # A name that no certificate can hold is none that a browser could be given either.
    names |= {name for name in (host, socket.getfqdn(), f"{host.partition('.')[0]}.local") if _is_dns(name)}
    return names


def names_in(certificate: Path) -> set[str]:
    """The names and addresses that a certificate (PEM) is made out to. OSError, ValueError."""
    known = x509.load_pem_x509_certificate(certificate.read_bytes()).extensions
    return {str(name.value) for name in known.get_extension_for_class(x509.SubjectAlternativeName).value}


def end_of(certificate: Path) -> datetime:
    """Until when a certificate (PEM) is valid. OSError, ValueError."""
    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc


def _is_dns(name: str) -> bool:
    return re.fullmatch(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*", name) is not None


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, valid: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SLACK)
        .not_valid_after(now + valid)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _permitted(names: Iterable[str]) -> list[x509.GeneralName]:
    """What an authority made for these names may sign for."""
    found = list(map(_general_name, sorted(names)))
    hosts = [name for name in found if isinstance(name, x509.DNSName)]
    addresses = [ipaddress.ip_address(str(name.value)) for name in found if isinstance(name, x509.IPAddress)]
    alone = [
        ipaddress.ip_network(address)
        for address in addresses
        if not any(address in network for network in PRIVATE_NETWORKS)
    ]
    return [*hosts, *(x509.IPAddress(network) for network in (*PRIVATE_NETWORKS, *alone))]


def _normal(name: str) -> str:
    """A name or address as certificates hold it. DeployError for what is neither."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        if not _is_dns(name):
            raise DeployError(
                f"{name!r} is no name of a machine.", "Say one such as centre.example."
            ) from None
        return name


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_text(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _certificate_text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
