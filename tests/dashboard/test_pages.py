"""What the pages say, and to whom."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from alarms.incident import Report, Step, report, take, timeline
from alarms.kinds import AlarmKind, AlarmSource
from alarms.model import AlarmPriority, AlarmStep
from care import registry
from care.model import CareCategory, RoomKind, SiteKind
from dashboard.languages import languages
from dashboard.render import phones
from dashboard.steps import buttons
from database.connections import Connection
from identity.model import Actor, StaffRole
from identity.sessions import actor_of
from protocol.model import DeviceKind
from tests.care.conftest import SINCE, County
from tests.dashboard.conftest import sign_in
from tests.dashboard.ward import Ward

HTMX = {"HX-Request": "true"}


def test_a_quiet_desk_says_so(caregiver: TestClient) -> None:
    page = caregiver.get("/desk").text
    assert "一切平安" in page
    assert "青石敬老院：1 位老人" in page


def test_a_card_says_who_where_what_and_what_to_press(
    caregiver: TestClient, owner: Connection, ward: Ward
) -> None:
    alarm = ward.alarm(owner, 3, AlarmKind.SOS)
    card = caregiver.get("/desk/alarms").text
    for text in ("刘玉珍", "202 房 · 2 床", "紧急呼救", "紧急", "无人接警", "我去"):
        assert text in card
    assert f'data-clock="{int(alarm.opened_at.timestamp() * 1000)}"' in card


def test_the_most_urgent_and_unanswered_come_first(
    caregiver: TestClient, owner: Connection, county: County, ward: Ward
) -> None:
    low = ward.alarm(owner, 0, AlarmKind.LOW_BATTERY, seconds_ago=900)
    answered = ward.alarm(owner, 1, AlarmKind.FALL, seconds_ago=600)
    take(owner, answered.id, Step(step=AlarmStep.ACKNOWLEDGED, actor=actor_of(county.colleague)))
    medium = ward.alarm(owner, 2, AlarmKind.VITALS, seconds_ago=500)
    young = ward.alarm(owner, 3, AlarmKind.SOS, seconds_ago=20)
    old = ward.alarm(owner, 4, AlarmKind.SOS, seconds_ago=100)
    listed = [alarm["id"] for alarm in caregiver.get("/api/alarms").json()["alarms"]]
    assert listed == [old.id, young.id, answered.id, medium.id, low.id]


def test_the_whole_way_by_the_pages(
    caregiver: TestClient, owner: Connection, county: County, ward: Ward
) -> None:
    alarm = ward.alarm(owner, 3, AlarmKind.SOS)
    words = {
        AlarmStep.ACKNOWLEDGED: {},
        AlarmStep.ARRIVED: {},
        AlarmStep.RESOLVED: {"note": "滑倒，无外伤"},
        AlarmStep.CLOSED: {"told_at": "10:42", "told_way": "phone", "told_person": "女儿李梅"},
    }
    assert "马上赶过去" in caregiver.get(f"/alarms/{alarm.id}").text
    for step, data in words.items():
        answer = caregiver.post(f"/alarms/{alarm.id}/steps/{step}", headers=HTMX, data=data)
        assert (answer.status_code, answer.headers["HX-Trigger-After-Swap"]) == (200, "step-taken")
    lines = timeline(owner, alarm.id)
    assert [(line.step, line.actor) for line in lines[1:]] == [(step, "王护理") for step in words]
    assert lines[3].note == "滑倒，无外伤"
    assert lines[4].detail["family_notice"] == "10:42，电话，女儿李梅"
    page = caregiver.get(f"/alarms/{alarm.id}").text
    assert "马上赶过去" not in page, "what to do first is for who has not been there"
    for text in ("滑倒，无外伤", "10:42，电话，女儿李梅", "已结案"):
        assert text in page
    assert f"alarm-{alarm.id}" not in caregiver.get("/desk/alarms").text


@pytest.mark.parametrize("as_field", [True, False])
def test_a_press_that_is_sent_again_is_taken_once(
    caregiver: TestClient, owner: Connection, ward: Ward, *, as_field: bool
) -> None:
    alarm = ward.alarm(owner, 3, AlarmKind.SOS)

    def send(key: str, step: str = "steps/acknowledged", **data: str) -> tuple[int, str]:
        field, header = ({"key": key}, {}) if as_field else ({}, {"Idempotency-Key": key})
        answer = caregiver.post(
            f"/alarms/{alarm.id}/{step}", headers={**HTMX, **header}, data={**data, **field}
        )
        return answer.status_code, answer.text

    assert send("a1")[0] == 200
    assert send("a1")[0] == 200
    assert send("n1", "notes", note="门锁着")[0] == 200
    assert send("n1", "notes", note="门锁着")[0] == 200
    assert len(timeline(owner, alarm.id)) == 3
    status, text = send("a1", "notes", note="门锁着")
    assert status == 422
    assert "另一次操作" in text
    assert send("x" * 65)[0] == 422
    for _ in range(2):
        program = caregiver.post(
            f"/api/alarms/{alarm.id}/steps/arrived", json={}, headers={"Idempotency-Key": "p1"}
        )
        assert (program.status_code, program.json()["state"]) == (200, "arrived")
    assert send("a2")[0] == 409, "another press is another step"


def test_a_note_is_written(caregiver: TestClient, owner: Connection, ward: Ward) -> None:
    alarm = ward.alarm(owner, 3, AlarmKind.SOS)
    assert caregiver.post(f"/alarms/{alarm.id}/notes", data={"note": " "}).status_code == 422
    assert caregiver.post(f"/alarms/{alarm.id}/notes", data={"note": "<b>门锁着</b>"}).status_code == 200
    page = caregiver.get(f"/alarms/{alarm.id}").text
    assert "&lt;b&gt;门锁着&lt;/b&gt;" in page, "what people write is never taken for HTML"


def test_what_a_detector_saw_is_told_in_the_reader_s_language(
    caregiver: TestClient, owner: Connection, ward: Ward
) -> None:
    sentence = {"zh_CN": "心率 126，预警评分 6。", "en": "Pulse 126, warning score 6."}
    alarm = ward.alarm(owner, 1, AlarmKind.VITALS, evidence={"sentence": sentence})
    assert sentence["zh_CN"] in caregiver.get(f"/alarms/{alarm.id}").text
    assert sentence["zh_CN"] in caregiver.get("/desk").text
    caregiver.post("/language", data={"code": "en"})
    assert sentence["en"] in caregiver.get(f"/alarms/{alarm.id}").text


def test_nothing_of_another_home_is_shown(visitor: TestClient, owner: Connection, ward: Ward) -> None:
    ward.fill_day(owner)
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    outsider = sign_in(visitor, "zhao")
    resident = ward.residents[0]
    for path in (
        f"/alarms/{alarm.id}",
        f"/alarms/{alarm.id}/steps/resolved",
        f"/alarms/{alarm.id}/feedback",
        f"/residents/{resident.id}",
        f"/api/residents/{resident.id}/signs",
        f"/api/residents/{resident.id}/signs?range=1y",
        f"/api/alarms/{alarm.id}/evidence",
    ):
        assert outsider.get(path).status_code == 404, path
    for path in (f"/alarms/{alarm.id}/steps/acknowledged", f"/alarms/{alarm.id}/notes"):
        assert outsider.post(path, headers=HTMX, data={"note": "x"}).status_code == 404, path
    home = ward.county.home
    for path in (
        f"/desk?site={home.id}",
        f"/desk/alarms?site={home.id}",
        f"/desk/beds?site={home.id}",
        "/api/alarms",
        "/county",
        "/county/detectors",
        f"/county/devices?site={home.id}",
    ):
        text = outsider.get(path).text
        for secret in (resident.name, home.name, "smart-mattress", "紧急呼救"):
            assert secret not in text, (path, secret)
    assert timeline(owner, alarm.id)[-1].step is AlarmStep.RAISED


def test_values_show_their_age_and_grey_out(caregiver: TestClient, owner: Connection, ward: Ward) -> None:
    grid = caregiver.get("/desk/beds").text
    assert grid.count('class="bed ') == 13
    stale, fresh = (
        grid.partition(f'id="bed-{ward.residents[n].id}"')[2].partition("</a>")[0] for n in (0, 1)
    )
    assert stale.count(" stale") == 4  # pulse, breathing, oxygen, blood pressure
    assert " stale" not in fresh
    assert "124/75" in fresh
    assert "data-ago=" in fresh


def test_a_household_shows_its_address(visitor: TestClient, owner: Connection, county: County) -> None:
    site = registry.add_site(
        owner,
        code="house-9",
        kind=SiteKind.HOUSEHOLD,
        name="陈家",
        township="青石镇",
        address="柳树村 3 组 12 号",
        phone="555 0199",
    )
    report(
        owner,
        Report(
            site_id=site.id,
            kind=AlarmKind.SMOKE,
            happened_at=datetime.now(UTC),
            actor=Actor("smoke-0009"),
            source=AlarmSource.DEVICE,
        ),
    )
    page = sign_in(visitor, "town").get("/desk").text
    assert "柳树村 3 组 12 号" in page
    assert 'href="tel:555 0199"' in page


def test_the_county_adds_up(visitor: TestClient, owner: Connection, county: County, ward: Ward) -> None:
    for number, (age_s, kind) in enumerate(
        [(20, AlarmKind.SOS), (200, AlarmKind.SOS), (800, AlarmKind.VITALS), (7200, AlarmKind.FALL)]
    ):
        ward.alarm(owner, number, kind, seconds_ago=age_s)
    for number, answer_s in enumerate((30, 50, 100)):
        alarm = ward.alarm(owner, 5 + number, AlarmKind.SOS, seconds_ago=86_400)
        owner.execute(
            "UPDATE care.alarm SET state = 'closed', ended_at = now(), acknowledged_at = opened_at + %s,"
            " arrived_at = opened_at + interval '5 min' WHERE id = %s",
            (timedelta(seconds=answer_s), alarm.id),
        )
    supervisor = sign_in(visitor, "county")
    assert supervisor.get("/").headers["location"] == "/county"
    from dashboard.county import queries

    with owner.transaction():
        owner.execute("SET LOCAL ROLE anshou_web")
        token = visitor.cookies["anshou_session"]
        owner.execute("SELECT set_config('anshou.session', %s, true)", (token,))
        whole, reports = queries.site_reports(owner)
    home = next(report for report in reports if report.id == county.home.id)
    assert (whole.open, whole.open_high) == (4, 3)
    assert (home.under_1_min, home.under_5_min, home.under_15_min, home.older) == (1, 1, 1, 1)
    # Of 30, 50, 100 s and three that nobody answered; and who cancels only after a day was not quick.
    assert home.answer_s_median == 100
    # Answered within 60 s: two; late: one; due and unanswered: three. The youngest is not due yet.
    assert home.answered_in_time == pytest.approx(2 / 6)
    # There within 15 min: three; due and not there: one.
    assert home.arrived_in_time == pytest.approx(3 / 4)
    assert (home.devices, home.devices_live) == (14, 10)
    assert (whole.residents, len(reports)) == (14, 3)
    assert (home.answers_due, home.arrivals_due, home.false_alarms) == (6, 4, 0)
    page = supervisor.get("/county").text
    assert "青石敬老院" in page
    assert "白河敬老院" in page
    assert "王家" not in supervisor.get("/county?kind=care_home").text


@pytest.mark.parametrize("path", ["/desk?site=", "/desk/beds?site=", "/county/devices?site="])
def test_choosing_no_place_means_all(visitor: TestClient, county: County, path: str) -> None:
    assert sign_in(visitor, "county").get(path).status_code == 200


def test_dead_letters_tell_their_reason(visitor: TestClient, owner: Connection, county: County) -> None:
    owner.execute(
        "INSERT INTO readings.dead_letter (topic, payload, payload_bytes, reason, detail, site_id)"
        " VALUES ('anshou/v1/home-a/x/vitals', %s, 18, 'out_of_limits', 'hr 900', %s)",
        (b'\xff<script>{"hr":900}\x00', county.home.id),
    )
    page = sign_in(visitor, "county").get("/county/devices").text
    assert "数值超出可能范围" in page
    assert "&lt;script&gt;" in page
    assert "smoke-0001" in page, "a device that was never heard needs a look"


def test_a_resident_s_page_and_chart(caregiver: TestClient, owner: Connection, ward: Ward) -> None:
    ward.fill_day(owner)
    resident = ward.residents[0]
    page = caregiver.get(f"/residents/{resident.id}").text
    for text in ("李秀英", "201 房 · 1 床", "能自理", "smart-mattress-0001", "女儿 李梅"):
        assert text in page
    data = caregiver.get(f"/api/residents/{resident.id}/signs").json()
    pulse = data["signs"]["hr"]
    assert sum(value is not None for _, value in pulse) in (
        1_379,
        1_380,
    )  # the oldest may just have left the day
    assert sum(value is None for _, value in pulse) == 1, "the hour without readings is one gap"
    assert len(data["in_bed"]) == 3
    assert len(data["events"]) == 12


def test_in_an_own_home_the_rooms_tell_of_the_resident(
    visitor: TestClient, owner: Connection, county: County
) -> None:
    alone = registry.add_resident(
        owner,
        site_id=county.household.id,
        name="王大爷",
        sex="male",
        born_on=date(1944, 2, 2),
        category=CareCategory.TEKUN_DISPERSED,
        since=SINCE,
    )
    kitchen = registry.add_room(owner, county.household.id, "厨房", RoomKind.KITCHEN)
    sensor = registry.add_device(
        owner, site=county.household, kind=DeviceKind.MOTION, room_id=kitchen, since=SINCE
    ).device
    owner.execute(
        "INSERT INTO readings.activity (time, device_id, room_id, event) VALUES (now(), %s, %s, 'motion')",
        (sensor.id, kitchen),
    )
    data = sign_in(visitor, "town").get(f"/api/residents/{alone.id}/signs").json()
    assert [(event["event"], event["room"]) for event in data["events"]] == [("motion", "厨房")]


@pytest.mark.parametrize(
    "query", ["hours=0", "hours=1000", "until=yesterday", "range=2y", "until=0001-01-01T00:00:00Z"]
)
def test_a_chart_of_nonsense_is_refused(caregiver: TestClient, county: County, query: str) -> None:
    answer = caregiver.get(f"/api/residents/{county.mother.id}/signs?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")


def test_the_buttons_follow_the_state_machine() -> None:
    from alarms.model import AlarmState

    high, low = AlarmPriority.HIGH, AlarmPriority.LOW
    assert buttons(AlarmState.OPEN, high, StaffRole.CAREGIVER) == [
        AlarmStep.ACKNOWLEDGED,
        AlarmStep.CANCELLED,
    ]
    assert buttons(AlarmState.ACKNOWLEDGED, high, StaffRole.CAREGIVER) == [
        AlarmStep.ARRIVED,
        AlarmStep.CANCELLED,
        AlarmStep.RELEASED,
    ]
    assert buttons(AlarmState.ACKNOWLEDGED, low, StaffRole.CAREGIVER) == [
        AlarmStep.ARRIVED,
        AlarmStep.RESOLVED,
        AlarmStep.CANCELLED,
        AlarmStep.RELEASED,
    ]
    assert buttons(AlarmState.RESOLVED, high, StaffRole.CAREGIVER) == [AlarmStep.CLOSED]
    assert buttons(AlarmState.CLOSED, high, StaffRole.CAREGIVER) == []


def report_health(owner: Connection, process: str, *, silent_s: float = 3, **columns: object) -> None:
    """As a process of ingest tells it: `silent_s` ago."""
    values = {
        "connected": True, "received": 1_234_567, "stored": 50, "repeated_batches": 7, "careful_stores": 9,
        "dead": 3, "received_per_s": 166.7, "lag_p50_s": 0.21, "lag_p99_s": 1.4, "pending": 12,
        "broker_dropped": 0, **columns,
    }  # fmt: skip
    owner.execute(
        "INSERT INTO readings.ingest_health (process, worker, at, started_at, connected, received, stored,"
        " repeated_batches, careful_stores, dead, received_per_s, lag_p50_s, lag_p99_s, pending,"
        " broker_dropped)"
        " VALUES (%(process)s, '1', clock_timestamp() - make_interval(secs => %(silent_s)s), now(),"
        " %(connected)s, %(received)s, %(stored)s, %(repeated_batches)s, %(careful_stores)s, %(dead)s,"
        " %(received_per_s)s, %(lag_p50_s)s, %(lag_p99_s)s, %(pending)s, %(broker_dropped)s)",
        {"process": process, "silent_s": silent_s, **values},
    )


def test_intake_that_works_says_so_and_the_county_sees_its_processes(
    visitor: TestClient, owner: Connection, county: County
) -> None:
    for process in ("readings", "alarms", "settle", "gateways"):
        report_health(owner, process)
    page = sign_in(visitor, "county").get("/county/devices").text
    assert "接收正常，延迟 0.2 秒" in page
    assert "没有响应" not in page
    assert "1,234,567" in page
    assert "0.2 · 1.4 秒" in page
    page = sign_in(visitor, "wang").get("/county/devices").text
    assert "接收正常，延迟 0.2 秒" in page
    assert "1,234,567" not in page, "the numbers are the county's"


def test_intake_that_does_not_work_is_told_to_everybody(
    visitor: TestClient, owner: Connection, county: County
) -> None:
    page = sign_in(visitor, "wang").get("/county/devices").text
    assert page.count("没有响应") == 4, "nobody has ever told anything"
    report_health(owner, "readings", lag_p50_s=95.0)
    report_health(owner, "alarms", silent_s=31)
    report_health(owner, "settle", connected=False)
    page = visitor.get("/county/devices").text
    assert "接收正常" not in page
    assert "报警：没有响应" in page
    assert "设备报警无法送达" in page
    assert "体征和活动数据：延迟过大" in page
    assert "与消息服务器断开" in page


def test_what_the_broker_dropped_is_shown(visitor: TestClient, owner: Connection, county: County) -> None:
    report_health(owner, "readings", broker_dropped=4_321)
    assert "丢弃了 4,321 条消息" in sign_in(visitor, "county").get("/county/devices").text


def test_neither_silence_nor_calling_it_false_makes_a_figure_better(
    visitor: TestClient, owner: Connection, county: County, ward: Ward
) -> None:
    """Half were never answered, and one of the others was called false after an hour."""
    for number in range(3):
        ward.alarm(owner, number, AlarmKind.SOS, seconds_ago=7_200)
    for number, state in enumerate(("closed", "cancelled"), 4):
        alarm = ward.alarm(owner, number, AlarmKind.SOS, seconds_ago=86_400)
        owner.execute(
            "UPDATE care.alarm SET state = %s, ended_at = opened_at + interval '1 hour', acknowledged_at ="
            " CASE WHEN %s = 'closed' THEN opened_at + interval '1 hour' END WHERE id = %s",
            (state, state, alarm.id),
        )
    from dashboard.county import queries

    sign_in(visitor, "county")
    with owner.transaction():
        owner.execute("SET LOCAL ROLE anshou_web")
        token = visitor.cookies["anshou_session"]
        owner.execute("SELECT set_config('anshou.session', %s, true)", (token,))
        whole, _ = queries.site_reports(owner)
    assert whole.is_median_unknown
    assert (whole.false_alarms, whole.answered_in_time, whole.answers_due) == (1, 0, 5)
    page = visitor.get("/county").text
    assert "过半未接警" in page
    assert "误报 1" in page
    assert "共 5 起" in page


def test_all_is_quiet_only_while_everything_is_heard(
    visitor: TestClient, owner: Connection, county: County, ward: Ward
) -> None:
    desk = sign_in(visitor, "county")
    owner.execute("UPDATE care.device SET retired_at = now() WHERE power = 'mains'")
    assert "一切平安" in desk.get("/desk/alarms").text
    owner.execute("UPDATE care.device SET retired_at = NULL WHERE power = 'mains'")
    owner.execute("UPDATE readings.device_state SET last_seen_at = now() - interval '3 hours', online = true")
    row = owner.execute("SELECT count(*) AS mains FROM care.device WHERE power = 'mains'").fetchone()
    assert row is not None
    assert row["mains"] > 0
    page = desk.get("/desk/alarms").text
    assert "一切平安" not in page
    assert f"有 {row['mains']} 台插电设备离线" in page


def test_a_new_county_is_told_what_to_do_next(
    visitor: TestClient, owner: Connection, county: County, ward: Ward
) -> None:
    supervisor = sign_in(visitor, "county")
    assert "第一个小时" not in supervisor.get("/county").text, "something is heard: it has begun"
    owner.execute("UPDATE readings.device_state SET online = false")
    page = supervisor.get("/county").text
    assert "试一台设备" in page
    assert "anshou site add" not in page, "what is done is not explained any more"
    owner.execute("UPDATE care.device SET retired_at = now()")
    page = supervisor.get("/county").text
    assert "anshou device add --help" in page
    assert 'href="/county/devices"' in page


def test_what_a_new_county_does_first() -> None:
    from dashboard.county.page import first_hour
    from dashboard.county.queries import SiteReport

    nothing: dict[str, Any] = dict.fromkeys(SiteReport.__struct_fields__, 0)
    begins = first_hour(SiteReport(**nothing), 0)
    assert [step.is_done for step in begins] == [False] * 5
    begun = first_hour(SiteReport(**{**nothing, "residents": 3, "devices": 2}), 1)
    assert [step.is_done for step in begun] == [True, True, True, False, False]
    assert first_hour(SiteReport(**{**nothing, "residents": 3, "devices": 2, "devices_live": 1}), 1) == []


def test_the_family_is_one_tap_away(
    visitor: TestClient, owner: Connection, county: County, ward: Ward
) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    owner.execute(
        "UPDATE care.resident SET family_contact = '表妹 孙月珍 138 0000 1234' WHERE id = %s",
        (alarm.resident_id,),
    )
    owner.execute("UPDATE care.alarm SET state = 'resolved', resolved_at = now() WHERE id = %s", (alarm.id,))
    form = sign_in(visitor, "wang").get(f"/alarms/{alarm.id}/steps/closed").text
    assert 'value="表妹 孙月珍 138 0000 1234"' in form
    assert 'href="tel:13800001234"' in form


def test_an_alarm_that_was_dealt_with_asks_for_nothing_and_its_clock_stands(
    visitor: TestClient, owner: Connection, county: County, ward: Ward
) -> None:
    told = {
        "zh_CN": "近 10 分钟呼吸 6 次/分。请马上去看。",
        "en": "Breathing 6 /min. Please go and look now.",
    }
    alarm = ward.alarm(owner, 0, AlarmKind.WEAK_BREATHING, evidence={"sentence": told})
    staff = sign_in(visitor, "county")
    page = staff.get(f"/alarms/{alarm.id}").text
    assert "请马上去看" in page
    assert "data-until" not in page
    for step in (AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED, AlarmStep.RESOLVED):
        take(owner, alarm.id, Step(step=step, actor=Actor("nurse"), note="已处理"))
    desk = staff.get("/desk/alarms").text
    assert "近 10 分钟呼吸 6 次/分。" in desk
    assert "请马上去看" not in desk
    assert "data-until" in desk


def test_that_a_colleague_was_quicker_is_no_failure(
    visitor: TestClient, owner: Connection, county: County, ward: Ward
) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    part = {"HX-Request": "true"}
    sign_in(visitor, "liu").post(f"/alarms/{alarm.id}/steps/acknowledged", headers=part)
    late = sign_in(visitor, "wang").post(f"/alarms/{alarm.id}/steps/acknowledged", headers=part)
    assert late.status_code == 409
    assert 'data-notice="info"' in late.text


def test_who_has_no_bed_sensor_was_last_seen_somewhere(
    visitor: TestClient, owner: Connection, county: County, ward: Ward
) -> None:
    owner.execute(
        "INSERT INTO readings.resident_state (resident_id, activity, activity_at, activity_room_id)"
        " SELECT %s, 'motion', now() - interval '5 minutes', (SELECT min(id) FROM care.room "
        "WHERE site_id = %s)"
        " ON CONFLICT (resident_id) DO UPDATE SET activity = 'motion', activity_at = excluded.activity_at,"
        " activity_room_id = excluded.activity_room_id, in_bed = NULL, in_bed_at = NULL",
        (ward.residents[0].id, county.home.id),
    )
    beds = sign_in(visitor, "county").get(f"/desk/beds?site={county.home.id}").text
    assert "最后活动" in beds


@pytest.mark.parametrize(
    ("share", "told"),
    [(4909 / 4923, "99.7%"), (1, "100%"), (0, "0%"), (0.00001, "0.1%"), (0.99999, "99.9%"), (0.5, "50%")],
)
def test_all_or_nothing_is_said_only_where_it_is_so(share: float, told: str) -> None:
    assert languages()["zh_CN"].percent(share) == told


def test_numbers_are_found_in_what_people_write() -> None:
    assert phones("女儿李梅 138 0000-1234，村委 0571-88001234") == ["13800001234", "057188001234"]
    assert phones("侄子 王强") == phones(None) == []
