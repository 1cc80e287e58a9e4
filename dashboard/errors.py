"""What can go wrong in the dashboard, and how each error of ours and of the care record is told.

One shape for programs (`/api`), one for pages, and the same sentence in both, in the reader's language.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import psycopg
import psycopg_pool

from alarms.model import AlarmStep
from care.refusals import REFUSALS
from dashboard.languages import Language
from dashboard.vocabulary import STEP_DONE
from database.errors import DatabaseUnavailableError, DomainError, InvalidError
from protocol.texts import N_


class DashboardError(Exception):
    """Base of this room's errors. `params` are what its sentence tells of."""

    code: ClassVar[str] = "dashboard_error"

    def __init__(self, message: str, **params: object) -> None:
        super().__init__(message)
        self.params = params


class CrossSiteError(DashboardError):
    """Another site's page tried to act in the name of who is signed in here."""

    code = "cross_site"


class FormError(DashboardError):
    """A form lacks something; `params["missing"]` names it."""

    code = "form"


class BusyError(DashboardError):
    """A limit of this process is reached. Trying again later helps."""

    code = "busy"


class CrowdedError(BusyError):
    """Somebody asks for too much at once. Trying again later helps."""

    code = "crowded"


class TooLargeError(DashboardError):
    """A request's body is larger than anything that is asked for here."""

    code = "too_large"


class UnknownHostError(DashboardError):
    """The request is for a name that is not ours."""

    code = "unknown_host"


class InsecureError(DashboardError):
    """Secrets would have come in the clear."""

    code = "insecure"


class NotToldError(DashboardError):
    """The broker has not learnt of a gateway yet. Asking again helps."""

    code = "not_told"


class ExposedError(DashboardError):
    """Others could listen in on what people send."""

    code = "exposed"


class UnfitRoleError(DashboardError):
    """The database role of the dashboard could see more than row security allows."""

    code = "unfit_role"


STATUS_OF: Mapping[str, int] = {
    "not_found": 404,
    "conflict": 409,
    "key_reused": 422,
    "illegal_step": 409,
    "already_taken": 409,
    "unfinished": 422,
    "invalid": 422,
    "form": 422,
    "no_session": 401,
    "sign_in_failed": 401,
    "sign_in_locked": 429,
    "cross_site": 403,
    "not_allowed": 403,
    "no_right": 403,
    "may_not_set": 403,
    "may_not_set_policy": 403,
    "insecure": 403,
    "pairing_refused": 403,
    "pairing_locked": 429,
    "not_told": 503,
    "busy": 503,
    "crowded": 429,
    "too_large": 413,
    "unknown_host": 421,
    "database_unavailable": 503,
    "method_not_allowed": 405,
}
"""HTTP status of each error by its code; what is not here is our own mistake (500)."""

RETRY_AFTER_S: Mapping[str, int] = {
    "busy": 5,
    "crowded": 2,
    "database_unavailable": 5,
    "pairing_locked": 600,
    "not_told": 2,
}

