"""Pressure and pulse that somebody has measured, planted around the limits."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarms.evidence import Evidence
from alarms.incident import Report, Step, report, take
from alarms.kinds import AlarmKind, AlarmSource
from alarms.model import AlarmPriority, AlarmStep
from analytics.detectors import Assessment, Finding, Subject, SubjectKind
from analytics.detectors.limits import OutOfLimits, by_sign, judged, limits_of
from analytics.history import SPOT_SIGNS, History
from analytics.models.limits import Limits
from analytics.rounds import Rounds, detectors_of, handling_of
from analytics.settings import AnalyticsSettings
from database.connections import Connection
from identity.model import Actor
from protocol.model import DeviceKind
from tests.analytics.conftest import NOW, World

WELL = {"sbp": 132.0, "dbp": 78.0, "hr": 72.0}
HIGH = {"sbp": 172.0, "dbp": 96.0, "hr": 78.0}
GRAVE = {"sbp": 186.0, "dbp": 104.0, "hr": 80.0}
LOW, MEDIUM = AlarmPriority.LOW, AlarmPriority.MEDIUM


class Measured:
    """One resident of a home with a cuff, a glucometer and a wristband."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.resident_id = world.resident(world.home)
        self.cuff = self._device(DeviceKind.BP_CUFF)
        self.glucometer = self._device(DeviceKind.GLUCOMETER)
        self.band = self._device(DeviceKind.WRISTBAND)

    def _device(self, kind: DeviceKind) -> int:
        return self.world.device(self.world.home, kind, resident_id=self.resident_id)

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.RESIDENT, self.resident_id)

    def measure(self, minutes_ago: float, **signs: float) -> None:
        self.world.vitals(self.cuff, self.resident_id, minutes_ago * 60, **signs)


@pytest.fixture
def person(world: World) -> Measured:
    return Measured(world)


def the_finding(assessment: Assessment) -> Finding:
    (finding,) = assessment.findings
    return finding


def is_neither(person: Measured, assessment: Assessment) -> bool:
    assert {finding.subject for finding in assessment.findings} <= {person.subject}
    return not assessment.findings and person.subject not in assessment.fine


def test_who_was_not_measured_is_neither(
    person: Measured, history: History, settings: AnalyticsSettings
) -> None:
    person.measure(24 * 60, **HIGH)
    assert is_neither(person, OutOfLimits(settings).score(history))


@pytest.mark.parametrize(
    ("signs", "out"),
    [
        ({}, False),
        ({"sbp": 160.0}, True),
        ({"sbp": 159.0}, False),
        ({"sbp": 91.0}, False),
        ({"dbp": 100.0}, True),
        ({"dbp": 99.0}, False),
        ({"dbp": 54.0}, True),
        ({"dbp": 55.0}, False),
        ({"hr": 50.0}, True),
        ({"hr": 51.0}, False),
        ({"hr": 100.0}, True),
        ({"hr": 99.0}, False),
    ],
)
def test_a_reading_that_equals_a_limit_is_told(
    person: Measured, history: History, settings: AnalyticsSettings, signs: dict[str, float], out: bool
) -> None:
    person.measure(90, **{**WELL, **signs})
    assessment = OutOfLimits(settings).score(history)
    at = NOW - timedelta(minutes=90)
    if out:
        finding = the_finding(assessment)
        assert (finding.subject, finding.priority, finding.since) == (person.subject, LOW, at)
        assert {part.sign for part in finding.evidence.contributions} == set(signs)
        assert assessment.fine == {}
    else:
        assert (assessment.findings, assessment.fine) == ((), {person.subject: at})


def test_the_latest_counts(person: Measured, history: History, settings: AnalyticsSettings) -> None:
    person.measure(180, **HIGH)
    person.measure(120, **WELL)
    assessment = OutOfLimits(settings).score(history)
    assert (assessment.findings, set(assessment.fine)) == ((), {person.subject})


