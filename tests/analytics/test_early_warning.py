"""The early warning on planted vital signs."""

from datetime import timedelta

import msgspec
import pytest

from alarms.evidence import Evidence
from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority
from analytics.detectors import Assessment, Finding, Subject, SubjectKind
from analytics.detectors.early_warning import EarlyWarning
from analytics.history import History
from analytics.settings import AnalyticsSettings
from database.connections import Connection
from protocol.model import DeviceKind
from tests.analytics.conftest import NOW, World

WELL = {"hr": 72.0, "rr": 16.0, "spo2": 97.0}
SCORE_5 = {"hr": 95.0, "rr": 22.0, "spo2": 93.0}
SCORE_7 = {"hr": 115.0, "rr": 22.0, "spo2": 91.0}
MINUTES = range(10, 0, -1)


class Ward:
    """One resident of a home with a wristband and a cuff."""

    def __init__(self, world: World, **resident: int | bool) -> None:
        self.world = world
        self.resident_id = world.resident(world.home, **resident)  # type: ignore[arg-type]
        self.band = world.device(world.home, DeviceKind.WRISTBAND, resident_id=self.resident_id)
        self.cuff = world.device(world.home, DeviceKind.BP_CUFF, resident_id=self.resident_id)

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.RESIDENT, self.resident_id)

    def wears(self, minutes_ago: int, **signs: float) -> None:
        self.world.vitals(self.band, self.resident_id, minutes_ago * 60, **signs)


@pytest.fixture
def ward(world: World) -> Ward:
    return Ward(world)


def the_finding(assessment: Assessment) -> Finding:
    assert len(assessment.findings) == 1
    return assessment.findings[0]


def test_nobody_is_there(world: World, history: History, settings: AnalyticsSettings) -> None:
    assessment = EarlyWarning(settings).score(history)
    assert (assessment.findings, assessment.fine) == ((), {})


@pytest.mark.parametrize(
    ("signs", "priority"),
    [
        (SCORE_7, AlarmPriority.HIGH),
        (SCORE_5, AlarmPriority.MEDIUM),
        ({**WELL, "rr": 26.0}, AlarmPriority.MEDIUM),
        ({**WELL, "rr": 22.0, "hr": 112.0}, None),
    ],
)
def test_priority_follows_the_score(
    ward: Ward,
    history: History,
    settings: AnalyticsSettings,
    signs: dict[str, float],
    priority: AlarmPriority | None,
) -> None:
    for minute in MINUTES:
        ward.wears(minute, **signs)
    assessment = EarlyWarning(settings).score(history)
    assert [finding.priority for finding in assessment.findings] == ([] if priority is None else [priority])
    assert (ward.subject in assessment.fine) == (priority is None)


@pytest.mark.parametrize(
    ("abnormal", "found", "fine"), [(9, True, False), (8, False, False), (2, False, True), (3, False, False)]
)
def test_more_than_four_fifths_of_the_window(
    ward: Ward, history: History, settings: AnalyticsSettings, abnormal: int, found: bool, fine: bool
) -> None:
    for minute in MINUTES:
        ward.wears(minute, **(SCORE_7 if minute <= abnormal else WELL))
    assessment = EarlyWarning(settings).score(history)
    assert bool(assessment.findings) == found
    assert (ward.subject in assessment.fine) == fine
    if found:
        assert the_finding(assessment).since == NOW - timedelta(minutes=abnormal)


def test_the_finding_explains_itself(ward: Ward, history: History, settings: AnalyticsSettings) -> None:
    for minute in MINUTES:
        ward.wears(minute, **SCORE_7)
    finding = the_finding(EarlyWarning(settings).score(history))
    assert (finding.subject, finding.site_id, finding.kind) == (
        ward.subject,
        ward.world.home.id,
        AlarmKind.VITALS,
    )
    evidence = finding.evidence
    assert evidence.score == 7
    assert evidence.own["points"] == {"rr": 2, "spo2": 3, "hr": 2}
    assert evidence.own["values"] == {"rr": 22.0, "spo2": 91.0, "hr": 115.0}
    assert evidence.own["missing"] == ["sbp", "temp", "consciousness"]
    assert evidence.sentence == {
        "zh_CN": "13:50 起 10 次测量中 10 次异常：预警评分（NEWS2）7 分（正常 0–4 分）；"
        "血氧 91 %（正常 ≥96），呼吸 22 次/分（正常 12–20），心率 115 次/分（正常 51–90）。"
        "未测：收缩压、体温、意识。",
        "en": "Since 13:50, 10 of 10 measurements abnormal: early warning score (NEWS2) 7 (normal 0–4); "
        "SpO2 91 % (normal ≥96), respiration 22 /min (normal 12–20), pulse 115 /min (normal 51–90). "
        "Not measured: systolic pressure, temperature, consciousness.",
    }
    assert msgspec.json.decode(msgspec.json.encode(evidence), type=Evidence) == evidence


