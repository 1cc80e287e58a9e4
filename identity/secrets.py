"""Secrets of devices and passwords of people: made here, kept only as hashes."""

import base64
import hashlib
import secrets
from typing import NamedTuple

from argon2 import PasswordHasher, low_level

DEVICE_HASH_ITERATIONS = 101
"""Mosquitto's own default. A device's secret is random, so stretching it would add nothing but load."""
DEVICE_SALT_BYTES = 12
DEVICE_SECRET_BYTES = 18

PASSWORD_HASHER = PasswordHasher()
"""Argon2id with the parameters of RFC 9106 for constrained memory."""


class DeviceHash(NamedTuple):
    """PBKDF2-SHA512 of a device's secret, in the form that Mosquitto's dynamic security plugin keeps."""

    sha512: bytes
    salt: bytes
    iterations: int


def new_device_secret() -> str:
    """A secret for one device: 144 random bits, safe to paste anywhere."""
    return secrets.token_urlsafe(DEVICE_SECRET_BYTES)


def hash_device_secret(secret: str) -> DeviceHash:
    """What may be stored of `secret`."""
    salt = secrets.token_bytes(DEVICE_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, DEVICE_HASH_ITERATIONS)
    return DeviceHash(digest, salt, DEVICE_HASH_ITERATIONS)


def hash_password(password: str, hasher: PasswordHasher = PASSWORD_HASHER) -> str:
    """What may be kept of a new password; whether it is a good one is `identity.passwords`'s to say.

    Parameters and salt of Argon2id, and the SHA-256 of the whole encoded hash: signing in takes the hash
    itself, so that whoever reads what is kept cannot sign in with it. In SQL: care.kept_password.
    """
    hashed = hasher.hash(password)
    digest = base64.b64encode(hashlib.sha256(hashed.encode()).digest()).decode().rstrip("=")
    return f"{hashed.rpartition('$')[0]}${digest}"


def hash_password_like(password: str, parameters: str) -> str:
    """The encoded hash of what somebody typed, under the `parameters` of care.password_parameters.

    What is kept never leaves the database: it is compared there (care.sign_in).
    """
    _, variant, version, costs, salt = parameters.split("$")
    if variant != "argon2id":
        raise ValueError(f"passwords are hashed with argon2id, not {variant}")
    cost = dict(part.split("=") for part in costs.split(","))
    return low_level.hash_secret(
        password.encode(),
        _from_base64(salt),
        time_cost=int(cost["t"]),
        memory_cost=int(cost["m"]),
        parallelism=int(cost["p"]),
        hash_len=PASSWORD_HASHER.hash_len,
        type=low_level.Type.ID,
        version=int(version.removeprefix("v=")),
    ).decode()


def _from_base64(unpadded: str) -> bytes:
    return base64.b64decode(unpadded + "=" * (-len(unpadded) % 4))
