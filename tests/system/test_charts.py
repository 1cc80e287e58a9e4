"""Charts, evidence and feedback in a real browser, at a desk and on a phone, in both languages."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import APIResponse, Page, Response, Route, expect

from alarms import feedback
from alarms.incident import Step, take
from alarms.kinds import AlarmKind
from alarms.model import Alarm, AlarmStep
from database.connections import Connection
from identity.sessions import actor_of
from tests.care.conftest import County
from tests.conftest import PHONE_SIZE
from tests.dashboard.past import fill_past
from tests.dashboard.running import Server
from tests.dashboard.ward import Ward
from tests.system.test_desk import NewContext, county, dashboard, enter, of_each, population, ward

__all__ = ["county", "dashboard", "population", "ward"]

pytestmark = pytest.mark.browser

THUMB_PX = 44


def turn_until(page: Page, held: list[Any], what: str) -> None:
    """Let the page go on until something of it is held back."""
    for _ in range(500):
        if held:
            return
        page.wait_for_timeout(20)
    pytest.fail(f"not yet: {what}")


def wait_until_taken_in(page: Page, answer: Response) -> None:
    """The page has done with an answer what it does: it has been drawn twice since all of it was there."""
    answer.finished()
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.fixture
def past(owner: Connection, ward: Ward) -> int:
    with owner.transaction():
        fill_past(owner, ward.residents[0].id, ward.mattresses[0].id, now=ward.now)
    return ward.residents[0].id


@pytest.fixture
def found(owner: Connection, ward: Ward, past: int) -> Alarm:
    """An alarm of a detector with all the evidence there can be."""
    now = datetime.now(UTC)
    evidence = {
        "sentence": {"zh_CN": "脉搏三天来高于平时。", "en": "Pulse above its usual for three days."},
        "window": {"from": (now - timedelta(days=3)).isoformat(), "to": now.isoformat()},
        "seen": {"score": 3.4},
        "expected": {"score": 0},
        "contributions": [
            {"sign": "hr", "value": 88, "expected_low": 62, "expected_high": 76, "share": 0.7},
            {"habit": "night_out_of_bed", "value": 5, "expected_low": None, "expected_high": 2, "share": 0.3},
        ],
        "chart": {
            "source": "vitals",
            "sign": "hr",
            "from": (now - timedelta(days=12)).isoformat(),
            "to": now.isoformat(),
            "low": 62,
            "high": 90,
        },
    }
    return ward.alarm(owner, 0, AlarmKind.HEALTH_CHANGE, evidence=evidence)


def options(page: Page, selector: str = "[data-drawn]") -> dict[str, Any]:
    """What ECharts was told to draw."""
    told: dict[str, Any] = page.locator(selector).first.evaluate(
        "e => { const o = echarts.getInstanceByDom(e).getOption(); return {"
        " from: o.xAxis[0].min, to: o.xAxis[0].max, utc: o.useUTC, names: o.yAxis.map(a => a.name),"
        " low: o.yAxis[0].min, series: o.series.map(s => ({type: s.type, name: s.name, count: s.data.length,"
        " area: s.markArea?.data?.length ?? 0, lines: s.markLine?.data?.length ?? 0})) }; }"
    )
    return told


def assert_fits(page: Page) -> None:
    width = page.evaluate("document.documentElement.scrollWidth")
    assert page.viewport_size is not None
    assert width <= page.viewport_size["width"], page.url


def clipped(page: Page, selector: str) -> list[str]:
    """Texts that stick out of their buttons."""
    found = of_each(page, selector, "[e.scrollWidth > e.clientWidth + 1, e.textContent]")
    return [text for sticks_out, text in found if sticks_out]


def places_of_times(page: Page) -> list[set[int]]:
    """Where the beginning, the middle and the end of a chart's time are in its rows, in pixels."""
    places = page.evaluate(
        """() => {
            const chart = echarts.getInstanceByDom(document.querySelector("[data-drawn]"));
            const axes = chart.getOption().xAxis;
            const { min, max } = axes[0];
            return [min, (min + max) / 2, max].map((at) =>
                axes.map((_, xAxisIndex) => Math.round(chart.convertToPixel({ xAxisIndex }, at))));
        }"""
    )
    return [set(row) for row in places]


