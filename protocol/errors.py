"""What can be wrong with what a home says, or with how a process is set up."""

from enum import StrEnum


class ProtocolError(Exception):
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
    NOT_OF_KIND = "not_of_kind"
    REFUSED_BY_DATABASE = "refused_by_database"


class WireError(ProtocolError):
    """Bytes that are not a message of ours: the reason for the counters, the detail for people."""

    def __init__(self, reason: DeadReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
