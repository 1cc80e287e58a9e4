"""What a person has taught is heard, and only where the dialect itself does not know better."""

from gateway.dialects.hearing import Hearing
from gateway.dialects.taught import taught
from protocol.model import Activity, ActivityEvent, AlarmSignal, Message, SignalKind, Taught, VitalSigns

KEY = "plain:cord-1"


def heard(
    lessons: dict[str, Taught], values: dict[str, object], last: dict[str, object] | None = None
) -> Hearing:
    with taught({KEY: lessons}):
        hearing = Hearing(KEY, last or {}, retained=False)
        for path, value in values.items():
            hearing.ignore("a field that nobody knows", path, value)
    return hearing


def said(hearing: Hearing, kind: type[Message]) -> list[Message]:
    return [each.message for each in hearing.heard() if isinstance(each.message, kind)]


def test_a_press_is_a_press_each_time_and_only_by_its_value() -> None:
    lesson = {"flag": Taught(says="alarm.sos", raised_by="1")}
    assert said(heard(lesson, {"flag": 1}), AlarmSignal) == [AlarmSignal(kind=SignalKind.SOS)]
    assert said(heard(lesson, {"flag": "1"}), AlarmSignal) == [AlarmSignal(kind=SignalKind.SOS)]
    released = heard(lesson, {"flag": 0})
    assert said(released, AlarmSignal) == []
    assert released.ignored() == [], "it is understood: nothing was pressed"


def test_any_value_may_mean_it() -> None:
    lesson = {"flag": Taught(says="alarm.sos", raised_by="*")}
    assert said(heard(lesson, {"flag": "whatever"}), AlarmSignal) == [AlarmSignal(kind=SignalKind.SOS)]


def test_a_state_is_told_when_it_changes() -> None:
    lesson = {"bed": Taught(says="activity.in_bed", raised_by="2")}
    first = heard(lesson, {"bed": 2})
    assert said(first, Activity) == [Activity(event=ActivityEvent.IN_BED)]
    last = first.remembered()
    assert said(heard(lesson, {"bed": 2}, last), Activity) == []
    assert said(heard(lesson, {"bed": 3}, last), Activity) == [Activity(event=ActivityEvent.OUT_OF_BED)]


def test_a_measurement_is_one_and_nonsense_is_counted() -> None:
    lesson = {"n": Taught(says="vitals.hr")}
    assert said(heard(lesson, {"n": 71}), VitalSigns) == [VitalSigns(hr=71)]
    nonsense = heard(lesson, {"n": "abc"})
    assert said(nonsense, VitalSigns) == []
    assert [each.path for each in nonsense.ignored()] == ["n"]


def test_other_fields_and_devices_are_as_before() -> None:
    assert [each.path for each in heard({}, {"flag": 1}).ignored()] == ["flag"]
