"""What holds for every detector, whatever it looks for."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from alarms.incident import Report, Step, report, take, timeline
from alarms.kinds import KIND_FOUND_BY, AlarmKind, AlarmPriority, AlarmSource
from alarms.model import AlarmStep
from analytics.detectors import Assessment, Detector, Finding, Subject, SubjectKind
from analytics.history import History
from analytics.judge import Amend, Over, decide
from analytics.rounds import CADENCES, Rounds, carry_out, detectors_of, handling_of
from analytics.settings import AnalyticsSettings
from care.model import RoomKind, SiteKind
from database.connections import Connection
from identity.model import Actor
from protocol.model import ActivityEvent, DeviceKind
from protocol.signs import SIGNS
from tests.analytics.conftest import NOW, World
from tests.analytics.walkers import Walker, calm_homes
from tests.servers import Database

NAMES = [
    detector.name for detector in detectors_of(AnalyticsSettings(database_url="postgresql://nobody@nowhere"))
]
MIDNIGHT = NOW + timedelta(hours=11)
"""One o'clock at night: beds left and doors used count only then."""
WEEKS_H = 36 * 24
ROOMS = ("卧室", "客厅", "卫生间")
NAME = "李秀英"
"""Everybody's name in these worlds; it must be in no finding."""


class Misfortune:
    """A county in which every detector has something to find at MIDNIGHT, and much that is well."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.pulses(2 * 86_400, self.ago(0))
        self.rng = np.random.default_rng(20_250_303)
        self._outbreak_and_illness()
        self._at_home_at_night()
        self._fallen()
        self._devices()
        self._away()
        calm_homes(world, MIDNIGHT)
        Walker(world, "restless").walk(MIDNIGHT - timedelta(minutes=59), 200, 0.9)

    @staticmethod
    def ago(minutes: float) -> float:
        """Seconds before NOW of a time so many minutes before MIDNIGHT."""
        return minutes * 60 - 11 * 3600

    def _outbreak_and_illness(self) -> None:
        for index in range(6):
            resident_id = self.world.resident(self.world.home)
            band = self.world.device(
                self.world.home, DeviceKind.WRISTBAND, resident_id=resident_id, seen_s=self.ago(1)
            )
            noise = self.rng.standard_normal((3, WEEKS_H))
            temp, hr, rr = 36.4 + 0.1 * noise[0], 70 + 2 * noise[1], 16 + 0.7 * noise[2]
            if index < 4:
                temp[-10:] += 2.0
                hr[-10:] += 20
                rr[-10:] += 5
            signs = {"temp": temp.tolist(), "hr": hr.tolist(), "rr": rr.tolist()}
            self.world.hours(band, resident_id, signs, end_h=-11)
            for minute in range(1, 13):
                self.world.vitals(band, resident_id, self.ago(minute), hr=118, rr=26, spo2=90, temp=38.6)

    def _at_home_at_night(self) -> None:
        world = self.world
        bedroom = world.room(world.household, "卧室")
        hall = world.room(world.household, "客厅", RoomKind.LIVING_ROOM)
        bathroom = world.room(world.household, "卫生间", RoomKind.BATHROOM)
        resident_id = world.resident(world.household)
        near: dict[str, Any] = {"seen_s": self.ago(1)}
        mattress = world.device(world.household, DeviceKind.SMART_MATTRESS, resident_id=resident_id, **near)
        door = world.device(world.household, DeviceKind.DOOR_CONTACT, room_id=hall, **near)
        motion = world.device(world.household, DeviceKind.MOTION, room_id=bedroom, **near)
        washroom = world.device(world.household, DeviceKind.MOTION, room_id=bathroom, **near)
        world.latest(resident_id, "in_bed", False, self.ago(90))
        world.activity(mattress, self.ago(90), ActivityEvent.OUT_OF_BED)
        world.activity(door, self.ago(80), ActivityEvent.DOOR_CLOSED)
        for minute in range(1, 8):
            world.vitals(mattress, resident_id, self.ago(minute), rr=6)
        for day in range(30):
            world.activity_hours(motion, [24 * day + hour for hour in range(-2, 5)], room_id=bedroom)
            visits = 30 if day < 2 else 1  # at two o'clock at night
            world.activity_hours(washroom, [24 * day + 12], room_id=bathroom, count=visits)
        unturned = world.resident(self.world.site("house-2", SiteKind.HOUSEHOLD))
        world.connection.execute(
            "UPDATE care.resident SET can_get_in_and_out_of_bed = false WHERE id = %s", (unturned,)
        )
        site = world.site("house-3", SiteKind.HOUSEHOLD)
        bed = world.device(site, DeviceKind.SMART_MATTRESS, resident_id=unturned, **near)
        world.latest(unturned, "in_bed", True, self.ago(600))
        world.activity(bed, self.ago(600), ActivityEvent.IN_BED)

    def _fallen(self) -> None:
        site = self.world.site("house-4", SiteKind.HOUSEHOLD)
        resident_id = self.world.resident(site)
        room_id = self.world.room(site, "卫生间", RoomKind.BATHROOM)
        near: dict[str, Any] = {"seen_s": self.ago(1)}
        radar = self.world.device(site, DeviceKind.FALL_RADAR, room_id=room_id, **near)
        # In the bathroom for five hours: that is found as well.
        self.world.activity(radar, self.ago(300), ActivityEvent.PRESENCE, room_id=room_id)
        report(
            self.world.connection,
            Report(
                site_id=site.id,
                kind=AlarmKind.FALL,
                happened_at=MIDNIGHT - timedelta(minutes=5),
                actor=Actor("radar"),
                source=AlarmSource.DEVICE,
                resident_id=resident_id,
                device_id=radar,
            ),
        )

    def _devices(self) -> None:
        world, home = self.world, self.world.home
        resident_id = world.resident(home)
        band = world.device(home, DeviceKind.WRISTBAND, resident_id=resident_id, seen_s=self.ago(1))
        other = world.device(home, DeviceKind.SMART_MATTRESS, resident_id=resident_id, seen_s=self.ago(1))
        world.hours(band, resident_id, {"hr": [70.0] * 168 + [95.0] * 168}, end_h=-11)
        world.hours(other, resident_id, {"hr": (70 + self.rng.standard_normal(336)).tolist()}, end_h=-11)
        world.device(home, DeviceKind.GATEWAY, seen_s=self.ago(1))
        world.device(home, DeviceKind.SMART_MATTRESS, seen_s=self.ago(120))
        button = world.device(home, DeviceKind.SOS_BUTTON, resident_id=resident_id, seen_s=self.ago(1))
        for day in range(12):
            world.status(button, self.ago(day * 1440), battery=20 + day)

        cuff = world.device(home, DeviceKind.BP_CUFF, resident_id=resident_id, seen_s=self.ago(90))
        world.vitals(cuff, resident_id, self.ago(90), sbp=172, dbp=96, hr=78)

    def _away(self) -> None:
        site = self.world.site("house-5", SiteKind.HOUSEHOLD)
        self.world.resident(site)
        room_id = self.world.room(site, "客厅", RoomKind.LIVING_ROOM)
        motion = self.world.device(site, DeviceKind.MOTION, room_id=room_id, seen_s=self.ago(1))
        self.world.activity_hours(motion, [20 * 24], room_id=room_id)


@pytest.fixture
def misfortune(world: World) -> Misfortune:
    return Misfortune(world)


Score = Callable[[str], Assessment]


def detector_named(settings: AnalyticsSettings, name: str) -> Detector:
    (detector,) = (one for one in detectors_of(settings) if one.name == name)
    return detector


@pytest.fixture
def score(service: Connection, settings: AnalyticsSettings) -> Score:
    """Score at MIDNIGHT with a detector that knows nothing yet, as after a restart."""
    return lambda name: detector_named(settings, name).score(History(service, MIDNIGHT))


def test_names_are_one_each_and_every_kind_has_a_policy(settings: AnalyticsSettings) -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert set(CADENCES) <= set(NAMES)
    for detector in detectors_of(settings):
        assert detector.kind in handling_of(settings)
        assert KIND_FOUND_BY[detector.name] is detector.kind


def test_nothing_is_found_in_an_empty_county(score: Score) -> None:
    for name in NAMES:
        assessment = score(name)
        assert (assessment.findings, dict(assessment.fine)) == ((), {}), name


def test_what_it_finds_it_finds_again_and_explains(misfortune: Misfortune, score: Score) -> None:
    for name in NAMES:
        assessment = score(name)
        assert assessment.findings, f"there is something to find for {name}"
        assert score(name) == assessment, name
        assert_in_order(assessment)


def assert_in_order(assessment: Assessment) -> None:
    subjects = [finding.subject for finding in assessment.findings]
    assert len(set(subjects)) == len(subjects)
    assert not set(subjects) & set(assessment.fine), "nobody is found and fine at once"
    assert all(since <= MIDNIGHT for since in assessment.fine.values())
    for finding in assessment.findings:
        assert finding.kind == assessment.kind
        assert finding.since <= MIDNIGHT
        assert_explains_itself(finding.evidence)


def assert_explains_itself(evidence: Any) -> None:
    text = json.dumps(evidence, ensure_ascii=False, allow_nan=False)
    assert NAME not in text
    assert set(evidence["sentence"]) == {"zh_CN", "en"}
    assert any("\u4e00" <= letter <= "\u9fff" for letter in evidence["sentence"]["zh_CN"])
    english = evidence["sentence"]["en"]
    for room in ROOMS:
        english = english.replace(room, "")  # a room is called what it is called
    assert not any("\u4e00" <= letter <= "\u9fff" for letter in english)
    assert "nan" not in english.split()
    assert evidence["window"]["from"] <= evidence["window"]["to"]
    for part in evidence.get("contributions", ()):
        assert ("sign" in part) != ("habit" in part)
        assert {"value", "expected_low", "expected_high", "share"} <= set(part)
    if chart := evidence.get("chart"):
        assert chart["source"] in {"vitals", "activity", "device"}
        assert chart["from"] < chart["to"]
        if chart["source"] == "vitals":
            assert chart["sign"] in SIGNS


def test_the_future_changes_nothing(misfortune: Misfortune, score: Score) -> None:
    before = {name: score(name) for name in NAMES}
    world = misfortune.world
    later_s = misfortune.ago(0) - 1
    for row in world.connection.execute(
        "SELECT device_id, resident_id, room_id FROM care.device_assignment ORDER BY device_id"
    ).fetchall():
        device_id = row["device_id"]
        world.activity(device_id, later_s, ActivityEvent.MOTION, room_id=row["room_id"])
        world.status(device_id, later_s, battery=1, clock_replaced=True)
        if row["resident_id"] is not None:
            world.connection.execute(
                "INSERT INTO readings.vitals (time, device_id, resident_id, hr, temp, rr)"
                " VALUES (%s, %s, %s, 200, 41, 40)",
                (MIDNIGHT + timedelta(seconds=1), device_id, row["resident_id"]),
            )
            world.connection.execute(
                "INSERT INTO readings.vitals_hourly (hour, device_id, resident_id, row_count, hr_sum,"
                " hr_count, hr_min, hr_max, rr_count, spo2_count, temp_count, sbp_count, dbp_count,"
                " glucose_count, weight_count)"
                " VALUES (%s, %s, %s, 9, 1800, 9, 200, 200, 0, 0, 0, 0, 0, 0, 0)",
                (MIDNIGHT, device_id, row["resident_id"]),
            )
        world.activity_hours(device_id, [-11], room_id=row["room_id"])
    for name in NAMES:
        assert score(name) == before[name], name


def test_rows_without_values_break_nothing(misfortune: Misfortune, score: Score) -> None:
    world = misfortune.world
    world.connection.execute(
        "INSERT INTO readings.resident_state (resident_id) SELECT id FROM care.resident"
        " ON CONFLICT DO NOTHING"
    )
    world.connection.execute("UPDATE readings.device_state SET last_seen_at = NULL, battery = NULL")
    world.connection.execute(
        "INSERT INTO readings.vitals (time, device_id) SELECT %s, id FROM care.device", (MIDNIGHT,)
    )
    world.connection.execute(
        "INSERT INTO readings.vitals (time, device_id, resident_id) SELECT %s, device_id, resident_id"
        " FROM care.device_assignment",
        (MIDNIGHT - timedelta(seconds=1),),
    )
    world.connection.execute(
        "INSERT INTO readings.device_status (time, device_id, online) SELECT %s, id, false FROM care.device",
        (MIDNIGHT,),
    )
    world.connection.execute(
        "INSERT INTO readings.activity (time, device_id, event) SELECT %s, id, 'motion' FROM care.device",
        (MIDNIGHT - timedelta(days=2),),
    )
    for name in NAMES:
        for finding in score(name).findings:
            assert_explains_itself(finding.evidence)


def test_deciding_again_gives_nothing(
    misfortune: Misfortune, service: Connection, settings: AnalyticsSettings
) -> None:
    def proposals(detector: Detector) -> Any:
        handling = handling_of(settings)[detector.kind]
        history = History(service, MIDNIGHT)
        standing = history.standing_alarms([detector.kind])
        return decide(detector.score(history), standing, handling, MIDNIGHT, history.detector_settings)

    for detector in detectors_of(settings):
        # Two detectors may find the same of one device: whoever comes second has nothing to add.
        first = proposals(detector)
        assert first or detector.name == "device_drift", detector.name
        for proposal in first:
            assert carry_out(service, proposal) in {"raised", "amended"}
        assert proposals(detector) == (), detector.name


def test_whole_rounds_survive_a_restart(
    misfortune: Misfortune, service: Connection, settings: AnalyticsSettings
) -> None:
    def new_rounds() -> Rounds:
        return Rounds(settings, detectors_of(settings), handling_of(settings))

    def alarms() -> list[Any]:
        return service.execute(
            "SELECT subject, kind, priority, state, evidence FROM care.alarm ORDER BY id"
        ).fetchall()

    def failures(rounds: Rounds) -> list[str]:
        return [what for what in rounds.counts if what.startswith("failed:")]

    rounds = new_rounds()
    rounds.go_at(service, MIDNIGHT)
    assert failures(rounds) == []
    before = alarms()
    assert {row["kind"] for row in before} >= {str(kind) for kind in AlarmKind} - {
        "sos", "smoke", "gas", "water", "tamper",
    }  # fmt: skip
    again = new_rounds()
    again.go_at(service, MIDNIGHT)
    again.go_at(service, MIDNIGHT + timedelta(seconds=30))
    assert (failures(again), alarms()) == ([], before)
    assert again.counts["raised"] == 0


def test_slow_detectors_run_once_in_their_span(
    database: Database, service: Connection, settings: AnalyticsSettings
) -> None:
    ran: list[str] = []

    class Counting:
        """Finds nothing, and tells that it was asked."""

        kind = AlarmKind.ROUTINE_CHANGE

        def __init__(self, name: str) -> None:
            self.name = name

        def score(self, history: History) -> Assessment:
            ran.append(self.name)
            return Assessment(detector=self.name, kind=self.kind)

    def minute(at_min: int) -> list[str]:
        ran.clear()
        # A new process each time: when it ran is in the database only.
        detectors = [Counting("quick"), Counting("baseline"), Counting("routine")]
        Rounds(settings, detectors, handling_of(settings)).go_at(service, NOW + timedelta(minutes=at_min))
        return list(ran)

    assert minute(0) == ["quick", "baseline", "routine"]
    assert minute(1) == ["quick"]
    assert minute(14) == ["quick"]
    assert minute(15) == ["quick", "baseline"]  # 14:15
    assert minute(16) == ["quick"]
    assert minute(75) == ["quick", "baseline"]
    assert minute(269) == ["quick", "baseline"]
    assert minute(270) == ["quick", "routine"]  # 18:30
    assert minute(271) == ["quick"]


def test_the_cause_of_an_urgent_alarm_is_told_to_be_over(
    service: Connection, settings: AnalyticsSettings, world: World
) -> None:
    resident_id = world.resident(world.home)
    band = world.device(world.home, DeviceKind.WRISTBAND, resident_id=resident_id)
    for minute in range(10, 0, -1):
        world.vitals(band, resident_id, minute * 60, hr=135, rr=26, spo2=88, temp=39.5)
    rounds = Rounds(settings, detectors_of(settings), handling_of(settings))
    rounds.go_at(service, NOW)
    for minute in range(1, 21):
        world.vitals(band, resident_id, -minute * 60, hr=72, rr=16, spo2=97, temp=36.6)
    for minute in (20, 21):
        rounds.go_at(service, NOW + timedelta(minutes=minute))
    row = service.execute(
        "SELECT state, priority, condition_ended_at IS NOT NULL AS over,"
        " (SELECT count(*) FROM care.alarm_event WHERE step = 'condition_ended') AS told"
        " FROM care.alarm WHERE kind = 'vitals'"
    ).fetchone()
    assert row == {"state": "open", "priority": "high", "over": True, "told": 1}
    assert rounds.counts["eased"] == 1


def test_what_is_too_late_changes_nothing(world: World, service: Connection) -> None:
    resident_id = world.resident(world.home)
    subject = Subject(SubjectKind.RESIDENT, resident_id)
    found = Finding(
        subject=subject,
        site_id=world.home.id,
        kind=AlarmKind.FALL,
        priority=AlarmPriority.HIGH,
        since=NOW,
        evidence={"sentence": {"en": "x"}},
        grade="likely",
    )
    told = Report(
        site_id=world.home.id,
        kind=AlarmKind.FALL,
        happened_at=NOW,
        actor=Actor("radar"),
        source=AlarmSource.DEVICE,
        resident_id=resident_id,
    )
    alarm_id = report(service, told).alarm.id
    take(service, alarm_id, Step(step=AlarmStep.CANCELLED, actor=Actor("王芳"), note="误触"))
    before = timeline(service, alarm_id)
    for proposal in (
        Over(detector="x", alarm_id=alarm_id, fine_since=NOW),
        Amend(detector="x", alarm_id=alarm_id, finding=found),
    ):
        assert carry_out(service, proposal) == "too_late"
    assert timeline(service, alarm_id) == before
