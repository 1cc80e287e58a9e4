"""What the county sets on its page is what detectors and pages go by, each value from end to end."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from playwright.sync_api import BrowserContext, expect
from psycopg import sql
from starlette.testclient import TestClient

from alarms.incident import Report, report
from alarms.kinds import AlarmKind, AlarmSource
from analytics.detectors import Detector
from analytics.detectors.absence import Absence
from analytics.detectors.device import Battery
from analytics.detectors.night import BedExit, Turning, Wandering
from analytics.detectors.offline import Offline
from analytics.rounds import Rounds, handling_of
from analytics.settings import AnalyticsSettings
from care import policy, registry
from care.model import Ability, CareCategory, Resident, RoomKind
from care.policy import LIMITS, Policy
from dashboard.app import create_app
from dashboard.policy.page import step_of
from dashboard.settings import Settings
from database.connections import Connection, connect
from identity.model import Actor, StaffRole
from protocol.calendar import HOME_TIME
from protocol.model import ActivityEvent, DeviceKind
from tests.care.conftest import COUNTY, PASSWORD, SINCE, County
from tests.conftest import DESK_SIZE, PHONE_SIZE
from tests.dashboard.conftest import one_line, sign_in
from tests.dashboard.running import Dashboard, running
from tests.servers import Database, DatabaseServer, Population

HTMX = {"HX-Request": "true"}
PATIENCE_MS = 20_000
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TODAY = datetime.combine(datetime.now(HOME_TIME).date(), time(), HOME_TIME)
USUAL = msgspec.structs.asdict(Policy())


@pytest.fixture
def population() -> Population[object] | None:
    return COUNTY


@pytest.fixture
def county(database_server: DatabaseServer, owner: Connection) -> County:
    county = database_server.content(COUNTY, owner)
    owner.execute("UPDATE care.staff SET role = %s WHERE username = 'county'", (StaffRole.COUNTY_SUPERVISOR,))
    return county


@pytest.fixture
def service(database: Database) -> Iterator[Connection]:
    with connect(database.service_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def settings(database: Database) -> AnalyticsSettings:
    return AnalyticsSettings(database_url=database.service_url)


@pytest.fixture
def supervisor(database: Database, county: County) -> Iterator[TestClient]:
    app = create_app(Settings(database_url=database.web_url, pool_wait_s=2, beat_s=0.5))
    with TestClient(app, follow_redirects=False) as client:
        yield sign_in(client, "county")


class Home:
    """An elder in a household, a gateway that is heard, and what else a scenario puts there at a time."""

    def __init__(self, connection: Connection, county: County, at: datetime) -> None:
        self.connection = connection
        self.site = county.household
        self.at = at
        self.elder: Resident = registry.add_resident(
            connection,
            site_id=self.site.id,
            name="王德福",
            sex="male",
            born_on=date(1941, 5, 4),
            category=CareCategory.TEKUN_DISPERSED,
            lost_abilities=(Ability.GET_IN_AND_OUT_OF_BED,),
            since=SINCE,
        )
        self.room_id = registry.add_room(connection, self.site.id, "客厅", RoomKind.LIVING_ROOM, 1)
        self.device(DeviceKind.GATEWAY)
        connection.execute(
            "INSERT INTO analytics.pulse (at, heard) SELECT minute, 1"
            " FROM generate_series(date_trunc('minute', %(at)s) - interval '9 days', %(at)s, '1 minute')"
            " AS minute",
            {"at": at},
        )

    def device(self, kind: DeviceKind, ago: timedelta = timedelta(0), battery: int | None = None) -> str:
        """A device that was heard so long ago; its name."""
        watches: dict[str, int] = {}
        if kind in (DeviceKind.MOTION, DeviceKind.DOOR_CONTACT):
            watches = {"room_id": self.room_id}
        elif kind is not DeviceKind.GATEWAY:
            watches = {"resident_id": self.elder.id}
        device = registry.add_device(
            self.connection, site=self.site, kind=kind, since=SINCE, **watches  # type: ignore[arg-type]
        ).device  # fmt: skip
        self.connection.execute("UPDATE care.device SET added_at = %s WHERE id = %s", (SINCE, device.id))
        self.connection.execute(
            "INSERT INTO readings.device_state (device_id, last_seen_at, online, battery)"
            " VALUES (%s, %s, true, %s)",
            (device.id, self.at - ago, battery),
        )
        self.last_id = device.id
        return device.name

    def saw(self, event: ActivityEvent, ago: timedelta) -> None:
        """The last device saw something."""
        self.connection.execute(
            "INSERT INTO readings.activity (time, device_id, room_id, resident_id, event)"
            " VALUES (%s, %s, %s, %s, %s)",
            (self.at - ago, self.last_id, self.room_id, self.elder.id, str(event)),
        )

    def saw_in_an_hour(self, ago: timedelta) -> None:
        """So, long ago: what the rollups tell."""
        at = self.at - ago
        self.connection.execute(
            "INSERT INTO readings.activity_hourly"
            " (hour, first_at, last_at, device_id, room_id, event_count, event)"
            " VALUES (date_trunc('hour', %(at)s), %(at)s, %(at)s, %(device)s, %(room)s, 1, 'motion')",
            {"at": at, "device": self.last_id, "room": self.room_id},
        )

    def bed(self, ago: timedelta) -> None:
        """A mattress that is heard, and that nobody lies on since then."""
        self.device(DeviceKind.SMART_MATTRESS)
        self.connection.execute(
            "INSERT INTO readings.resident_state (resident_id, in_bed, in_bed_at) VALUES (%s, false, %s)",
            (self.elder.id, self.at - ago),
        )

    def alarm(self, **after: timedelta) -> None:
        """An urgent alarm of yesterday that was acknowledged, and whose carer arrived, after so long."""
        with self.connection.transaction():
            alarm = report(
                self.connection,
                Report(
                    site_id=self.site.id,
                    kind=AlarmKind.SOS,
                    happened_at=self.at,
                    actor=Actor("button"),
                    source=AlarmSource.DEVICE,
                    resident_id=self.elder.id,
                ),
            ).alarm
        opened_at = self.at - DAY
        times: dict[str, Any] = {"opened_at": opened_at}
        times |= {f"{step}_at": opened_at + span for step, span in after.items()}
        self.connection.execute(
            sql.SQL("UPDATE care.alarm SET {}, state = 'arrived' WHERE id = %(id)s").format(
                sql.SQL(", ").join(
                    sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in times
                )
            ),
            {**times, "id": alarm.id},
        )


def batteries(home: Home) -> str:
    """One percent a day, 30 % left."""
    name = home.device(DeviceKind.SOS_BUTTON, battery=30)
    home.connection.execute(
        "INSERT INTO readings.device_status (time, device_id, clock_replaced, online, battery)"
        " SELECT %s - make_interval(days => ago), %s, false, true, 30 + ago"
        " FROM generate_series(0, 20) AS ago",
        (home.at, home.last_id),
    )
    return name


def silent(kind: DeviceKind, ago: timedelta) -> Callable[[Home], str]:
    return lambda home: home.device(kind, ago)


def out_of_bed(minutes: int) -> Callable[[Home], str]:
    def plant(home: Home) -> str:
        home.bed(minutes * MINUTE)
        return ""

    return plant


def through_the_door(minutes: int) -> Callable[[Home], str]:
    def plant(home: Home) -> str:
        home.device(DeviceKind.DOOR_CONTACT)
        home.saw(ActivityEvent.DOOR_OPEN, minutes * MINUTE)
        return ""

    return plant


def lies_still(home: Home) -> str:
    home.device(DeviceKind.SMART_MATTRESS)
    home.saw(ActivityEvent.TURNED, 150 * MINUTE)
    return ""


def not_seen(days: float, heard: timedelta = timedelta(0)) -> Callable[[Home], str]:
    def plant(home: Home) -> str:
        name = home.device(DeviceKind.MOTION, heard)
        home.saw_in_an_hour(days * DAY)
        return name

    return plant


def empty_bed(home: Home) -> str:
    home.bed(5 * DAY)
    home.saw(ActivityEvent.TURNED, HOUR)
    return ""


def answered(home: Home) -> str:
    home.alarm(acknowledged=1.5 * MINUTE, arrived=20 * MINUTE)
    return ""


class Case(NamedTuple):
    """A value set to another, and what must follow.

    Attributes:
        name: The value.
        shown: What is typed into its field.
        plant: Makes the situation; gives the name of the device that it is about.
        detector: Which must follow; None: pages alone.
        at: When; None: now.
        alarms: Priorities of the alarms of a round under the usual value, and under the other.
        page: Which page must follow.
        usual: What stands there under the usual value, and not under the other.
        changed: The other way round.
    """

    name: str
    shown: int
    plant: Callable[[Home], str]
    detector: Callable[[AnalyticsSettings], Detector] | None
    at: datetime | None
    alarms: tuple[list[str], list[str]]
    page: str
    usual: str
    changed: str


def absence(_settings: AnalyticsSettings) -> Detector:
    return Absence()


NAME, DEVICES, COUNTY_PAGE = "{name}", "/county/devices", "/county"
ELDER, WATCH = "/residents/{elder}", "/residents/{elder}/watch"
CASES = (
    Case("device_silence_mains_s", 20, silent(DeviceKind.SMART_MATTRESS, 15 * MINUTE), Offline, None,
         (["low"], []), DEVICES, NAME, ""),
    Case("device_silence_mains_s", 20, silent(DeviceKind.SMART_MATTRESS, 15 * MINUTE), None, None,
         ([], []), ELDER, 'title="离线"', 'title="正常"'),
    Case("device_silence_mains_s", 20, silent(DeviceKind.GATEWAY, 15 * MINUTE), Offline, None,
         (["low"], []), DEVICES, "连接中断。数据由网关保存", ""),
    Case("device_silence_battery_s", 48, silent(DeviceKind.SOS_BUTTON, 26 * HOUR), Offline, None,
         (["low"], []), DEVICES, NAME, ""),
    Case("device_silence_battery_s", 48, not_seen(5, 26 * HOUR), absence, None,
         ([], ["low"]), DEVICES, NAME, ""),
    Case("device_silence_on_demand_s", 10, silent(DeviceKind.BP_CUFF, 8 * DAY), Offline, None,
         (["low"], []), DEVICES, NAME, ""),
    Case("battery_low_percent", 35, batteries, Battery, None, ([], ["low"]), DEVICES, "", NAME),
    Case("night_from_h", 20, out_of_bed(40), BedExit, TODAY + 21.5 * HOUR,
         ([], ["medium"]), WATCH, "22 点到 4 点", "20 点到 4 点"),
    Case("night_to_h", 6, through_the_door(12), Wandering, TODAY + 5 * HOUR,
         ([], ["medium"]), WATCH, "22 点到 4 点", "22 点到 6 点"),
    Case("bed_exit_s", 12, out_of_bed(20), BedExit, TODAY + 2 * HOUR,
         ([], ["medium"]), f"{WATCH}/bed_exit", ">45 分钟<", ">24 分钟<"),
    Case("wandering_s", 5, through_the_door(8), Wandering, TODAY + 2 * HOUR,
         ([], ["medium"]), f"{WATCH}/wandering", ">20 分钟<", ">7 分钟 30 秒<"),
    Case("no_turning_s", 120, lies_still, Turning, TODAY + 2 * HOUR,
         ([], ["low"]), f"{WATCH}/turning", ">4 小时 30 分钟<", ">2 小时 30 分钟<"),
    Case("absence_days", 2, not_seen(2.5), absence, None,
         ([], ["low"]), WATCH, "3 天没有生活迹象", "2 天没有生活迹象"),
    Case("absence_red_days", 8, not_seen(10), absence, None,
         (["low"], ["medium"]), "/county/policy", "", "原为 15 天"),
    Case("bed_unused_nights", 4, empty_bed, absence, None,
         ([], ["low"]), WATCH, "7 夜没有人睡", "4 夜没有人睡"),
    Case("answer_within_s", 120, answered, None, None,
         ([], []), COUNTY_PAGE, "1 分钟内接警</small> <b>0%", "2 分钟内接警</small> <b>100%"),
    Case("arrive_within_s", 30, answered, None, None,
         ([], []), COUNTY_PAGE, "15 分钟内到场</small> <b>0%", "30 分钟内到场</small> <b>100%"),
)  # fmt: skip


def test_no_value_is_forgotten() -> None:
    assert {case.name for case in CASES} == set(LIMITS)


def type_in(client: TestClient, owner: Connection, typed: Mapping[str, int]) -> None:
    """Send the form with some fields typed anew, the others as usual."""
    usual = {name: value // step_of(name) for name, value in USUAL.items()}
    seen = policy.standing(owner).revision
    data = {name: str(value) for name, value in {**usual, **typed, "seen": seen}.items()}
    answer = client.post("/county/policy", headers=HTMX, data=data)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.page.rpartition('/')[2]}")
def test_detectors_and_pages_follow(
    supervisor: TestClient,
    owner: Connection,
    service: Connection,
    county: County,
    settings: AnalyticsSettings,
    case: Case,
) -> None:
    at = case.at or datetime.now(UTC)
    home = Home(owner, county, at)
    device = case.plant(home)
    usual, changed = (text.format(name=device) for text in (case.usual, case.changed))
    page = case.page.format(elder=home.elder.id)

    def phase(is_changed: bool) -> None:
        type_in(supervisor, owner, {case.name: case.shown} if is_changed else {})
        if case.detector is not None:
            detectors = [case.detector(settings)]
            # Each is due: what a detector of the day has seen this morning is not the question.
            Rounds(settings, detectors, handling_of(settings), cadences={}).go_at(service, at)
            rows = owner.execute(
                "SELECT priority FROM care.alarm WHERE source = 'detector' AND state = 'open'"
            )
            assert [row["priority"] for row in rows] == case.alarms[is_changed]
        html = one_line(supervisor.get(page, headers=HTMX).text)
        for text, stands in ((usual, not is_changed), (changed, is_changed)):
            assert (text in html) is stands or not text, text

    # Where an alarm is raised under the usual value, the other must keep quiet before.
    for is_changed in sorted((False, True), key=lambda which: len(case.alarms[which])):
        phase(is_changed)


def test_hours_set_for_a_person_that_no_longer_fit_are_told(
    supervisor: TestClient, owner: Connection, county: County
) -> None:
    answers = {"span": "hours", "from_h": "22", "to_h": "1", "reason": "x"}
    watch = f"/residents/{county.mother.id}/watch"
    assert supervisor.post(f"{watch}/bed_exit", headers=HTMX, data=answers).status_code == 200
    told = "所设时段与全县夜间时段不符"
    assert told not in supervisor.get(watch).text
    type_in(supervisor, owner, {"night_from_h": 0, "night_to_h": 6})
    assert told in supervisor.get(watch).text
    assert told in supervisor.get(f"/residents/{county.mother.id}").text


@pytest.fixture
def dashboard(database: Database, county: County, tmp_path: Path) -> Iterator[Dashboard]:
    with running(database.web_url, tmp_path, beat_s=1) as dashboard:
        yield dashboard


@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "size", "theme"), [("desk", DESK_SIZE, "light"), ("phone", PHONE_SIZE, "dark")]
)
def test_set_in_a_browser(
    new_context: Callable[..., BrowserContext],
    dashboard: Dashboard,
    tmp_path: Path,
    name: str,
    size: dict[str, int],
    theme: str,
) -> None:
    page = new_context(viewport=size, color_scheme=theme).new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def picture(what: str) -> None:
        page.screenshot(path=tmp_path / f"{name}-{what}.png", full_page=True)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"], f"{what} is wider than the screen"

    page.goto(dashboard.url("/county"))
    page.get_by_label("用户名").fill("county")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.get_by_role("link", name="全县规则").click()
    expect(page.get_by_role("heading", name="全县规则")).to_be_visible()
    picture("usual")
    field = page.get_by_label("夜间离床未回：多久后报警")
    field.fill("2")
    page.get_by_label("夜间开始").fill("9")
    page.get_by_role("button", name="保存", exact=True).click()
    expect(page.get_by_text("不能小于 5。")).to_be_visible()
    expect(page.get_by_text("夜间须为 2 至 14 小时")).to_be_visible()
    expect(field).to_have_value("2")
    expect(page.get_by_label("夜间结束")).to_be_focused()
    picture("problems")
    field.fill("20")
    page.get_by_label("夜间开始").fill("21")
    page.get_by_role("button", name="保存", exact=True).click()
    expect(page.locator(".policy-record")).to_contain_text("夜间离床未回：多久后报警 20 分钟")
    expect(page.locator(".policy-record li")).to_have_count(2)
    expect(page.locator(".field-problem")).to_have_count(0)
    expect(field).to_have_value("20")
    picture("changed")
    assert complaints == []