def test_what_has_no_pressure_changes_nothing_about_it(
    person: Measured, history: History, settings: AnalyticsSettings
) -> None:
    person.measure(180, sbp=172, dbp=96)
    person.world.vitals(person.glucometer, person.resident_id, 3_600, glucose=6.1)
    person.measure(30, hr=72)
    finding = the_finding(OutOfLimits(settings).score(history))
    assert finding.evidence.seen == {"sbp": 172, "dbp": 96, "hr": 72}


def test_a_pulse_alone_ends_no_alarm(person: Measured, history: History, settings: AnalyticsSettings) -> None:
    person.measure(25 * 60, **HIGH)
    person.measure(30, hr=72)
    assert is_neither(person, OutOfLimits(settings).score(history))


def test_only_what_somebody_took_on_purpose(
    person: Measured, history: History, settings: AnalyticsSettings
) -> None:
    person.world.vitals(person.band, person.resident_id, 60, hr=112)
    assert is_neither(person, OutOfLimits(settings).score(history))


@pytest.mark.parametrize(
    ("tolerance", "sbp", "out"),
    [(1.25, 168.0, False), (1.25, 169.0, True), (0.75, 152.0, True), (0.75, 151.0, False)],
)
def test_personal_tolerance_moves_the_limits(
    person: Measured,
    history: History,
    settings: AnalyticsSettings,
    tolerance: float,
    sbp: float,
    out: bool,
) -> None:
    person.world.setting(person.resident_id, "limits", tolerance=tolerance)
    person.measure(60, **{**WELL, "sbp": sbp})
    assessment = OutOfLimits(settings).score(history)
    assert bool(assessment.findings) == out
    assert (person.subject in assessment.fine) == (not out)
    if out and tolerance > 1:
        chart = the_finding(assessment).evidence.chart
        assert chart is not None
        assert (chart.sign, chart.low, chart.high) == ("sbp", 81.25, 168.75)


@pytest.mark.parametrize(
    ("readings", "priority"),
    [
        ([(60, GRAVE)], LOW),
        ([(60, GRAVE), (50, GRAVE)], MEDIUM),
        ([(23 * 60, GRAVE), (60, GRAVE)], MEDIUM),
        ([(25 * 60, GRAVE), (60, GRAVE)], LOW),
        ([(60, GRAVE), (50, GRAVE), (40, HIGH)], LOW),
        ([(60, {**WELL, "dbp": 110.0}), (50, {**WELL, "sbp": 180.0})], MEDIUM),
        ([(60, {**WELL, "dbp": 109.0}), (50, {**WELL, "sbp": 180.0})], LOW),
    ],
    ids=["once", "twice", "over the day", "too long ago", "better now", "either number", "hardly"],
)
def test_two_measurements_confirm_a_very_high_pressure(
    person: Measured,
    history: History,
    settings: AnalyticsSettings,
    readings: list[tuple[float, dict[str, float]]],
    priority: AlarmPriority,
) -> None:
    for minutes_ago, signs in readings:
        person.measure(minutes_ago, **signs)
    assert the_finding(OutOfLimits(settings).score(history)).priority is priority


def test_the_finding_explains_itself(person: Measured, history: History, settings: AnalyticsSettings) -> None:
    person.measure(60, sbp=172, dbp=104, hr=78)
    person.measure(16 * 60, hr=44)  # older than what the cuff has since said of the pulse
    finding = the_finding(OutOfLimits(settings).score(history))
    assert (finding.site_id, finding.kind) == (person.world.home.id, AlarmKind.OUT_OF_LIMITS)
    evidence = finding.evidence
    assert evidence.sentence == {
        "zh_CN": "13:00 测得收缩压 172 mmHg（达到 160 即提醒），舒张压 104 mmHg（达到 100 即提醒）。"
        "请让老人安静休息五分钟后复测；仍然如此请告诉医生。",
        "en": "Measured at 13:00: systolic pressure 172 mmHg (told from 160 up), diastolic pressure 104 mmHg "
        "(told from 100 up). Let them rest for five minutes and measure again; if it stays so, "
        "tell the doctor.",
    }
    assert evidence.seen == {"sbp": 172, "dbp": 104, "hr": 78}
    assert evidence.expected == {"sbp": "90–160", "dbp": "54–100", "hr": "50–100"}
    assert [part.sign for part in evidence.contributions] == ["sbp", "dbp"]
    assert evidence.chart is not None
    assert (evidence.chart.sign, evidence.chart.low, evidence.chart.high) == (
        "sbp",
        90,
        160,
    )
    assert msgspec.json.decode(msgspec.json.encode(evidence), type=Evidence) == evidence