def test_the_range_is_switched_in_place(browser_page: Page, dashboard: Server, past: int) -> None:
    page = browser_page
    complaints = enter(page, dashboard, path=f"/residents/{past}")
    expect(page.locator("[data-drawn='24h']")).to_be_visible()
    page.evaluate("window.neverReloaded = true")
    for range_, name, kinds in (
        ("90d", "90 天", {"custom", "line", "bar"}),
        ("1y", "1 年", {"custom", "line", "bar"}),
        ("7d", "7 天", {"custom", "line", "bar"}),
        ("24h", "24 小时", {"line", "scatter"}),
    ):
        page.get_by_role("link", name=name).click()
        expect(page.locator(f"[data-drawn='{range_}']")).to_be_visible()
        expect(page.get_by_role("link", name=name)).to_have_attribute("aria-current", "true")
        assert {one["type"] for one in options(page)["series"]} == kinds
        assert all(len(places) == 1 for places in places_of_times(page)), "a time has one place in every row"
        assert page.url.endswith(f"?range={range_}")
    assert page.evaluate("window.neverReloaded")
    page.goto(dashboard.url(f"/residents/{past}?range=1y"))
    expect(page.locator("[data-drawn='1y']")).to_be_visible()
    names = " ".join(options(page)["names"])
    for sign in ("心率", "呼吸", "血氧", "体温", "血压", "血糖", "体重", "活动"):
        assert sign in names
    assert complaints.found == []


def test_a_week_of_silence_is_two_stretches(browser_page: Page, dashboard: Server, past: int) -> None:
    enter(browser_page, dashboard, path=f"/residents/{past}?range=90d")
    expect(browser_page.locator("[data-drawn='90d']")).to_be_visible()
    bands = [one["count"] for one in options(browser_page)["series"] if one["type"] == "custom"]
    assert bands[0] == 2, "one area before the gap, one after it"


def test_axes_are_the_home_s_wherever_the_browser_is(
    new_context: NewContext, dashboard: Server, past: int
) -> None:
    page = new_context(timezone_id="America/New_York").new_page()
    enter(page, dashboard, path=f"/residents/{past}")
    expect(page.locator("[data-drawn='24h']")).to_be_visible()
    drawn = options(page)
    assert drawn["utc"]
    end = datetime.fromtimestamp(drawn["to"] / 1000, UTC).replace(tzinfo=None)
    here = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=8)
    assert abs(here - end) < timedelta(minutes=10)


def test_the_evidence_is_drawn_and_stays(
    browser_page: Page, dashboard: Server, owner: Connection, county: County, found: Alarm
) -> None:
    page = browser_page
    complaints = enter(page, dashboard, path=f"/alarms/{found.id}")
    expect(page.locator("#evidence-chart [data-drawn]")).to_be_visible()
    drawn = options(page, "#evidence-chart [data-drawn]")
    line = next(one for one in drawn["series"] if one["type"] == "line")
    assert (line["area"], line["lines"]) == (1, 1), "what was expected, and when the alarm was"
    expect(page.locator(".why")).to_contain_text("脉搏三天来高于平时。")
    expect(page.locator(".why")).to_contain_text("62–90 次/分")
    page.locator("#evidence-chart canvas").evaluate("e => { e.mark = 'kept'; }")
    take(owner, found.id, Step(step=AlarmStep.NOTED, actor=actor_of(county.colleague), note="我去看看"))
    expect(page.locator(".timeline")).to_contain_text("我去看看")
    assert page.locator("#evidence-chart canvas").evaluate("e => e.mark") == "kept", "not drawn anew"
    assert complaints.found == []


