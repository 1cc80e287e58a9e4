"""What somebody sets on the page is what the judge does; and the page in a real browser, light and dark."""

import inspect
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import BrowserContext, expect
from starlette.testclient import TestClient

from alarms.detector_settings import Values, rules_of
from alarms.kinds import KIND_FOUND_BY
from alarms.model import AlarmPriority
from alarms.rules import Watch
from analytics.detectors import Assessment, Finding, Subject, SubjectKind
from analytics.detectors.night import BedExit
from analytics.history import History
from analytics.judge import Handling, Raise, decide
from analytics.rounds import CADENCES, Rounds, detectors_of, handling_of
from analytics.settings import AnalyticsSettings
from care import registry
from care.policy import Policy
from dashboard.app import create_app
from dashboard.settings import Settings
from database.connections import Connection, connect
from identity.model import StaffRole
from protocol.calendar import HOME_TIME
from protocol.model import DeviceKind
from tests.care.conftest import COUNTY, PASSWORD, SINCE, County
from tests.conftest import DESK_SIZE, PHONE_SIZE
from tests.dashboard.conftest import sign_in
from tests.dashboard.running import Server, serving
from tests.dashboard.ward import WARD, Ward, population_with_ward
from tests.servers import Database, DatabaseServer, Population

HTMX = {"HX-Request": "true"}
PATIENCE_MS = 20_000
NIGHT = datetime.combine(datetime.now(HOME_TIME).date(), time(2), HOME_TIME)
"""Two o'clock of this night, when being out of bed is worth a look."""


@pytest.fixture
def population(request: pytest.FixtureRequest) -> Population[object] | None:
    return population_with_ward(request)


@pytest.fixture
def county(database_server: DatabaseServer, owner: Connection) -> County:
    county = database_server.content(COUNTY, owner)
    owner.execute("UPDATE care.staff SET role = %s WHERE username = 'liu'", (StaffRole.SHIFT_LEADER,))
    return county


@pytest.fixture
def service(database: Database) -> Iterator[Connection]:
    with connect(database.service_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def settings(database: Database) -> AnalyticsSettings:
    return AnalyticsSettings(database_url=database.service_url)


@pytest.fixture
def leader(database: Database, county: County) -> Iterator[TestClient]:
    app = create_app(Settings(database_url=database.web_url, pool_wait_s=2, beat_s=0.5))
    with TestClient(app, follow_redirects=False) as client:
        yield sign_in(client, "liu")


class Sleeper:
    """The mother's mattress: she left her bed at some minute before NIGHT."""

    def __init__(self, connection: Connection, county: County, out_min: float) -> None:
        device = registry.add_device(
            connection,
            site=county.home,
            kind=DeviceKind.SMART_MATTRESS,
            resident_id=county.mother.id,
            since=SINCE,
        ).device
        connection.execute("UPDATE care.device SET added_at = %s WHERE id = %s", (SINCE, device.id))
        connection.execute(
            "INSERT INTO readings.device_state (device_id, last_seen_at) VALUES (%s, %s)", (device.id, NIGHT)
        )
        connection.execute(
            "INSERT INTO readings.resident_state (resident_id, in_bed, in_bed_at) VALUES (%s, false, %s)",
            (county.mother.id, NIGHT - timedelta(minutes=out_min)),
        )


def alarms_of_a_round(service: Connection, settings: AnalyticsSettings) -> list[str]:
    """What one round at NIGHT raises."""
    Rounds(settings, [BedExit(settings)], handling_of(settings)).go_at(service, NIGHT)
    rows = service.execute("SELECT detector FROM care.alarm WHERE state = 'open'").fetchall()
    return [str(row["detector"]) for row in rows]


def change(client: TestClient, county: County, **answers: str) -> None:
    url = f"/residents/{county.mother.id}/watch/bed_exit"
    answer = client.post(url, headers=HTMX, data={"reason": "起夜多", **answers})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("answers", "raised"),
    [
        (None, ["bed_exit"]),
        ({"tolerance": "1.5"}, []),  # 45 minutes
        ({"tolerance": "0.5"}, ["bed_exit"]),
        ({"switch": "off", "off_through": NIGHT.date().isoformat()}, []),
        ({"span": "hours", "from_h": "22", "to_h": "1"}, []),
        ({"span": "hours", "from_h": "1", "to_h": "5"}, ["bed_exit"]),
    ],
)
def test_what_is_set_on_the_page_is_what_the_judge_does(
    leader: TestClient,
    owner: Connection,
    service: Connection,
    county: County,
    settings: AnalyticsSettings,
    answers: dict[str, str] | None,
    raised: list[str],
) -> None:
    Sleeper(owner, county, out_min=40)
    if answers:
        change(leader, county, **answers)
    assert alarms_of_a_round(service, settings) == raised