def test_pressure_and_pulse_of_different_times(
    person: Measured, history: History, settings: AnalyticsSettings
) -> None:
    person.measure(15 * 60, sbp=95, dbp=52)
    person.measure(60, hr=48)
    finding = the_finding(OutOfLimits(settings).score(history))
    assert finding.since == NOW - timedelta(hours=15)
    assert finding.evidence.sentence["zh_CN"].startswith(
        "03-02 23:00 测得舒张压 52 mmHg（降到 54 即提醒）；13:00 测得心率 48 次/分（降到 50 即提醒）。"
    )


def test_a_very_high_pressure_tells_what_to_do(
    person: Measured, history: History, settings: AnalyticsSettings
) -> None:
    person.measure(60, **GRAVE)
    person.measure(50, **GRAVE)
    sentence = the_finding(OutOfLimits(settings).score(history)).evidence.sentence
    assert "24 小时内已有 2 次血压很高（达到 180/110）" in sentence["zh_CN"]
    assert "请立即拨打 120" in sentence["zh_CN"]
    assert "Very high 2 times within 24 h (from 180/110 up)" in sentence["en"]


@pytest.mark.parametrize(
    ("signs", "priority", "said"),
    [
        ({"sbp": 72.0}, MEDIUM, "收缩压单项 3 分（NEWS2），须尽快处理。请马上去看，叫得醒吗；让老人平躺"),
        ({"sbp": 90.0}, MEDIUM, "收缩压单项 3 分"),
        ({"sbp": 220.0}, MEDIUM, "让老人半躺"),
        ({"hr": 39.0}, MEDIUM, "心率单项 3 分（NEWS2），须尽快处理。请马上去看，叫得醒吗；数一分钟脉搏"),
        ({"hr": 131.0}, MEDIUM, "看有无心慌"),
        ({"sbp": 72.0, "hr": 39.0}, MEDIUM, "收缩压、心率单项 3 分"),
        ({"hr": 41.0}, LOW, "请问问有无头晕、乏力"),
        ({"hr": 130.0}, LOW, "请让老人安静休息五分钟后复测"),
        ({"dbp": 50.0}, LOW, "慢慢起身以防跌倒"),
        ({"sbp": 219.0}, LOW, "请让老人安静休息五分钟后复测"),
    ],
)
def test_three_points_in_news2_are_urgent_alone_and_the_advice_fits(
    person: Measured,
    history: History,
    settings: AnalyticsSettings,
    signs: dict[str, float],
    priority: AlarmPriority,
    said: str,
) -> None:
    person.measure(90, **{**WELL, **signs})
    finding = the_finding(OutOfLimits(settings).score(history))
    sentence = finding.evidence.sentence["zh_CN"]
    assert (finding.priority, said in sentence) == (priority, True), sentence
    assert "静坐" not in sentence, "who cannot sit is measured as well"
    if priority is MEDIUM:
        assert finding.evidence.chart is not None
        assert finding.evidence.chart.sign in signs
        assert "120" in sentence


