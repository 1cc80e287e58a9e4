"""The centre's own small certificate authority: made once, it signs the certificates of the centre's servers.

Gateways believe this authority and no other, wherever they reach the centre (`protocol.enrolment`).
It signs nothing but the centre's own servers: gateways prove themselves by secrets. Its key is worth as much
as all gateways together: it lies in a folder that only its owner can enter, and belongs into the backup.
"""

from __future__ import annotations

import ipaddress
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
from protocol.enrolment import SERVER_NAME, fingerprint_of

ROOT_VALID = timedelta(days=30 * 365)
SERVER_VALID = timedelta(days=820)
"""Apple's browsers take none that is valid for more than 825 days: https://support.apple.com/103769"""
RENEW_BEFORE = timedelta(days=400)
"""A server's certificate is renewed at a start that finds less than this left of it."""
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
        if not self.certificate.exists():  # written last, so a first start that was killed begins again
            self._make_root()
        wanted = sorted({SERVER_NAME, *map(_normal, names)})
        try:
            due = self._server_is_due(wanted)
            if due:
                self._make_server(wanted)
        except (ValueError, OSError) as error:
            raise DeployError(
                f"The centre's certificates in {self.folder} cannot be read: {error}.",
                "Restore them from a backup: with a new authority every gateway has to be paired again.",
            ) from error

    def _make_root(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Anshou {socket.gethostname()}"[:64])])
        certificate = (
            _builder(name, name, key.public_key(), ROOT_VALID)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
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
        certificate = (
            _builder(subject, authority.subject, key.public_key(), SERVER_VALID)
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
            or certificate.not_valid_after_utc - datetime.now(UTC) < RENEW_BEFORE
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
