"""What each rule of the record says when it is broken, in the words of whoever keeps the record.

One table from the constraint in the database to its sentence, which command line and pages share. Places such
as `%(code)s` are filled from what was to be written. A test asks the database for its constraints: each has
a sentence here, or a reason why nobody can meet it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from database.errors import ConflictError, InvalidError, translated_errors
from protocol.texts import N_

REFUSALS: Mapping[str, str] = {
    "operator_code_key": N_("There is an operator with the code %(code)s already. Choose another code."),
    "operator_code_check": N_(
        "%(code)s is no code: it may have a-z, 0-9, - and _, starts with a letter or digit, "
        "and is at most 63 long."
    ),
    "operator_name_check": N_("An operator needs a name."),
    "site_code_key": N_("There is a site with the code %(code)s already. Choose another code."),
    "site_code_check": N_(
        "%(code)s is no code: it may have a-z, 0-9, - and _, starts with a letter or digit, "
        "and is at most 63 long."
    ),
    "site_name_check": N_("A site needs a name."),
    "site_township_check": N_("A site needs its township: it decides who sees the site."),
    "room_site_id_name_key": N_("This site has a room %(name)s already."),
    "room_name_check": N_("A room needs a name or number."),
    "bed_room_id_label_key": N_("This room has a bed %(label)s already."),
    "bed_label_check": N_("A bed needs a name or number."),
    "resident_name_check": N_("A resident needs a name."),
    "resident_born_on_check": N_(
        "%(born_on)s is no day of birth of somebody in care: it must lie between 1880-01-01 and 2020-01-01."
    ),
    "resident_check": N_("Nobody can leave before the day of admission."),
    "resident_spo2_scale_check": N_("The SpO2 scale is 1, or 2 for people whose normal is 88–92 percent."),
    "resident_sex_check": N_("The sex is female or male, as on the identity card."),
    "one_resident_a_bed": N_("Somebody else has this bed at that time. Choose another bed."),
    "one_home_at_a_time": N_("This resident lives somewhere already at that time."),
    "residence_during_check": N_("Nobody can move out before they have moved in: the time is too early."),
    "device_name_key": N_("There is, or was, a device with the name %(name)s already. Choose another name."),
    "device_name_reserved": N_("%(name)s is a reserved name of the centre's own: choose another."),
    "device_name_check": N_(
        "%(name)s is no name of a device: it may have a-z, 0-9, - and _, starts with a letter or digit, "
        "and is at most 63 long."
    ),
    "device_assignment_check": N_("A device watches either a resident or a room."),
    "device_assignment_during_check": N_("The device watches somebody else from a later time on already."),
    "one_assignment_at_a_time": N_("The device watches somebody else at that time already."),
    "staff_username_key": N_(
        "There is somebody with the user name %(username)s already. Choose another one."
    ),
    "staff_username_check": N_(
        "%(username)s is no user name: it may have a-z, 0-9, ., - and _, starts with a letter or digit, "
        "and is at most 63 long."
    ),
    "staff_name_check": N_("Whoever may sign in needs a name."),
    "staff_language_check": N_("%(language)s is no language of the pages. There are zh_CN and en."),
    "staff_site_pkey": N_("A site was named twice. Name each site once."),
    "device_proposal_key_check": N_("A device that is proposed needs a name of its own."),
}
"""The sentence of each constraint that command line or pages can break, by the constraint's name."""

_CHOSEN_BY_US = "The value is of our own making."
_CHECKED_BEFORE = "Judged, with a sentence of its own, before the database is asked."
UNREACHABLE: Mapping[str, str] = {
    "alarm_check": _CHOSEN_BY_US,
    "alarm_signal_count_check": _CHOSEN_BY_US,
    "alarm_source_check": _CHOSEN_BY_US,
    "alarm_proposal_key_check": _CHOSEN_BY_US,
    "taught_says_check": _CHOSEN_BY_US,
    "write_probe_single_check": _CHOSEN_BY_US,
    "alarm_event_actor_check": _CHOSEN_BY_US,
    "alarm_event_key_check": _CHECKED_BEFORE,
    "alarm_feedback_actor_check": _CHOSEN_BY_US,
    "alarm_feedback_note_check": _CHECKED_BEFORE,
    "alarm_feedback_reason_check": _CHECKED_BEFORE,
    "alarm_feedback_verdict_check": _CHECKED_BEFORE,
    "alarm_signal_state_check": _CHECKED_BEFORE,
    "device_secret_sha512_check": _CHOSEN_BY_US,
    "device_proposal_check": _CHECKED_BEFORE,
    "gateway_credential_secret_sha512_check": _CHOSEN_BY_US,
    "gateway_credential_username_key": _CHOSEN_BY_US,
    "pairing_code_check": _CHOSEN_BY_US,
    "pairing_code_code_scrypt_key": _CHOSEN_BY_US,
    "session_id_key": _CHOSEN_BY_US,
    "staff_check": _CHECKED_BEFORE,
    "staff_check1": _CHECKED_BEFORE,
    "staff_password_argon2_check": _CHOSEN_BY_US,
}
"""Why nobody meets the others; those of whole tables stand in `JUDGED_ELSEWHERE`."""
JUDGED_ELSEWHERE = ("policy", "detector_setting", "detector_setting_change")
"""Their values `care/policy.py` and `alarms/detector_settings.py` judge first, in words of their own."""


@contextmanager
def in_words(values: Mapping[str, object]) -> Iterator[None]:
    """Turn what the database refuses into a sentence for people.

    Args:
        values: What was to be written. Of these, an error names only those that its sentence tells of: a
            password is among them.
    """
    try:
        with translated_errors():
            yield
    except (ConflictError, InvalidError) as error:
        constraint = str(error.params.get("constraint"))
        sentence = REFUSALS.get(constraint)
        if sentence is None:
            raise
        raise type(error)(sentence, constraint=constraint, **told_of(sentence, values)) from error


def told_of(sentence: str, values: Mapping[str, object]) -> dict[str, object]:
    """Those of the values that a sentence has places for."""
    return {name: value for name, value in values.items() if f"%({name})s" in sentence}