def test_one_tap_says_whether_it_was_right(
    browser_page: Page, dashboard: Server, owner: Connection, county: County, found: Alarm
) -> None:
    page = browser_page
    for step in (AlarmStep.ACKNOWLEDGED, AlarmStep.RESOLVED):
        take(owner, found.id, Step(step=step, actor=actor_of(county.colleague), note="x"))
    complaints = enter(page, dashboard, path=f"/alarms/{found.id}")
    page.get_by_role("button", name="是，报得对").click()
    expect(page.get_by_role("button", name="是，报得对")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="身体不适").click()
    expect(page.get_by_role("button", name="身体不适")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="自己写").click()
    page.get_by_label("自己写几句").fill("低烧")
    # Somebody else speaks meanwhile: what is typed stays.
    feedback.give(owner, found.id, actor_of(county.colleague), feedback.Verdict.UNSURE)
    expect(page.get_by_text("刘护理 · ")).to_be_visible()
    expect(page.get_by_label("自己写几句")).to_have_value("低烧")
    page.locator("#dialog .choice", has_text="不是，误报").click()
    page.get_by_role("button", name="保存", exact=True).click()
    expect(page.locator("#dialog")).to_be_hidden()
    expect(page.locator(".feedback")).to_contain_text("低烧")
    expect(page.locator(".feedback")).to_contain_text("此前 3 次评价")
    said = feedback.of_alarm(owner, found.id)
    assert [one.verdict for one in said] == ["true", "true", "unsure", "false"]
    assert complaints.found == []


def test_what_is_tapped_while_the_page_fetches_itself_anew_is_shown(
    browser_page: Page, dashboard: Server, owner: Connection, county: County, found: Alarm
) -> None:
    page = browser_page
    for step in (AlarmStep.ACKNOWLEDGED, AlarmStep.RESOLVED):
        take(owner, found.id, Step(step=step, actor=actor_of(county.colleague), note="x"))
    enter(page, dashboard, path=f"/alarms/{found.id}")
    held: list[tuple[Route, APIResponse]] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    page.route(f"**/alarms/{found.id}", hold_the_first)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    page.evaluate("document.body.dispatchEvent(new Event('step-taken'))")
    turn_until(page, held, "the page asks for itself")
    with page.expect_response("**/feedback"):
        page.get_by_role("button", name="是，报得对").click()
    page.wait_for_timeout(300)  # the tap asks for the page while the older answer is still on its way
    route, answer = held[0]
    route.fulfill(response=answer)
    expect(page.get_by_role("button", name="是，报得对")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("late", ["htmx.min.js", "js/page.js", "echarts.min.js"])
def test_a_tap_before_the_scripts_are_there_is_not_lost(
    browser_page: Page, dashboard: Server, owner: Connection, county: County, found: Alarm, late: str
) -> None:
    page = browser_page
    for step in (AlarmStep.ACKNOWLEDGED, AlarmStep.RESOLVED):
        take(owner, found.id, Step(step=step, actor=actor_of(county.colleague), note="x"))
    enter(page, dashboard)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(f"**/{late}*", hold)
    page.goto(dashboard.url(f"/alarms/{found.id}"), wait_until="commit")
    right = page.get_by_role("button", name="是，报得对")
    right.click()
    turn_until(page, held, "the script was asked for")
    for route in held:
        route.continue_()
    expect(right).to_have_attribute("aria-pressed", "true")
    assert [one.verdict for one in feedback.of_alarm(owner, found.id)] == ["true"]
    assert "verdict" not in page.url, "the browser has not sent the form by itself"


def test_the_page_is_not_replaced_when_nothing_changed_nor_under_a_finger(
    browser_page: Page, dashboard: Server, owner: Connection, county: County, found: Alarm
) -> None:
    page = browser_page
    for step in (AlarmStep.ACKNOWLEDGED, AlarmStep.RESOLVED):
        take(owner, found.id, Step(step=step, actor=actor_of(county.colleague), note="x"))
    complaints = enter(page, dashboard, path=f"/alarms/{found.id}")
    right = page.get_by_role("button", name="是，报得对")
    right.evaluate("e => { e.mark = 'kept'; }")
    with page.expect_response(f"**/alarms/{found.id}") as answer:
        page.evaluate("document.body.dispatchEvent(new Event('step-taken'))")
    wait_until_taken_in(page, answer.value)
    assert right.evaluate("e => e.mark") == "kept", "nothing has changed"
    right.hover()
    page.mouse.down()
    with page.expect_response(f"**/alarms/{found.id}") as answer:
        take(owner, found.id, Step(step=AlarmStep.NOTED, actor=actor_of(county.colleague), note="我去看看"))
    wait_until_taken_in(page, answer.value)
    assert right.evaluate("e => e.mark") == "kept", "a finger is on it"
    page.mouse.up()
    expect(right).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".timeline")).to_contain_text("我去看看")
    assert complaints.found == []


