"""What can go wrong in the simulator."""

from gateway.errors import GatewayError


class SimulatorError(GatewayError):
    """Base of every error that the simulator raises on purpose."""


class IncidentNotPossibleError(SimulatorError):
    """No device at hand can say that this incident happened; the text names what could be said."""