@pytest.mark.parametrize(("age_min", "counts"), [(6 * 60 - 15, True), (6 * 60 + 11, False)])
def test_a_slow_sign_counts_until_it_is_stale(
    ward: Ward, history: History, settings: AnalyticsSettings, age_min: int, counts: bool
) -> None:
    ward.world.vitals(ward.cuff, ward.resident_id, age_min * 60, sbp=85)
    for minute in MINUTES:
        ward.wears(minute, **{**WELL, "rr": 22.0})
    assessment = EarlyWarning(settings).score(history)
    assert bool(assessment.findings) == counts
    if counts:
        finding = the_finding(assessment)
        assert finding.evidence.own["points"]["sbp"] == 3
        assert "sbp" not in finding.evidence.own["missing"]


def test_one_sample_of_a_wristband_is_not_enough(
    ward: Ward, history: History, settings: AnalyticsSettings
) -> None:
    ward.wears(1, **SCORE_7)
    assessment = EarlyWarning(settings).score(history)
    assert (assessment.findings, assessment.fine) == ((), {})


def test_one_reading_on_purpose_is_enough(ward: Ward, history: History, settings: AnalyticsSettings) -> None:
    ward.world.vitals(ward.cuff, ward.resident_id, 60, sbp=85, hr=88)
    finding = the_finding(EarlyWarning(settings).score(history))
    assert finding.priority is AlarmPriority.MEDIUM
    assert finding.evidence.own["samples"] == 1


@pytest.mark.parametrize(
    ("signs", "why_zh", "why_en"),
    [
        (
            {"rr": 26.0, "hr": 95.0},
            "呼吸单项 3 分（NEWS2），须尽快处理；",
            "3 points for respiration alone (NEWS2)",
        ),
        ({"rr": 26.0, "hr": 115.0}, "预警评分（NEWS2）5 分（正常 0–4 分）；", "score (NEWS2) 5 (normal 0–4)"),
    ],
)
def test_a_total_that_is_as_it_should_be_is_not_the_reason(
    ward: Ward,
    history: History,
    settings: AnalyticsSettings,
    signs: dict[str, float],
    why_zh: str,
    why_en: str,
) -> None:
    for minute in MINUTES:
        ward.wears(minute, spo2=97.0, **signs)
    evidence = the_finding(EarlyWarning(settings).score(history)).evidence
    assert why_zh in evidence.sentence["zh_CN"]
    assert why_en in evidence.sentence["en"]
    assert ("score" in evidence.expected) == (evidence.score is not None and evidence.score >= 5)


def test_a_slow_wristband_is_judged_by_its_last_samples(
    ward: Ward, history: History, settings: AnalyticsSettings
) -> None:
    for minute in (35, 25, 14):
        ward.wears(minute, **SCORE_7)
    assert the_finding(EarlyWarning(settings).score(history)).evidence.own["samples"] == 3


def test_a_wristband_that_was_taken_off_says_nothing(
    ward: Ward, history: History, settings: AnalyticsSettings
) -> None:
    for minute in MINUTES:
        ward.wears(minute + 20, **SCORE_7)
    assessment = EarlyWarning(settings).score(history)
    assert (assessment.findings, assessment.fine) == ((), {})


def test_scale_and_oxygen_are_the_persons_own(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    signs = {"hr": 72.0, "rr": 16.0, "spo2": 90.0}
    wards = {
        "scale 1": Ward(world),
        "scale 2": Ward(world, spo2_scale=2),
        "scale 2, oxygen": Ward(world, spo2_scale=2, on_oxygen=True),
    }
    for ward in wards.values():
        for minute in MINUTES:
            ward.wears(minute, **signs)
    assessment = EarlyWarning(settings).score(History(service, NOW))
    assert [finding.subject for finding in assessment.findings] == [wards["scale 1"].subject]
    assert set(assessment.fine) == {wards["scale 2"].subject, wards["scale 2, oxygen"].subject}


def test_signs_of_nobody_and_of_those_who_left_are_left_aside(
    ward: Ward, history: History, settings: AnalyticsSettings
) -> None:
    ward.world.connection.execute("UPDATE care.resident SET left_on = %s", (NOW.date(),))
    for minute in MINUTES:
        ward.wears(minute, **SCORE_7)
        ward.world.vitals(ward.cuff, None, minute * 60, sbp=85)
    assert EarlyWarning(settings).score(history).findings == ()


def test_what_is_later_than_now_does_not_count(
    ward: Ward, service: Connection, settings: AnalyticsSettings
) -> None:
    for minute in MINUTES:
        ward.wears(minute, **SCORE_7)
    earlier = History(service, NOW - timedelta(hours=1))
    assert EarlyWarning(settings).score(earlier).findings == ()


@pytest.mark.parametrize(
    ("minutes_ago", "others", "found"),
    [(25, WELL, True), (60, WELL, False), (60, {**WELL, "rr": 22.0}, True)],
    ids=["just measured", "asked for already", "with others it still counts"],
)
def test_one_bad_reading_asks_once_for_somebody(
    ward: Ward,
    history: History,
    settings: AnalyticsSettings,
    minutes_ago: int,
    others: dict[str, float],
    found: bool,
) -> None:
    ward.world.vitals(ward.cuff, ward.resident_id, minutes_ago * 60, sbp=88.0)
    for minute in MINUTES:
        ward.wears(minute, **others)
    assessment = EarlyWarning(settings).score(history)
    assert bool(assessment.findings) == found
    assert ward.subject not in assessment.fine, "an alarm that nobody has answered stays"