class TestWhatTheEarlyWarningCalls:
    """A reading with 3 points in NEWS2 calls by itself; once is enough."""

    RED: Mapping[str, float] = {"sbp": 86.0, "dbp": 52.0, "hr": 70.0}

    @pytest.mark.parametrize(("minutes_ago", "told"), [(29, False), (31, True)])
    def test_it_has_half_an_hour_for_it(
        self,
        person: Measured,
        history: History,
        settings: AnalyticsSettings,
        minutes_ago: float,
        told: bool,
    ) -> None:
        person.measure(minutes_ago, **self.RED)
        assessment = OutOfLimits(settings).score(history)
        assert bool(assessment.findings) == told
        assert person.subject not in assessment.fine

    @pytest.mark.parametrize(
        ("raised_h", "resolved_h", "told"),
        [(2, None, False), (2, 1, False), (6, 4, True)],
        ids=["stands", "dealt with since", "of something before"],
    )
    def test_what_it_has_called_is_not_told_again(
        self,
        person: Measured,
        history: History,
        settings: AnalyticsSettings,
        raised_h: int,
        resolved_h: int | None,
        told: bool,
    ) -> None:
        connection = person.world.connection
        alarm = report(
            connection,
            Report(
                site_id=person.world.home.id,
                kind=AlarmKind.VITALS,
                happened_at=NOW - timedelta(hours=raised_h),
                actor=Actor("early_warning"),
                source=AlarmSource.DETECTOR,
                resident_id=person.resident_id,
                detector="early_warning",
                known_at=NOW - timedelta(hours=raised_h),
            ),
        ).alarm
        if resolved_h is not None:
            connection.execute(
                "UPDATE care.alarm SET state = 'resolved', resolved_at = %s WHERE id = %s",
                (NOW - timedelta(hours=resolved_h), alarm.id),
            )
        person.measure(150, **self.RED)
        assessment = OutOfLimits(settings).score(history)
        assert bool(assessment.findings) == told
        assert person.subject not in assessment.fine

    def test_both_together_raise_one_alarm(
        self, person: Measured, service: Connection, settings: AnalyticsSettings
    ) -> None:
        person.measure(10, **self.RED)
        rounds = Rounds(settings, detectors_of(settings), handling_of(settings))
        for minute in range(0, 80, 5):
            rounds.go_at(service, NOW + timedelta(minutes=minute))
        assert kinds(service) == [("vitals", "medium", "open")]


def kinds(connection: Connection) -> list[tuple[Any, ...]]:
    rows = connection.execute("SELECT kind, priority, state FROM care.alarm ORDER BY id").fetchall()
    return [tuple(row.values()) for row in rows]


class Day:
    """Rounds of `limits` alone, at minutes after NOW."""

    def __init__(self, person: Measured, service: Connection, settings: AnalyticsSettings) -> None:
        self.person, self.service = person, service
        self.rounds = Rounds(settings, [OutOfLimits(settings)], handling_of(settings))

    def at(self, minute: int, **signs: float) -> list[tuple[Any, ...]]:
        """Measure these, then go a round; what alarms there are."""
        if signs:
            self.person.measure(-minute, **signs)
        self.rounds.go_at(self.service, NOW + timedelta(minutes=minute), replayed=True)
        return kinds(self.service)


@pytest.fixture
def day(person: Measured, service: Connection, settings: AnalyticsSettings) -> Day:
    return Day(person, service, settings)


def test_a_better_reading_clears_the_alarm_and_a_day_is_quiet(day: Day) -> None:
    assert day.at(0, **HIGH) == [("out_of_limits", "low", "open")]
    assert day.at(5, **WELL) == [("out_of_limits", "low", "open")], "looked at every ten minutes"
    cleared = [("out_of_limits", "low", "cleared")]
    assert day.at(10) == cleared
    assert day.at(8 * 60, **HIGH) == cleared
    assert day.at(24 * 60, **HIGH) == cleared
    assert day.at(24 * 60 + 20) == [*cleared, ("out_of_limits", "low", "open")]