def test_a_note_half_written_stays_when_the_page_changes(
    browser_page: Page, dashboard: Server, owner: Connection, county: County, found: Alarm
) -> None:
    page = browser_page
    enter(page, dashboard, path=f"/alarms/{found.id}")
    field = page.get_by_label("添加备注")
    field.press_sequentially("量了体温")
    take(owner, found.id, Step(step=AlarmStep.NOTED, actor=actor_of(county.colleague), note="我去看看"))
    expect(page.locator(".timeline")).to_contain_text("我去看看")
    expect(field).to_have_value("量了体温")
    expect(field).to_be_focused()
    field.press("Enter")
    expect(page.locator(".timeline")).to_contain_text("量了体温")
    expect(field).to_have_value("")


def test_steps_that_ask_for_words_work_on_the_alarm_s_page_too(
    browser_page: Page, dashboard: Server, owner: Connection, county: County, found: Alarm
) -> None:
    page = browser_page
    take(owner, found.id, Step(step=AlarmStep.ACKNOWLEDGED, actor=actor_of(county.caregiver)))
    enter(page, dashboard, path=f"/alarms/{found.id}")
    page.get_by_role("button", name="处理好了").click()
    page.get_by_label("简单记录").fill("已量体温")
    page.get_by_role("button", name="保存：已处理").click()
    expect(page.locator("#notices")).to_contain_text("已处理")
    expect(page.locator(".timeline")).to_contain_text("已量体温")
    expect(page.locator(".feedback")).to_be_visible()


@pytest.mark.parametrize("language", ["zh_CN", "en"])
def test_dealing_with_it_on_a_phone_asks_too(
    phone_page: Page, dashboard: Server, owner: Connection, county: County, found: Alarm, language: str
) -> None:
    page = phone_page
    take(owner, found.id, Step(step=AlarmStep.ACKNOWLEDGED, actor=actor_of(county.caregiver)))
    owner.execute("UPDATE care.staff SET language = %s", (language,))
    complaints = enter(page, dashboard)
    page.locator(f"#alarm-{found.id} [data-step=resolved]").click()
    page.locator("textarea[name=note]").fill("x")
    page.locator(".choice", has=page.locator("input[value=true]")).click()
    assert clipped(page, ".choice span") == []
    assert_fits(page)
    page.locator("#dialog button[type=submit]").click()
    expect(page.locator("#dialog")).to_be_hidden()
    expect(page.locator(f"#alarm-{found.id}")).to_have_class(re.compile("is-resolved"))
    assert [one.verdict for one in feedback.of_alarm(owner, found.id)] == ["true"]
    page.goto(dashboard.url(f"/alarms/{found.id}"))
    expect(page.locator("#evidence-chart [data-drawn]")).to_be_visible()
    expect(page.locator(".verdict-true")).to_have_attribute("aria-pressed", "true")
    for path, ready in (
        (f"/alarms/{found.id}", "#evidence-chart [data-drawn]"),
        (f"/residents/{found.resident_id}?range=90d", "[data-drawn='90d']"),
        ("/county/detectors", ".finders"),
        ("/county", ".also"),
    ):
        page.goto(dashboard.url(path))
        expect(page.locator(ready)).to_be_visible()
        assert_fits(page)
        assert clipped(page, ".verdict, .chip, .ranges a, .also a") == []
        touched = ".verdict, .chip, .ranges a, .also a, .small-print summary"
        heights = of_each(page, touched, "e.offsetHeight")
        assert min(heights, default=THUMB_PX) >= THUMB_PX, path
    assert page.viewport_size == PHONE_SIZE
    assert complaints.found == []