def test_back_to_the_usual_and_it_watches_again(
    leader: TestClient, owner: Connection, service: Connection, county: County, settings: AnalyticsSettings
) -> None:
    Sleeper(owner, county, out_min=40)
    change(leader, county, switch="off", off_through=NIGHT.date().isoformat())
    assert alarms_of_a_round(service, settings) == []
    row = owner.execute("SELECT changed_at FROM care.detector_setting").fetchone()
    assert row is not None
    url = f"/residents/{county.mother.id}/watch/bed_exit/usual"
    assert leader.post(url, headers=HTMX, data={"seen": row["changed_at"].isoformat()}).status_code == 200
    assert alarms_of_a_round(service, settings) == ["bed_exit"]


def test_the_rules_speak_of_the_detectors_there_are(settings: AnalyticsSettings) -> None:
    detectors = {detector.name: detector for detector in detectors_of(settings)}
    assert {name: detector.kind for name, detector in detectors.items()} == KIND_FOUND_BY
    for watch, rule in rules_of(Policy()).items():
        heeds = "history.tolerance(" in inspect.getsource(type(detectors[watch]))
        assert bool(rule.tolerances) is heeds, watch
        assert not (rule.has_hours and watch in CADENCES), "what is due once a day needs all hours"


hours = st.none() | st.tuples(st.integers(0, 23), st.integers(0, 23))


@given(
    st.booleans(),
    st.none() | st.integers(-90, 90),
    hours,
    st.integers(0, 500_000).map(lambda minutes: NIGHT + timedelta(minutes=minutes)),
)
def test_quiet_is_the_same_for_the_page_and_the_judge(
    is_on: bool, off_min: int | None, span: tuple[int, int] | None, now: datetime
) -> None:
    off_until = None if off_min is None else now + timedelta(minutes=off_min)
    from_h, to_h = span or (None, None)
    values = Values(is_on=is_on, off_until=off_until, active_from_h=from_h, active_to_h=to_h)
    table = pd.DataFrame(
        {
            "resident_id": [7],
            "detector": ["turning"],
            "is_on": [is_on],
            "off_until": pd.to_datetime(pd.Series([off_until]), utc=True).astype("datetime64[us, UTC]"),
            "tolerance": [1.0],
            "active_from_h": [from_h],
            "active_to_h": [to_h],
        }
    )
    kind = KIND_FOUND_BY[Watch.TURNING]
    finding = Finding(
        subject=Subject(SubjectKind.RESIDENT, 7),
        site_id=1,
        kind=kind,
        priority=AlarmPriority.LOW,
        since=now - timedelta(hours=1),
        evidence={},
    )
    assessment = Assessment(detector="turning", kind=kind, findings=(finding,))
    nothing = pd.DataFrame({"kind": [], "subject": [], "state": []})
    decided = decide(assessment, nothing, Handling(silence_s=60), now, table)
    assert any(isinstance(proposal, Raise) for proposal in decided) is not values.is_quiet(now)


