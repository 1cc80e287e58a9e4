"""What can go wrong with an alarm's steps, each with a code for programs and a sentence for people."""

from database.errors import DomainError


class IllegalStepError(DomainError):
    """A step that the alarm's present state does not allow."""

    code = "illegal_step"


class AlreadyTakenError(IllegalStepError):
    """Somebody else was quicker; `params["actor"]` and `params["at"]` tell who and when."""

    code = "already_taken"


class UnfinishedError(IllegalStepError):
    """A step that needs something first, such as the family's notice before closing."""

    code = "unfinished"


class KeyReusedError(DomainError):
    """A key that came with another step of the same alarm before; who sends it mixes two presses up."""

    code = "key_reused"