_SENTENCES: Mapping[str, str] = {
    "not_found": N_("There is nothing here, or it is not yours to see."),
    "conflict": N_("That contradicts what is already recorded."),
    "key_reused": N_(
        "This was sent with the mark of another press. Please look at the alarm, and press again."
    ),
    "illegal_step": N_("That step is not possible any more: the alarm has moved on."),
    "invalid": N_("Something in the request is not valid."),
    "no_session": N_("Your session has ended. Please sign in again."),
    "sign_in_failed": N_("The user name or the password is wrong."),
    "sign_in_locked": N_("Too many failures. Wait %(wait)s, then try again."),
    "cross_site": N_("This request came from another website and was refused."),
    "no_right": N_("Your function does not include this step."),
    "not_allowed": N_("Only supervisors and directors of homes may do that."),
    "may_not_set": N_("Only supervisors, directors and shift leaders may change what watches over somebody."),
    "may_not_set_policy": N_("Only supervisors of the county can change its rules."),
    "insecure": N_("Secrets are spoken of over an encrypted connection (HTTPS) only."),
    "pairing_refused": N_("The code or secret is wrong, has expired or was used before. Make a new code."),
    "pairing_locked": N_("Too many wrong codes. Wait ten minutes, then try again."),
    "not_told": N_("The broker does not know this gateway yet. Please try again in a few seconds."),
    "busy": N_("Too many people at once. Please try again in a few seconds."),
    "crowded": N_("Too many requests of yours at once. Please try again in a few seconds."),
    "too_large": N_("That is too much at once. Please send less."),
    "unknown_host": N_("These pages are not to be found under this name."),
    "database_unavailable": N_(
        "The database does not answer. Nothing was saved. Please try again in a few seconds."
    ),
    "method_not_allowed": N_("That cannot be done here."),
}
_MISSING: Mapping[str, str] = {
    "arrival": N_("Somebody must arrive first: press “I am there” when you are with the person."),
    "family_notice": N_("Say first how the family was told: when, how and whom."),
    "note": N_("Write in a few words what was found and done."),
    "kind": N_("Choose what kind of device it is."),
    "reason": N_("Write why this alarm is cancelled."),
    "seen": N_("Somebody else has just changed this. Look at it anew, then decide."),
    "dealt_with": N_("Whether the alarm was right can be said once somebody has dealt with it."),
}
_UNKNOWN = N_("Something went wrong on our side. It has been logged; please try again.")


def known(error: Exception) -> DomainError | DashboardError | None:
    """`error` in our words, or None when it is a mistake of ours."""
    if isinstance(error, DomainError | DashboardError):
        return error
    if isinstance(error, psycopg_pool.PoolTimeout | psycopg_pool.TooManyRequests | psycopg.OperationalError):
        return DatabaseUnavailableError(str(error))
    if isinstance(error, psycopg.DataError):
        # What somebody has sent is no value that the database can hold, such as a text with a zero byte.
        return InvalidError(str(error))
    return None


def code_of(error: DomainError | DashboardError | None) -> str:
    """The error's name for programs."""
    return "internal" if error is None else error.code


def sentence(error: DomainError | DashboardError | None, language: Language) -> str:
    """What the person who waits for an answer should read; None is a mistake of ours."""
    if error is None:
        return language.gettext(_UNKNOWN)
    at = error.params.get("at")
    if error.code == "already_taken" and isinstance(at, datetime):
        step = AlarmStep(str(error.params["step"]))
        told = language.gettext(N_("%(actor)s was quicker: %(step)s at %(time)s."))
        return told % {
            "actor": error.params["actor"],
            "step": language.gettext(STEP_DONE[step]),
            "time": language.time(at),
        }
    if error.params.get("constraint") is not None and isinstance(error, DomainError):
        return _refused(error, language)
    if error.code == "sign_in_locked":
        wait = language.duration(float(str(error.params["wait_s"])))
        return language.gettext(_SENTENCES[error.code]) % {"wait": wait}
    if (missing := error.params.get("missing")) in _MISSING:
        return language.gettext(_MISSING[str(missing)])
    return language.gettext(_SENTENCES.get(error.code, _UNKNOWN))


def _refused(error: DomainError, language: Language) -> str:
    """What a rule of the record says; of one that has no words of its own, only that it was broken."""
    told = error.told(language.gettext)
    is_ours = "%(" in error.template or error.template in REFUSALS.values()
    return told if is_ours else language.gettext(_SENTENCES.get(error.code, _UNKNOWN))


def as_json(error: DomainError | DashboardError | None, language: Language) -> dict[str, Any]:
    """The one shape in which programs get errors."""
    params = {} if error is None else error.params
    return {
        "error": {
            "code": code_of(error),
            "message": sentence(error, language),
            "detail": {
                key: value.isoformat() if isinstance(value, datetime) else str(value)
                for key, value in params.items()
                if value is not None
            },
        }
    }
