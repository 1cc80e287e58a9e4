"""What can go wrong in the care record, each with a code for programs and a sentence for people."""

from typing import ClassVar


class CareError(Exception):
    """Base of this room's errors.

    `code` names the error for programs and for translation; `params` are what its sentence tells of.
    """

    code: ClassVar[str] = "care_error"

    def __init__(self, message: str, **params: object) -> None:
        super().__init__(message)
        self.params = params


class NotFoundError(CareError):
    """No such row, or none that the caller may see."""

    code = "not_found"


class ConflictError(CareError):
    """It contradicts what is already recorded; `params["constraint"]` names the rule in the database."""

    code = "conflict"


class InvalidError(CareError):
    """A value that the record cannot hold."""

    code = "invalid"


class IllegalStepError(CareError):
    """A step that the alarm's present state does not allow."""

    code = "illegal_step"


class AlreadyTakenError(IllegalStepError):
    """Somebody else was quicker; `params["actor"]` and `params["at"]` tell who and when."""

    code = "already_taken"


class UnfinishedError(IllegalStepError):
    """A step that needs something first, such as the family's notice before closing."""

    code = "unfinished"


class DatabaseUnavailableError(CareError):
    """The database does not answer. Trying again later helps."""

    code = "database_unavailable"
