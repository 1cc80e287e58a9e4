"""What can go wrong between the broker and the database."""


class IngestError(Exception):
    """Base of this room's errors."""


class BrokerRefusedError(IngestError):
    """The broker refuses us for good (wrong credentials, no right to a topic). A retry does not help."""


class ProvisionError(IngestError):
    """The broker did not take a device's identity; nothing was changed. The text says why."""
