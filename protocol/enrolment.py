"""How a box and the centre come to trust each other: the one-time code, and what they say over it. Pure.

A code is eight letters of secret and four that follow from the secret and the centre's authority (the
certificate that signs all its others). So whoever has typed a code can tell the true authority from any other
before a word of the secret has left the box: somebody in between, who does not know the code, cannot make the
four letters fit. That is why the authority itself may come over plain HTTP.
"""

import hashlib
import hmac
import secrets
import ssl
from typing import Annotated, NamedTuple, Self

from msgspec import Meta, Struct

from protocol.errors import ProtocolError
from protocol.model import Name

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is read, or heard, as another."""
SECRET_LETTERS = 8
"""40 random bits: with 5 guesses in 10 minutes from an address, hopeless while a code lives."""
CHECK_LETTERS = 4
"""20 bits: what an impostor's authority would have to hit at the first try."""
GROUP_LETTERS = 4
SECRET_BYTES = 24
SERVER_NAME = "anshou-centre"
"""In the certificates of the centre's own servers, whatever address they are reached at."""

_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "U": "V"})

Secret = Annotated[str, Meta(min_length=24, max_length=128, pattern=r"^[A-Za-z0-9_-]*\Z")]
"""What a gateway signs in with. The box makes it up, so that it can ask again where the answer was lost."""
Port = Annotated[int, Meta(ge=1, le=65_535)]


class CodeError(ProtocolError):
    """What was typed is no code, or none of this centre's."""


class PairingCode(NamedTuple):
    """A one-time code in its two parts."""

    secret: str
    check: str

    @classmethod
    def make(cls, fingerprint: bytes) -> Self:
        """A new code for the authority with this fingerprint."""
        secret = "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LETTERS))
        return cls(secret, check_letters(secret, fingerprint))

    @classmethod
    def parse(cls, typed: str) -> Self:
        """The code that somebody typed, forgiving about case, dashes and letters that look alike.

        Raises:
            CodeError: it is not of a code's form.
        """
        letters = "".join(letter for letter in typed.upper() if letter not in "-–—_ .").translate(_MISREAD)
        length = SECRET_LETTERS + CHECK_LETTERS
        if len(letters) != length or not set(letters) <= set(ALPHABET):
            raise CodeError(
                f"{typed!r} is not a pairing code: it has {length} letters and digits, like K7QM-2XRD-9FTA"
            )
        return cls(letters[:SECRET_LETTERS], letters[SECRET_LETTERS:])

    def __str__(self) -> str:
        letters = self.secret + self.check
        starts = range(0, len(letters), GROUP_LETTERS)
        return "-".join(letters[start : start + GROUP_LETTERS] for start in starts)

    def fits(self, fingerprint: bytes) -> bool:
        """Whether the code was made by the centre whose authority has this fingerprint."""
        return hmac.compare_digest(self.check, check_letters(self.secret, fingerprint))


class Authority(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a centre tells everybody: its authority (PEM), and where it can be spoken to over TLS.

    Where its broker is, a gateway believes only when it is told over TLS by that authority. Without a host
    it is where the pages are; a centre of an older version does not tell the port either.
    """

    certificate: str
    https_port: Port
    mqtt_port: Port | None = None
    mqtt_host: str | None = None


class PairRequest(Struct, frozen=True, kw_only=True):
    """A box asks to become a gateway, with the secret that it will sign in with."""

    code: Annotated[str, Meta(max_length=64)]
    secret: Secret


class RotateRequest(Struct, frozen=True, kw_only=True):
    """A gateway proves its secret and names the next."""

    username: Annotated[str, Meta(max_length=100)]
    secret: Secret
    new_secret: Secret


class ConfirmRequest(Struct, frozen=True, kw_only=True):
    """A gateway has signed in at the broker with this secret, and has kept it."""

    username: Annotated[str, Meta(max_length=100)]
    secret: Secret


class Enrolled(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who the box is from now on, and where the broker is; without a host, where the pages are."""

    site: Name
    gateway: Name
    username: str
    mqtt_port: Port
    mqtt_host: str | None = None


def new_secret() -> str:
    """A gateway's secret: 192 random bits."""
    return secrets.token_urlsafe(SECRET_BYTES)


def check_letters(secret: str, fingerprint: bytes) -> str:
    """The second part of a code: bound to its first and to the authority."""
    digest = hmac.digest(secret.encode(), fingerprint, "sha256")
    bits = int.from_bytes(digest[:8]) >> (64 - 5 * CHECK_LETTERS)
    return "".join(ALPHABET[bits >> 5 * place & 31] for place in reversed(range(CHECK_LETTERS)))


def fingerprint_of(certificate: str) -> bytes:
    """SHA-256 of a certificate in PEM. CodeError when it is none."""
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).digest()
    except ValueError as error:
        raise CodeError(f"what the centre sent is not a certificate: {error}") from error


def shown(fingerprint: bytes) -> str:
    """A fingerprint for people to compare, in the usual form."""
    return fingerprint.hex(":").upper()
