"""The kinds of alarm: one row each, with all that is said of it anywhere. All lists of kinds come from here.

A new detector needs a member of `AlarmKind` and its row in `KINDS`; where people may set it for a person, a
member of `alarms.rules.Watch` too. Texts are English: `dashboard.catalogues` finds them, pages translate.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from alarms.reasons import ABSENCE, BODY, CALL, DANGER, DEVICE, FALL, HABITS, NIGHT, RESTLESS, Reasons
from alarms.rules import Rule, Watch
from protocol.texts import N_


class AlarmKind(StrEnum):
    """What an alarm is about. The first eleven are those of `protocol.model.SignalKind`."""

    SOS = "sos"
    FALL = "fall"
    SMOKE = "smoke"
    GAS = "gas"
    WATER = "water"
    BED_EXIT = "bed_exit"
    WANDERING = "wandering"
    WEAK_BREATHING = "weak_breathing"
    TAMPER = "tamper"
    LOW_BATTERY = "low_battery"
    FAULT = "fault"
    VITALS = "vitals"
    INACTIVITY = "inactivity"
    DEVICE_OFFLINE = "device_offline"
    HEALTH_CHANGE = "health_change"
    ROUTINE_CHANGE = "routine_change"
    NO_TURNING = "no_turning"
    OUTBREAK = "outbreak"
    ABSENCE = "absence"
    RESTLESSNESS = "restlessness"
    OUT_OF_LIMITS = "out_of_limits"


class AlarmPriority(StrEnum):
    """After IEC 60601-1-8."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class AlarmSource(StrEnum):
    """Who can raise an alarm."""

    DEVICE = "device"
    DETECTOR = "detector"
    STAFF = "staff"


class Finder(Struct, frozen=True):
    """A detector that raises a kind of alarm, or grades it.

    Attributes:
        name: As in care.alarm.detector; never changes.
        words: What timelines call it.
        rule: What may be set for one person; None: nothing.
    """

    name: str
    words: str
    rule: Rule | None = None


class Kind(Struct, frozen=True, kw_only=True):
    """All that is said of one kind of alarm.

    Attributes:
        words: What it is called on the ward.
        icon: Its icon, one of deploy/local/icons.txt.
        priority: The usual one, after IEC 60601-1-8; a detector may raise it by what it saw.
        raised_by: Who may raise it.
        reasons: Why people find such an alarm right or wrong.
        first: What to do first, in the order of doing.
        finders: The detectors that look for it.
    """

    words: str
    icon: str
    priority: AlarmPriority
    raised_by: frozenset[AlarmSource]
    reasons: Reasons
    first: tuple[str, ...]
    finders: tuple[Finder, ...] = ()


_BY_DEVICE = frozenset({AlarmSource.DEVICE})
_BY_DETECTOR = frozenset({AlarmSource.DETECTOR})
_BY_BOTH = _BY_DEVICE | _BY_DETECTOR
_BY_PEOPLE = _BY_DEVICE | {AlarmSource.STAFF}
"""What somebody who sees it may also raise by hand."""