def test_history_reads_what_the_page_has_written(
    leader: TestClient, service: Connection, county: County
) -> None:
    change(leader, county, tolerance="2", span="hours", from_h="23", to_h="5")
    found = History(service, NIGHT).detector_settings.to_dict("records")
    assert [(row["resident_id"], row["tolerance"], row["active_from_h"]) for row in found] == [
        (county.mother.id, 2, 23)
    ]


@pytest.fixture
def ward(database_server: DatabaseServer, owner: Connection, county: County) -> Ward:
    ward = database_server.content(WARD, owner)
    ward.speak(owner)
    return ward


@pytest.fixture
def dashboard(database: Database, ward: Ward) -> Iterator[Server]:
    with serving(database.web_url, beat_s=1) as dashboard:
        yield dashboard


@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "size", "theme"), [("desk", DESK_SIZE, "light"), ("phone", PHONE_SIZE, "dark")]
)
def test_switched_off_and_on_again_in_a_browser(
    new_context: Callable[..., BrowserContext],
    dashboard: Server,
    ward: Ward,
    tmp_path: Path,
    name: str,
    size: dict[str, int],
    theme: str,
) -> None:
    page = new_context(viewport=size, color_scheme=theme).new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def picture(what: str, *, whole: bool = False) -> None:
        page.screenshot(path=tmp_path / f"{name}-{what}.png", full_page=whole)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"], f"{what} is wider than the screen"

    resident = ward.residents[0]
    page.goto(dashboard.url(f"/residents/{resident.id}"))
    page.get_by_label("用户名").fill("liu")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    picture("resident", whole=True)
    page.get_by_role("link", name="查看和更改").click()
    expect(page.get_by_role("heading", name="李秀英的守护设置")).to_be_visible()
    picture("usual", whole=True)

    page.get_by_role("button", name="更改：长时间无活动").click()
    form = page.locator("#dialog")
    expect(form.get_by_label("停用到哪一天")).to_be_hidden()
    picture("form")
    form.get_by_text("停用几天").click()
    expect(form.get_by_text("更灵敏").first).to_be_hidden()
    form.get_by_role("button", name="保存", exact=True).click()
    expect(form.get_by_text("请选停用的最后一天")).to_be_visible()
    picture("problems")
    day = (datetime.now(HOME_TIME) + timedelta(days=3)).date().isoformat()
    form.get_by_label("停用到哪一天").fill(day)
    form.get_by_label("原因").fill("回女儿家过节，女儿照看")
    form.get_by_role("button", name="保存", exact=True).click()
    expect(form.get_by_text("请先勾选")).to_be_visible()
    expect(form.get_by_label("原因")).to_have_value("回女儿家过节，女儿照看")
    picture("unconfirmed")
    form.get_by_text("这一项关系到生命安全").click()
    form.get_by_role("button", name="保存", exact=True).click()
    expect(form).to_be_hidden()
    row = page.locator("#watch-inactivity")
    expect(row).to_contain_text("已停用")
    expect(row).to_contain_text("刘护理")
    expect(page.locator(".watch-record")).to_contain_text("回女儿家过节")

    page.get_by_role("button", name="更改：夜间离床").click()
    form.get_by_text("45 分钟").click()
    form.get_by_text("只在部分时段").click()
    form.locator("[name=from_h]").select_option("23")
    form.locator("[name=to_h]").select_option("5")
    form.get_by_label("原因").fill("习惯看电视到很晚")
    picture("hours")
    form.get_by_role("button", name="保存", exact=True).click()
    expect(page.locator("#watch-bed_exit")).to_contain_text("只在 23:00 至 05:00 报警")
    picture("changed", whole=True)
    page.goto(dashboard.url(f"/residents/{resident.id}"))
    picture("resident-changed", whole=True)
    page.goto(dashboard.url(f"/residents/{resident.id}/watch"))

    page.get_by_role("button", name="恢复通常设置：长时间无活动").click()
    expect(row).to_contain_text("通常设置")
    expect(page.locator(".watch-off-now")).to_have_count(0)
    expect(page.locator(".watch-record li")).to_have_count(3)
    assert complaints == []
