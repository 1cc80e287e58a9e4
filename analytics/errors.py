"""What can go wrong in analytics."""


class AnalyticsError(Exception):
    """Base of this room's errors."""


class FetchError(AnalyticsError):
    """The database answered in a shape that we do not read: a column's type has changed."""


class AlreadyRunningError(AnalyticsError):
    """Another analytics process holds the lock and does the same work every minute."""


class ModelVersionError(AnalyticsError):
    """No such version of a model, or one that cannot be made live; the message says which and why."""