KINDS: Mapping[AlarmKind, Kind] = {
    AlarmKind.SOS: Kind(
        words=N_("SOS call for help"),
        icon="sos",
        priority=AlarmPriority.HIGH,
        raised_by=_BY_PEOPLE,
        reasons=CALL,
        first=(
            N_("Go at once; call out to them on the way in."),
            N_("No answer, or hurt: call 120."),
        ),
    ),
    AlarmKind.FALL: Kind(
        words=N_("Fall"),
        icon="man",
        priority=AlarmPriority.HIGH,
        raised_by=_BY_PEOPLE,
        reasons=FALL,
        first=(
            N_("Do not pull them up. Ask first where it hurts and what they can move."),
            N_("Head hit, hip hurts, or cannot be woken: call 120, keep them warm, do not move them."),
        ),
        finders=(Finder("fall", N_("falls, weighed by what follows")),),
    ),
    AlarmKind.SMOKE: Kind(
        words=N_("Smoke"),
        icon="flame",
        priority=AlarmPriority.HIGH,
        raised_by=_BY_PEOPLE,
        reasons=DANGER,
        first=(
            N_("Bring people out first, bent low, away from the smoke."),
            N_("Call 119. Shut every door behind you."),
        ),
    ),
    AlarmKind.GAS: Kind(
        words=N_("Gas leak"),
        icon="wind",
        priority=AlarmPriority.HIGH,
        raised_by=_BY_PEOPLE,
        reasons=DANGER,
        first=(
            N_("Touch no switch, light nothing. Open the windows and shut the gas valve."),
            N_("Bring people outside, and telephone from there."),
        ),
    ),
    AlarmKind.WATER: Kind(
        words=N_("Water leak"),
        icon="droplet",
        priority=AlarmPriority.MEDIUM,
        raised_by=_BY_PEOPLE,
        reasons=DANGER,
        first=(
            N_("Shut the tap or the main valve. The floor is slippery."),
            N_("Water near sockets: switch the power off first."),
        ),
    ),
    AlarmKind.BED_EXIT: Kind(
        words=N_("Left the bed"),
        icon="bed",
        priority=AlarmPriority.MEDIUM,
        raised_by=_BY_BOTH,
        reasons=NIGHT,
        first=(
            N_("Look in the room and in the bathroom."),
            N_("Bring them back to bed; ask about the toilet, thirst and pain."),
        ),
        finders=(
            Finder(
                "bed_exit",
                N_("out of bed at night"),
                Rule(
                    title=N_("Out of bed at night"),
                    does=N_(
                        "Calls when they have left the bed between %(night_from_h)s and %(night_to_h)s "
                        "o’clock and do not come back."
                    ),
                    off_days_max=30,
                    tolerances=(0.5, 1.5, 2),
                    at_night=True,
                    has_hours=True,
                ),
            ),
        ),
    ),
    AlarmKind.WANDERING: Kind(
        words=N_("Wandering off"),
        icon="door-exit",
        priority=AlarmPriority.MEDIUM,
        raised_by=_BY_BOTH,
        reasons=NIGHT,
        first=(
            N_("Look at the door that was used, then stairs, yard and gate."),
            N_("Not found within ten minutes: tell whoever leads the shift, and the family."),
        ),
        finders=(
            Finder(
                "wandering",
                N_("doors at night"),
                Rule(
                    title=N_("Doors at night"),
                    does=N_(
                        "Calls when a door was used between %(night_from_h)s and %(night_to_h)s o’clock and "
                        "nothing is seen inside afterwards."
                    ),
                    off_days_max=30,
                    tolerances=(0.5, 1.5, 2, 3),
                    at_night=True,
                    has_hours=True,
                ),
            ),
        ),
    ),
    AlarmKind.WEAK_BREATHING: Kind(
        words=N_("Weak breathing"),
        icon="lungs",
        priority=AlarmPriority.HIGH,
        raised_by=_BY_BOTH,
        reasons=BODY,
        first=(
            N_("Wake them: say their name, tap the shoulder."),
            N_("No answer or no breath: call 120 and begin to press the chest."),
        ),
        finders=(
            Finder(
                "weak_breathing",
                N_("breathing in bed"),
                Rule(
                    title=N_("Breathing in bed"),
                    does=N_("Calls when the mattress feels much too slow breathing for ten minutes."),
                    off_days_max=3,
                    tolerances=(0.75, 1.25),
                    is_vital=True,
                ),
            ),
        ),
    ),
    AlarmKind.TAMPER: Kind(
        words=N_("Device tampered with"),
        icon="tool",
        priority=AlarmPriority.LOW,
        raised_by=_BY_DEVICE,
        reasons=DEVICE,
        first=(N_("Look whether the device is still in its place and closed."),),
    ),
    AlarmKind.LOW_BATTERY: Kind(
        words=N_("Battery low"),
        icon="battery-1",
        priority=AlarmPriority.LOW,
        raised_by=_BY_BOTH,
        reasons=DEVICE,
        first=(N_("Change or charge the battery, then try the device once."),),
        finders=(Finder("battery", N_("days that batteries last")),),
    ),
    AlarmKind.FAULT: Kind(
        words=N_("Device fault"),
        icon="tools",
        priority=AlarmPriority.LOW,
        raised_by=_BY_BOTH,
        reasons=DEVICE,
        first=(
            N_("Look whether it is fixed firmly, clean, and worn as it should be."),
            N_("Until it works again, look after the person more often."),
        ),
        finders=(
            Finder("device_fault", N_("what devices send")),
            Finder("device_drift", N_("devices compared with each other")),
        ),
    ),
    AlarmKind.VITALS: Kind(
        words=N_("Vital signs abnormal"),
        icon="heartbeat",
        priority=AlarmPriority.MEDIUM,
        raised_by=_BY_DETECTOR,
        reasons=BODY,
        first=(
            N_("Go and look: are they awake, how do they breathe, what is their colour?"),
            N_("Measure again by hand. Still so: call the doctor."),
        ),
        finders=(
            Finder(
                "early_warning",
                N_("early warning score"),
                # NEWS2 has the same thresholds for everybody; for oxygen usually low it has a second scale.
                Rule(
                    title=N_("Vital signs"),
                    does=N_(
                        "Adds up pulse, breathing, oxygen, temperature and blood pressure (NEWS2), and calls "
                        "when they are dangerous together, or one of them alone."
                    ),
                    off_days_max=3,
                    is_vital=True,
                ),
            ),
        ),
    ),
    AlarmKind.INACTIVITY: Kind(
        words=N_("No activity for too long"),
        icon="hourglass",
        priority=AlarmPriority.MEDIUM,
        raised_by=_BY_DETECTOR,
        reasons=HABITS,
        first=(
            N_("Ring them up. No answer: go there."),
            N_("Look in the bathroom and the bedroom first, also on the floor."),
        ),
        finders=(
            Finder(
                "inactivity",
                N_("silence against the person's own rhythm"),
                Rule(
                    title=N_("No activity"),
                    does=N_(
                        "Calls when nothing was seen or heard of them for much longer than is usual for "
                        "them, such as after a fall that no device has noticed."
                    ),
                    off_days_max=14,
                    tolerances=(0.5, 0.75, 1.25, 1.5),
                    has_hours=True,
                    is_vital=True,
                ),
            ),
        ),
    ),
    AlarmKind.DEVICE_OFFLINE: Kind(
        words=N_("Device offline"),
        icon="wifi-off",
        priority=AlarmPriority.LOW,
        raised_by=_BY_DETECTOR,
        reasons=DEVICE,
        first=(
            N_("Look at plug, battery and network."),
            N_("Until it works again, look after the person more often."),
        ),
        finders=(Finder("offline", N_("silent devices")),),
    ),
    AlarmKind.HEALTH_CHANGE: Kind(
        words=N_("Health has changed"),
        icon="trending-up",
        priority=AlarmPriority.MEDIUM,
        raised_by=_BY_DETECTOR,
        reasons=BODY,
        first=(
            N_("Ask how they feel; take temperature, pulse and oxygen."),
            N_("Tell doctor or nurse within the day."),
        ),
        finders=(
            Finder(
                "baseline",
                N_("compared with the person's own past"),
                Rule(
                    title=N_("Changes in health"),
                    does=N_(
                        "Compares each hour with their own past weeks: early infections, and signs that "
                        "slowly get worse."
                    ),
                    off_days_max=30,
                    tolerances=(0.75, 1.25, 1.5, 2),
                ),
            ),
        ),
    ),
    AlarmKind.ROUTINE_CHANGE: Kind(
        words=N_("Habits have changed"),
        icon="calendar-event",
        priority=AlarmPriority.LOW,
        raised_by=_BY_DETECTOR,
        reasons=HABITS,
        first=(N_("Talk with them: sleep, appetite, mood, pain?"),),
        finders=(
            Finder(
                "routine",
                N_("habits against the person's own past"),
                Rule(
                    title=N_("Changes in habits"),
                    does=N_("Tells in the evening when their days have become unlike their own past weeks."),
                    off_days_max=30,
                    tolerances=(0.75, 1.25, 1.5, 2),
                ),
            ),
        ),
    ),
    AlarmKind.NO_TURNING: Kind(
        words=N_("Not turned in bed"),
        icon="emergency-bed",
        priority=AlarmPriority.LOW,
        raised_by=_BY_DETECTOR,
        reasons=HABITS,
        first=(N_("Turn them; look at the skin of heels, hips and tailbone."),),
        finders=(
            Finder(
                "turning",
                N_("turning in bed"),
                Rule(
                    title=N_("Turning in bed"),
                    does=N_(
                        "For who cannot turn alone: reminds when the mattress has felt no turn for long."
                    ),
                    off_days_max=30,
                    tolerances=(0.75, 1.25, 1.5),
                    has_hours=True,
                ),
            ),
        ),
    ),
    AlarmKind.OUTBREAK: Kind(
        words=N_("Several people ill"),
        icon="users-group",
        priority=AlarmPriority.MEDIUM,
        raised_by=_BY_DETECTOR,
        reasons=BODY,
        first=(
            N_("Keep who is ill apart from the others; masks, and clean hands."),
            N_("Tell the doctor; several at once must be reported."),
        ),
        finders=(Finder("outbreak", N_("infections across a home")),),
    ),
    AlarmKind.ABSENCE: Kind(
        words=N_("No sign of living here"),
        icon="user-off",
        priority=AlarmPriority.LOW,
        raised_by=_BY_DETECTOR,
        reasons=ABSENCE,
        first=(
            N_("Ring them or a neighbour up: are they away?"),
            N_("Nobody knows: go and see."),
        ),
        finders=(
            Finder(
                "absence",
                N_("signs of living"),
                Rule(
                    title=N_("Signs of living here"),
                    does=N_(
                        "Tells when there was no sign of life for %(absence_days)s days, or the bed stays "
                        "unused for %(bed_unused_nights)s nights."
                    ),
                    off_days_max=30,
                    tolerances=(2,),
                ),
            ),
        ),
    ),
    AlarmKind.RESTLESSNESS: Kind(
        words=N_("Restless"),
        icon="walk",
        priority=AlarmPriority.LOW,
        raised_by=_BY_DETECTOR,
        reasons=RESTLESS,
        first=(N_("Sit with them for a while: pain, toilet, thirst, fear?"),),
        finders=(
            Finder(
                "restlessness",
                N_("walking about, compared with other homes"),
                Rule(
                    title=N_("Restlessness"),
                    does=N_(
                        "Tells when they walk from room to room on a day much more than people in such homes "
                        "do: pain, fear or an infection often begin like that."
                    ),
                    off_days_max=30,
                    tolerances=(0.75, 1.25, 1.5, 2),
                ),
            ),
        ),
    ),
    AlarmKind.OUT_OF_LIMITS: Kind(
        words=N_("Blood pressure or pulse off"),
        icon="activity",
        priority=AlarmPriority.LOW,
        raised_by=_BY_DETECTOR,
        reasons=BODY,
        first=(
            N_("Look how they are: awake, breathing, pale or in a cold sweat?"),
            N_("Let them rest for five minutes, and measure again. Still so: tell the doctor."),
            N_("Cannot be woken, chest pain, or one side weak: call 120."),
        ),
        finders=(
            Finder(
                "limits",
                N_("limits of blood pressure and pulse"),
                # How far the limits lie from their middle: at 1.25 the upper pressure's are 81 and 169.
                Rule(
                    title=N_("Blood pressure and pulse"),
                    does=N_(
                        "Tells when a blood pressure or pulse that somebody has measured is too high or too "
                        "low."
                    ),
                    off_days_max=30,
                    tolerances=(0.75, 1.25, 1.5),
                ),
            ),
        ),
    ),
}

FINDERS: Mapping[str, Finder] = {one.name: one for row in KINDS.values() for one in row.finders}
"""Every detector by its name."""
KIND_FOUND_BY: Mapping[str, AlarmKind] = {
    one.name: kind for kind, row in KINDS.items() for one in row.finders
}
"""The one kind of alarm that each detector finds."""
RULES: Mapping[Watch, Rule] = {watch: rule for watch in Watch if (rule := FINDERS[watch].rule) is not None}
"""What may be set for each detector that looks at one person. `rules_of` adds the county's figures."""
