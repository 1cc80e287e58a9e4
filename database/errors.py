"""What is refused, by a room or by the database: a code for programs and a sentence for people."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

import psycopg
from psycopg import errors


class DomainError(Exception):
    """Base of the errors that are told to people, in every room above this one.

    `code` names the error for programs and for translation; `params` are what its sentence tells of. Where
    `message` has places for them (`%(site)s`), it is a text of the catalogues, and `told` translates it.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **params: object) -> None:
        super().__init__(_filled(message, params))
        self.template = message
        self.params = params

    def told(self, gettext: Callable[[str], str]) -> str:
        """The sentence in the language of `gettext`."""
        return _filled(gettext(self.template), self.params)


def _filled(template: str, params: Mapping[str, object]) -> str:
    """`template` with its places filled; a text that only looks like one stays as it is."""
    if "%(" not in template:
        return template
    try:
        return template % params
    except (KeyError, ValueError, TypeError):
        return template


class NotFoundError(DomainError):
    """No such row, or none that the caller may see."""

    code = "not_found"


class ConflictError(DomainError):
    """It contradicts what is already recorded; `params["constraint"]` names the rule in the database."""

    code = "conflict"


class InvalidError(DomainError):
    """A value that the record cannot hold."""

    code = "invalid"


class DatabaseUnavailableError(DomainError):
    """The database does not answer. Trying again later helps."""

    code = "database_unavailable"


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn the driver's errors into this room's, keeping the name of the constraint."""
    try:
        yield
    except (errors.UniqueViolation, errors.ExclusionViolation, errors.ForeignKeyViolation) as error:
        constraint = error.diag.constraint_name
        raise ConflictError(
            error.diag.message_detail or str(error),
            constraint=constraint,
        ) from error
    except errors.NoDataFound as error:
        raise NotFoundError(str(error)) from error
    except (errors.CheckViolation, errors.NotNullViolation, errors.DataError) as error:
        raise InvalidError(
            error.diag.message_primary or str(error),
            constraint=error.diag.constraint_name,
        ) from error
    except psycopg.OperationalError as error:
        raise DatabaseUnavailableError(str(error)) from error
