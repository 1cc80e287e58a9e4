"""What can go wrong in the simulator."""

from protocol.errors import ProtocolError


class SimulatorError(ProtocolError):
    """Base of every error that the simulator raises on purpose."""


class IncidentNotPossibleError(SimulatorError):
    """No device at hand can say that this incident happened; the text names what could be said."""
