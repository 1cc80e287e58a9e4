"""What a kind of device may say: generous, and never against a call for help."""

import pytest

from gateway.dialects.names import likely_kind
from gateway.dialects.words import OUR_WORDS
from protocol.abilities import ABILITIES, may_raise, refused_word, without_refused
from protocol.model import (
    CANNOT_WAIT,
    Activity,
    ActivityEvent,
    AlarmSignal,
    DeviceKind,
    DeviceStatus,
    SignalKind,
    VitalSigns,
)
from protocol.signs import SIGNS


def test_every_kind_is_listed_and_may_tell_of_itself_and_call_for_help() -> None:
    assert set(ABILITIES) == set(DeviceKind)
    for kind in DeviceKind:
        assert refused_word(kind, DeviceStatus(online=True)) is None
        assert refused_word(kind, AlarmSignal(kind=SignalKind.SOS)) is None


def test_all_that_can_be_said_can_be_said_by_some_kind() -> None:
    signs = frozenset().union(*(able.signs for able in ABILITIES.values()))
    events = frozenset().union(*(able.events for able in ABILITIES.values()))
    alarms = frozenset().union(*(able.alarms for able in ABILITIES.values()))
    assert signs == set(SIGNS)
    assert events == set(ActivityEvent)
    assert alarms == set(SignalKind)


@pytest.mark.parametrize("word", sorted(OUR_WORDS))
def test_the_kind_that_a_gateway_guesses_may_say_what_it_was_guessed_from(word: str) -> None:
    kind = likely_kind([word])
    if kind is None:
        return
    leaf, _, what = word.partition(".")
    able = ABILITIES[kind]
    assert what in {"vitals": able.signs, "activity": set(able.events), "alarm": set(able.alarms)}[leaf]


@pytest.mark.parametrize("kind", DeviceKind)
def test_what_is_about_life_is_refused_to_what_is_pressed_by_hand_only(kind: DeviceKind) -> None:
    refused = {about for about in CANNOT_WAIT if refused_word(kind, AlarmSignal(kind=about)) is not None}
    is_pressed = kind in (DeviceKind.SOS_BUTTON, DeviceKind.PULL_CORD)
    assert refused == ({SignalKind.SMOKE, SignalKind.GAS, SignalKind.WATER} if is_pressed else set())
    assert {about for about in CANNOT_WAIT if not may_raise(kind, f"alarm.{about}")} == refused


def test_a_button_measures_nothing_and_smells_no_smoke() -> None:
    button = DeviceKind.SOS_BUTTON
    assert refused_word(button, VitalSigns(sbp=120, dbp=80)) == "vitals.sbp"
    assert refused_word(button, AlarmSignal(kind=SignalKind.SMOKE)) == "alarm.smoke"
    assert refused_word(button, Activity(event=ActivityEvent.IN_BED)) == "activity.in_bed"
    assert without_refused(button, VitalSigns(sbp=120)).is_empty()
    assert not may_raise(button, "alarm.gas")
    assert may_raise(button, "alarm.sos")


def test_devices_with_several_uses_keep_them() -> None:
    assert refused_word(DeviceKind.WRISTBAND, AlarmSignal(kind=SignalKind.FALL)) is None
    assert refused_word(DeviceKind.FALL_RADAR, VitalSigns(hr=60, rr=14)) is None
    assert refused_word(DeviceKind.SMOKE, AlarmSignal(kind=SignalKind.GAS)) is None
    assert without_refused(DeviceKind.FALL_RADAR, VitalSigns(hr=60, sbp=120)) == VitalSigns(hr=60)