def test_worse_is_told_at_once(day: Day) -> None:
    day.at(0, **HIGH)
    assert day.at(10, **GRAVE) == [("out_of_limits", "low", "open")]
    assert day.at(20, **GRAVE) == [("out_of_limits", "medium", "open")]


def test_what_was_dealt_with_is_quiet_unless_worse(day: Day) -> None:
    day.at(0, **GRAVE)
    row = day.service.execute("SELECT id FROM care.alarm").fetchone()
    assert row is not None
    for step in (AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED, AlarmStep.RESOLVED):
        take(
            day.service,
            row["id"],
            Step(step=step, actor=Actor("nurse"), note="医生知道", done_at=NOW + timedelta(minutes=15)),
        )
    assert day.at(20) == [("out_of_limits", "low", "resolved")]
    assert day.at(30, **HIGH) == [("out_of_limits", "low", "resolved")]
    assert day.at(40, **GRAVE)[1:] == [("out_of_limits", "medium", "open")]


def test_the_countys_limits_are_the_agreed_ones_unless_it_says_so(settings: AnalyticsSettings) -> None:
    assert limits_of(settings) == Limits()
    changed = msgspec.structs.replace(settings, limits_sbp_mmhg_high=150.0, limits_hr_bpm_low=45.0)
    assert limits_of(changed) == Limits(sbp=(90.0, 150.0), hr=(45.0, 100.0))


READING = st.tuples(
    st.integers(1, 3),
    st.integers(0, 5),
    st.sampled_from([None, 50, 89, 90, 160, 170, 180, 181]),
    st.sampled_from([None, 40, 54, 55, 99, 100, 110, 112]),
    st.sampled_from([None, 40, 50, 51, 100, 131]),
)


@given(
    rows=st.lists(READING, max_size=14, unique_by=lambda row: row[:2]),
    tolerances=st.tuples(*[st.sampled_from([0.75, 1, 1.25, 1.5])] * 3),
)
def test_judged_is_its_slow_twin(
    rows: list[tuple[int, int, float | None, float | None, float | None]], tolerances: tuple[float, ...]
) -> None:
    rows = sorted(rows, key=lambda row: row[:2])
    spot = pd.DataFrame(
        {
            "resident_id": pd.Series([row[0] for row in rows], dtype="int64"),
            "time": pd.to_datetime([NOW + timedelta(hours=row[1]) for row in rows], utc=True),
            **{
                sign: pd.Series([row[place] for row in rows], dtype="float64")
                for place, sign in enumerate(SPOT_SIGNS, start=2)
            },
        }
    )
    readings = by_sign(spot)
    readings["tolerance"] = readings["resident_id"].map(lambda one: tolerances[one - 1]).astype(float)
    found = {
        (row["resident_id"], row["sign"]): (row["value"], row["out"], row["confirmed"])
        for row in judged(readings, Limits()).to_dict("records")
    }
    assert found == slowly(rows, tolerances)


def slowly(rows: list[Any], tolerances: tuple[float, ...]) -> dict[tuple[int, str], tuple[Any, bool, bool]]:
    """For each person and sign the last value, whether it is out, and whether others confirm it."""
    usual = {"sbp": (90, 160), "dbp": (54, 100), "hr": (50, 100)}
    grade_3 = {"sbp": 180, "dbp": 110, "hr": 10_000}
    said = {}
    for person, tolerance in enumerate(tolerances, start=1):
        grave_at = set()
        latest = {}
        for _, hour, *values in [row for row in rows if row[0] == person]:
            for sign, value in zip(usual, values, strict=True):
                if value is None:
                    continue
                low, high = usual[sign]
                middle, half = (low + high) / 2, (high - low) / 2
                out = value <= middle - half * tolerance or value >= middle + half * tolerance
                grave = out and value >= grade_3[sign]
                if grave:
                    grave_at.add(hour)
                latest[sign] = (value, out, grave)
        for sign, (value, out, grave) in latest.items():
            said[person, sign] = (value, out, grave and len(grave_at) >= 2)
    return said
