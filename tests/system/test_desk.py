"""The desk in a real browser: from an alarm in the database to the hands of a caregiver, and back."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Route, expect

from alarms.incident import Report, Step, report, take, timeline
from alarms.kinds import AlarmKind, AlarmSource
from alarms.model import AlarmStep
from database.connections import Connection
from identity.model import Actor
from identity.sessions import actor_of
from tests.care.conftest import COUNTY, PASSWORD, County
from tests.dashboard.running import Dashboard, Server, running, serving
from tests.dashboard.ward import WARD, Ward
from tests.servers import Database, DatabaseServer, Population

pytestmark = pytest.mark.browser

PATIENCE_MS = 20_000
MOMENT_MS = 2_000
"""An alarm must be on the screen within it; on a quiet machine it takes a tenth."""
expect.set_options(timeout=PATIENCE_MS)

NewContext = Callable[..., BrowserContext]


@pytest.fixture
def population() -> Population[object]:
    return WARD


@pytest.fixture
def county(database_server: DatabaseServer, owner: Connection) -> County:
    return database_server.content(COUNTY, owner)


@pytest.fixture
def ward(database_server: DatabaseServer, owner: Connection) -> Ward:
    ward = database_server.content(WARD, owner)
    ward.speak(owner)
    with owner.transaction():
        ward.fill_day(owner)
    return ward


@pytest.fixture
def dashboard(database: Database, ward: Ward) -> Iterator[Server]:
    with serving(database.web_url, beat_s=1) as dashboard:
        yield dashboard


@pytest.fixture
def process(database: Database, ward: Ward, tmp_path: Path) -> Iterator[Dashboard]:
    with running(database.web_url, tmp_path, beat_s=1) as process:
        yield process


class Complaints:
    """What the browser says against a page: errors of scripts, broken content policy, failed requests."""

    def __init__(self, page: Page) -> None:
        self.found: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.found.append(str(error)))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.found.append(message.text)


def enter(page: Page, dashboard: Server, username: str = "wang", path: str = "/desk") -> Complaints:
    """Sign in by the form and wait until the page is live."""
    complaints = Complaints(page)
    page.goto(dashboard.url(path))
    page.get_by_label("用户名").fill(username)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    return complaints


def of_each(page: Page, selector: str, expression: str) -> list[Any]:
    """What a JavaScript expression in `e` says of each element, all in one step.

    Playwright's `evaluate_all` finds the elements in one step and asks them in another; a page that fetches
    itself anew in between leaves it with elements that are no longer shown, all of height 0.
    """
    script = f"selector => Array.from(document.querySelectorAll(selector), e => {expression})"
    found: list[Any] = page.evaluate(script, selector)
    return found


def test_an_sos_appears_by_itself_and_goes_its_whole_way(
    browser_page: Page, dashboard: Server, owner: Connection, ward: Ward
) -> None:
    page = browser_page
    complaints = enter(page, dashboard)
    expect(page.get_by_text("没有未处理的报警")).to_be_visible()
    page.evaluate("window.neverReloaded = true")

    alarm = ward.alarm(owner, 3, AlarmKind.SOS)
    card = page.locator(f"#alarm-{alarm.id}")
    expect(card).to_be_visible(timeout=MOMENT_MS)
    for text in ("紧急呼救", "202 房 · 2 床", "刘玉珍", "无人接警"):
        expect(card).to_contain_text(text)
    expect(card.locator(".clock")).to_have_text(re.compile(r"^0:0\d$"))
    expect(page.locator("#bell")).to_have_text("1")
    expect(page.locator(f"#bed-{ward.residents[3].id}")).to_contain_text("紧急呼救")
    expect(page).to_have_title(re.compile(r"🔴 \(1\) 紧急呼救 刘玉珍"))
    flash = card.locator("header").evaluate("e => getComputedStyle(e).animationDuration")
    assert 1.4 <= 1 / float(flash.removesuffix("s")) <= 2.8, "the rate of IEC 60601-1-8"

    card.get_by_role("button", name="我去", exact=True).click()
    expect(card).to_contain_text("王护理 正赶去")
    expect(page).to_have_title(re.compile("^青石敬老院"))
    card.get_by_role("button", name="我到了").click()
    expect(card).to_contain_text("王护理 已到场")
    card.get_by_role("button", name="处理好了").click()
    page.get_by_label("简单记录").fill("滑倒，无外伤")
    page.get_by_role("button", name="保存：已处理").click()
    expect(page.locator("#dialog")).to_be_hidden()
    card.get_by_role("button", name="结案").click()
    page.get_by_label("告知对象").fill("女儿李梅")
    page.get_by_role("button", name="确认结案").click()
    expect(card).to_have_count(0)
    expect(page.get_by_text("没有未处理的报警")).to_be_visible()

    assert page.evaluate("window.neverReloaded"), "all of it happened in place"
    steps = [line.step for line in timeline(owner, alarm.id)]
    assert steps == ["raised", "acknowledged", "arrived", "resolved", "closed"]
    assert complaints.found == []


def test_of_two_who_press_at_once_one_is_told(
    new_context: NewContext, dashboard: Server, owner: Connection, ward: Ward
) -> None:
    first, second = new_context().new_page(), new_context().new_page()
    enter(first, dashboard, "wang")
    enter(second, dashboard, "liu")
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    button = f"#alarm-{alarm.id} [data-step=acknowledged]"
    for page in (first, second):
        expect(page.locator(button)).to_be_visible()
    # The second's request is on a slow line: it arrives after the first's.
    on_the_way: list[Route] = []

    def hold(route: Route) -> None:
        on_the_way.append(route)

    second.route("**/steps/acknowledged", hold)
    second.locator(button).click()
    first.locator(button).click()
    expect(first.locator(f"#alarm-{alarm.id}")).to_contain_text("王护理 正赶去")
    on_the_way[0].continue_()
    expect(second.get_by_text(re.compile("王护理 先您一步：.*正赶去"))).to_be_visible()
    expect(second.locator(f"#alarm-{alarm.id}")).to_contain_text("王护理 正赶去")
    steps = [line.step for line in timeline(owner, alarm.id)]
    assert steps == ["raised", "acknowledged"]


def test_a_press_that_never_arrived_is_told(
    browser_page: Page, dashboard: Server, owner: Connection, ward: Ward
) -> None:
    page = browser_page
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    enter(page, dashboard)
    page.route("**/steps/acknowledged", lambda route: route.abort())
    page.locator(f"#alarm-{alarm.id} [data-step=acknowledged]").click()
    expect(page.get_by_text("不确定是否已保存")).to_be_visible()
    expect(page.locator(f"#alarm-{alarm.id}")).to_contain_text("无人接警")


def tap_twice(page: Page, x: float, y: float, gap_ms: float) -> None:
    """Two taps at the same spot, as fingers do it: they wait for nothing that the page shows."""
    for last in (False, True):
        page.touchscreen.tap(x, y)
        if not last:
            page.wait_for_timeout(gap_ms)


@pytest.mark.parametrize("gap_ms", [120, 400, 700])
def test_a_second_tap_takes_nothing_else(
    new_context: NewContext, dashboard: Server, owner: Connection, ward: Ward, gap_ms: int
) -> None:
    page = new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).new_page()
    alarms = [ward.alarm(owner, number, AlarmKind.SOS) for number in range(3)]
    enter(page, dashboard)
    box = page.locator(f"#alarm-{alarms[0].id} [data-step=acknowledged]").bounding_box()
    assert box is not None
    tap_twice(page, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, gap_ms)
    expect(page.locator(f"#alarm-{alarms[0].id}")).to_contain_text("正赶去")
    arrived = page.locator(f"#alarm-{alarms[0].id} [data-step=arrived]")
    expect(arrived).to_be_enabled()
    assert [[line.step for line in timeline(owner, alarm.id)] for alarm in alarms] == [
        ["raised", "acknowledged"],
        ["raised"],
        ["raised"],
    ]


def test_a_wrong_press_is_taken_back_and_who_cannot_go_says_so(
    browser_page: Page, dashboard: Server, owner: Connection, ward: Ward
) -> None:
    page = browser_page
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    complaints = enter(page, dashboard)
    card = page.locator(f"#alarm-{alarm.id}")
    card.get_by_role("button", name="我去", exact=True).click()
    page.locator("#notices").get_by_role("button", name="撤销").click()
    expect(card).to_contain_text("无人接警")
    expect(page.locator("#notices")).to_contain_text("撤销了操作")
    expect(page.locator("#notices").get_by_role("button", name="撤销")).to_have_count(0)
    card.get_by_role("button", name="我去", exact=True).click()
    card.get_by_role("button", name="我去不了").click()
    expect(card).to_contain_text("接警人去不了，请马上换人去！")
    steps = [line.step for line in timeline(owner, alarm.id)]
    assert steps == ["raised", "acknowledged", "undone", "acknowledged", "released"]
    assert complaints.found == []


def test_what_comes_in_moves_nothing_under_the_mouse(
    browser_page: Page, dashboard: Server, owner: Connection, ward: Ward
) -> None:
    page = browser_page
    first = ward.alarm(owner, 0, AlarmKind.BED_EXIT)
    enter(page, dashboard)
    button = page.locator(f"#alarm-{first.id} [data-step=acknowledged]")
    before = button.bounding_box()
    button.hover()
    page.evaluate("scrolled = 0; addEventListener('scroll', () => scrolled += 1, true)")
    second = ward.alarm(owner, 1, AlarmKind.SOS)
    expect(page.locator(f"#alarm-{second.id}")).to_have_count(1)
    assert button.bounding_box() == before, "the urgent one comes below for the moment"
    # The mouse rests: what is urgent goes to the top.
    first_shown = page.locator("#alarms [data-priority]").first
    expect(first_shown).to_have_attribute("data-key", str(second.id))
    assert page.evaluate("scrolled") == 0


def test_a_killed_server_costs_no_alarm(
    browser_page: Page, process: Dashboard, owner: Connection, county: County, ward: Ward
) -> None:
    page = browser_page
    enter(page, process)
    before = ward.alarm(owner, 0, AlarmKind.SOS)
    expect(page.locator(f"#alarm-{before.id}")).to_be_visible()

    process.stop(kill=True)
    expect(page.locator("#cut-off")).to_be_visible()
    expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
    stays = ward.alarm(owner, 1, AlarmKind.FALL)
    gone = ward.alarm(owner, 2, AlarmKind.SOS)
    take(owner, gone.id, Step(step=AlarmStep.CANCELLED, actor=actor_of(county.colleague), note="误触"))
    take(owner, before.id, Step(step=AlarmStep.ACKNOWLEDGED, actor=actor_of(county.colleague)))

    process.start()
    expect(page.locator(f"#alarm-{stays.id}")).to_be_visible()
    expect(page.locator("#cut-off")).to_be_hidden()
    expect(page.locator(f"#alarm-{before.id}")).to_contain_text("刘护理 正赶去")
    missed = page.locator(f"[data-missed='{gone.id}']")
    expect(missed).to_contain_text("王德福")
    expect(page.locator("[data-missed]")).to_have_count(1)


def test_typing_survives_what_happens_meanwhile(
    browser_page: Page, dashboard: Server, owner: Connection, county: County, ward: Ward
) -> None:
    page = browser_page
    alarm = ward.alarm(owner, 0, AlarmKind.BED_EXIT)
    enter(page, dashboard)
    page.locator(f"#alarm-{alarm.id} [data-step=cancelled]").click()
    page.get_by_label("原因").fill("护工陪同")
    other = ward.alarm(owner, 1, AlarmKind.SOS)
    expect(page.locator(f"#alarm-{other.id}")).to_be_visible()
    expect(page.get_by_label("原因")).to_have_value("护工陪同")
    page.get_by_role("button", name="确认误报").click()
    expect(page.locator(f"#alarm-{alarm.id}")).to_have_count(0)
    assert timeline(owner, alarm.id)[-1].note == "护工陪同"


def test_an_unchanged_card_is_left_alone(
    browser_page: Page, dashboard: Server, owner: Connection, ward: Ward
) -> None:
    page = browser_page
    first = ward.alarm(owner, 0, AlarmKind.BED_EXIT)
    page.add_init_script(
        "document.addEventListener('DOMContentLoaded', () => {"
        " for (const card of document.querySelectorAll('.alarm')) card.mark = 'as the page came'; })"
    )
    enter(page, dashboard)
    second = ward.alarm(owner, 1, AlarmKind.SOS)
    expect(page.locator(f"#alarm-{second.id}")).to_be_visible()
    order = of_each(page, "#alarms [data-priority]", "e.dataset.key")
    assert order == [str(second.id), str(first.id)]
    assert page.evaluate("id => document.getElementById(`alarm-${id}`).mark", first.id) == "as the page came"


def test_the_sound_is_turned_on_once_and_plays(
    browser_page: Page, dashboard: Server, owner: Connection, ward: Ward
) -> None:
    page = browser_page
    enter(page, dashboard)
    page.evaluate(
        "document.addEventListener('alarm-sounded', () => { document.body.dataset.sounded = 'yes'; })"
    )
    if page.locator("#sound-off").is_visible():  # the browser may count the sign-in as the gesture it wants
        page.get_by_role("button", name="开启声音").click()
    expect(page.locator("#sound")).to_have_attribute("aria-pressed", "true")
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    expect(page.locator("body")).to_have_attribute("data-sounded", "yes")
    page.locator(f"#alarm-{alarm.id} [data-step=acknowledged]").click()
    expect(page.locator(f"#alarm-{alarm.id}")).to_contain_text("正赶去")
    page.locator("#sound").click()
    expect(page.locator("#sound-off")).to_be_visible()
    page.reload()
    expect(page.locator("#sound-off")).to_be_visible()


def test_the_end_of_the_session_leads_to_the_sign_in(
    browser_page: Page, dashboard: Server, owner: Connection
) -> None:
    enter(browser_page, dashboard)
    browser_page.goto(dashboard.url("/county"))
    expect(browser_page.locator("#connection")).to_have_attribute("data-state", "live")
    owner.execute("DELETE FROM care.session")
    browser_page.wait_for_url(re.compile(r"/sign-in\?next=%2Fcounty"))


def test_a_desk_says_that_its_session_is_over_and_goes_on_ringing(
    browser_page: Page, dashboard: Server, owner: Connection, ward: Ward
) -> None:
    page = browser_page
    enter(page, dashboard)
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    expect(page.locator(f"#alarm-{alarm.id}")).to_be_visible()
    expect(page.locator("#session-ends")).to_be_hidden()
    owner.execute("UPDATE care.session SET expires_at = now() + interval '14 minutes'")
    page.reload()
    expect(page.locator("#session-ends")).to_contain_text("此后这里听不到报警")
    owner.execute("DELETE FROM care.session")
    expect(page.locator("#session-over")).to_contain_text("这里听不到报警")
    expect(page.locator("#session-ends")).to_be_hidden()
    page.evaluate(
        "document.addEventListener('alarm-sounded', () => { document.body.dataset.sounded = 'yes'; })"
    )
    # Whichever comes first: the browser lets it sound, or the page asks to be allowed.
    asked, sounded = page.locator("#sound-off"), page.locator("body[data-sounded=yes]")
    expect(asked.or_(sounded).first).to_be_visible()
    if asked.is_visible():
        page.get_by_role("button", name="开启声音").click()
    expect(sounded).to_be_visible()
    # Neither a press nor a part that fetches itself leads away without a word.
    page.locator(f"#alarm-{alarm.id} [data-step=acknowledged]").click()
    page.evaluate("document.body.dispatchEvent(new Event('alarms-changed'))")
    expect(page.locator("#session-over")).to_be_visible()
    with page.expect_navigation(url=re.compile(r"/sign-in\?next=/desk|next=%2Fdesk")):
        page.locator("#session-over a").click()


def test_a_desk_is_whole_again_when_somebody_signs_in_elsewhere(
    browser_page: Page, dashboard: Server, owner: Connection
) -> None:
    page = browser_page
    enter(page, dashboard)
    owner.execute("DELETE FROM care.session")
    expect(page.locator("#session-over")).to_be_visible()
    enter(page.context.new_page(), dashboard)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=20_000)
    expect(page.locator("#session-over")).to_be_hidden()


def test_a_forged_or_foreign_address_shows_nothing(
    browser_page: Page, dashboard: Server, owner: Connection, ward: Ward
) -> None:
    page = browser_page
    enter(page, dashboard, "zhao")
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    own = report(
        owner,
        Report(
            site_id=ward.county.other_home.id,
            kind=AlarmKind.SOS,
            happened_at=ward.now,
            actor=Actor("sos-button-0009"),
            source=AlarmSource.DEVICE,
            resident_id=ward.county.stranger.id,
        ),
    ).alarm
    expect(page.locator(f"#alarm-{own.id}")).to_be_visible()
    expect(page.locator(f"#alarm-{alarm.id}")).to_have_count(0)
    for path in (f"/alarms/{alarm.id}", f"/residents/{ward.residents[0].id}"):
        answer = page.goto(dashboard.url(path))
        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_text("您无权查看")).to_be_visible()


def test_the_language_is_switched_and_kept(browser_page: Page, dashboard: Server) -> None:
    page = browser_page
    enter(page, dashboard)
    page.locator(".who").click()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_text("No alarm is open")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.locator(".who").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("language", ["zh_CN", "en"])
def test_everything_fits_a_phone(
    phone_page: Page, dashboard: Server, owner: Connection, ward: Ward, language: str
) -> None:
    page = phone_page
    for number, kind in enumerate((AlarmKind.SOS, AlarmKind.INACTIVITY, AlarmKind.LOW_BATTERY)):
        ward.alarm(owner, number, kind)
    owner.execute("UPDATE care.staff SET language = %s", (language,))
    complaints = enter(page, dashboard, "county")
    alarm_page, resident_page = "/alarms/1", f"/residents/{ward.residents[0].id}"
    for path in ("/desk", alarm_page, resident_page, "/county", "/county/devices"):
        page.goto(dashboard.url(path))
        if path in (alarm_page, resident_page):
            expect(page.locator("[data-drawn]")).to_be_visible()
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"], path  # type: ignore[index]
    # From an office nobody goes: the buttons are those of who can.
    page.context.clear_cookies()
    complaints.found += enter(page, dashboard, "wang").found
    expect(page.locator("button.step").first).to_be_visible()
    heights = of_each(page, "button.step", "e.offsetHeight")
    assert min(heights) >= 44
    assert complaints.found == []


def test_the_alarm_s_page_follows(
    browser_page: Page, dashboard: Server, owner: Connection, county: County, ward: Ward
) -> None:
    page = browser_page
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    complaints = enter(page, dashboard, path=f"/alarms/{alarm.id}")
    expect(page.locator("[data-drawn]")).to_be_visible()
    page.get_by_role("button", name="我去", exact=True).click()
    expect(page.locator(".timeline")).to_contain_text("王护理 正赶去")
    take(owner, alarm.id, Step(step=AlarmStep.NOTED, actor=actor_of(county.colleague), note="我带轮椅来"))
    expect(page.locator(".timeline")).to_contain_text("我带轮椅来")
    page.get_by_label("添加备注").fill("门锁着")
    page.get_by_role("button", name="保存备注").click()
    expect(page.locator(".timeline")).to_contain_text("门锁着")
    assert complaints.found == []


def test_a_press_whose_answer_was_lost_is_sent_again_and_taken_once(
    browser_page: Page, dashboard: Server, owner: Connection, ward: Ward
) -> None:
    page = browser_page
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    enter(page, dashboard, path=f"/alarms/{alarm.id}")
    keys: list[str | None] = []

    def lose_the_first_answer(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        if len(keys) > 1:
            route.continue_()
            return
        assert route.fetch().status == 200
        route.abort()

    page.route(f"**/alarms/{alarm.id}/notes", lose_the_first_answer)
    page.get_by_label("添加备注").fill("门锁着")
    with page.expect_event("requestfailed"):
        page.get_by_role("button", name="保存备注").click()
    for written in ("门锁着", "门开了"):
        page.get_by_label("添加备注").fill(written)
        page.get_by_role("button", name="保存备注").click()
        expect(page.get_by_label("添加备注")).to_have_value("")
    lines = timeline(owner, alarm.id)
    assert [line.note for line in lines[1:]] == ["门锁着", "门开了"]
    assert keys[0] == keys[1] == lines[1].key
    assert keys[2] == lines[2].key != keys[0]


def test_the_county_s_table_sorts(browser_page: Page, dashboard: Server) -> None:
    page = browser_page
    complaints = enter(page, dashboard, "county", path="/county")
    heads = page.locator("table.sites th button")
    heads.nth(2).click()
    names = page.locator("table.sites tbody tr td:first-child a")
    expect(names.first).to_have_text("青石敬老院")
    heads.nth(2).click()
    expect(names.first).to_have_text("王家")
    assert complaints.found == []


def test_with_little_motion_nothing_flashes(
    new_context: NewContext, dashboard: Server, owner: Connection, ward: Ward
) -> None:
    page = new_context(reduced_motion="reduce").new_page()
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    enter(page, dashboard)
    header = page.locator(f"#alarm-{alarm.id} header")
    assert header.evaluate("e => getComputedStyle(e).animationName") == "none"
