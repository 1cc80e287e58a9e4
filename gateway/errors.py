"""What can be wrong with what a home says."""

from enum import StrEnum


class GatewayError(Exception):
    """Base of every error that this room raises on purpose."""


class DeadReason(StrEnum):
    """Why a message went to the dead letters."""

    UNKNOWN_TOPIC = "unknown_topic"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    INVALID = "invalid"
    OUT_OF_LIMITS = "out_of_limits"
    NO_SIGNS = "no_signs"
    UNKNOWN_DEVICE = "unknown_device"
    WRONG_SITE = "wrong_site"
    REFUSED_BY_DATABASE = "refused_by_database"


class WireError(GatewayError):
    """Bytes that are not a message of ours: the reason for the counters, the detail for people."""

    def __init__(self, reason: DeadReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class OutboxError(GatewayError):
    """The outbox's disk does not take what should be kept: full, read-only or failing. A retry may help."""


class LinkRefusedError(GatewayError):
    """A broker refuses this gateway; the text says which and why. A retry helps once that is mended."""
