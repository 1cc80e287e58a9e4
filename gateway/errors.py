"""What can go wrong in the box in a home."""

from protocol.errors import ProtocolError


class GatewayError(ProtocolError):
    """Base of every error that this room raises on purpose."""


class OutboxError(GatewayError):
    """The outbox's disk does not take what should be kept: full, read-only or failing. A retry may help."""
