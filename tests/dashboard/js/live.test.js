import assert from "node:assert/strict";
import { test } from "node:test";

import { fire, open, setHidden, settled, Stream } from "./page.js";

const NOW_MS = Date.UTC(2026, 2, 1, 4);
const FRAME = `<span id="connection" data-state="waiting"></span><b id="bell" hidden></b>
  <button id="sound"></button><div id="sound-off"><button id="sound-on"></button></div>
  <div id="cut-off" hidden><span id="cut-off-since"></span></div><div id="notices"></div>`;
const summary = (open_, urgent, title = "") =>
  `<div data-key="summary" data-open="${open_}" data-urgent="${urgent}" data-medium="0" data-title="${title}" hidden></div>`;
const card = (key, priority = "high", text = "") =>
  `<article data-key="${key}" data-priority="${priority}"><time data-clock="${NOW_MS}">10:00</time>${text}</article>`;

// A page with its live connection; the desk has a list of alarms, others have a bell.
async function live(t, { alarms = null, site = "", isHidden = false, answer = () => ({ ok: false }), url, extra = "" } = {}) {
  Stream.all = [];
  const asked = [];
  const list = alarms === null ? "" : `<div id="alarms" data-site="${site}" data-after="7">${alarms}</div>`;
  const left = [];
  const page = open(t, FRAME + extra + list, {
    url,
    attributes: `data-live="${alarms === null ? "bell" : "desk"}" data-silent-ms="25000" data-server-ms="${NOW_MS}"`,
    given: {
      EventSource: Stream,
      fetch: async (path) => {
        asked.push(path);
        return answer(path);
      },
    },
  });
  const { pathname, search } = page.window.location;
  Object.defineProperty(globalThis, "location", {
    value: { pathname, search, assign: (to) => left.push(to) }, configurable: true,
  });
  t.after(() => delete globalThis.location);
  const scrolled = [];
  page.window.HTMLElement.prototype.scrollIntoView = function scrollIntoView() {
    scrolled.push(this.dataset.key);
  };
  const processed = [];
  page.window.htmx = { process: (element) => processed.push(element.dataset.key) };
  t.mock.method(performance, "now", () => Date.now() - NOW_MS);
  if (isHidden) Object.defineProperty(page.document, "hidden", { value: true, configurable: true });
  const script = await page.script("live.js");
  let told = 0;
  page.document.body.addEventListener("alarms-changed", () => {
    told += 1;
  });
  script.adopt();
  script.startLive();
  const keys = () => [...page.document.querySelectorAll("#alarms > *")].map((one) => one.dataset.key);
  return { page, asked, left, scrolled, processed, keys, told: () => told, state: () => page.find("#connection").dataset.state };
}

test("a page listens to the counts", async (t) => {
  await live(t);
  assert.equal(Stream.last.url.href, "https://anshou.test/live?view=bell");
});

test("the desk listens to the list of its place, and opened anew to what it missed", async (t) => {
  const { page } = await live(t, { alarms: "", site: "3" });
  assert.equal(Stream.last.url.href, "https://anshou.test/live?view=desk&site=3");
  t.mock.timers.tick(20_000);
  fire(page.window, "online");
  assert.equal(Stream.last.url.href, "https://anshou.test/live?view=desk&site=3&after=7");
});

test("the desk shows what the page came with before anything is heard", async (t) => {
  const { page, scrolled } = await live(t, { alarms: summary(2, 1, "跌倒") + card(1) });
  assert.equal(page.find("#bell").textContent, "2");
  assert.ok(page.find("#bell").classList.contains("is-urgent"));
  t.mock.timers.tick(700);
  assert.equal(page.document.title, "🔴 (1) 跌倒");
  assert.deepEqual(scrolled, []);
});

test("alarms are shown, announced and handed to htmx", async (t) => {
  const { page, keys, processed, scrolled } = await live(t, { alarms: summary(1, 0) + card(1, "low") });
  t.mock.timers.tick(65_000);
  Stream.last.send("alarms", summary(3, 2) + card(2) + card(3, "medium") + card(1, "low"), "9");
  assert.deepEqual(keys(), ["summary", "2", "3", "1"]);
  assert.deepEqual(processed, ["summary", "2", "3"]);
  assert.deepEqual(scrolled, [], "nothing moves by itself");
  assert.ok(page.find('[data-key="3"]').classList.contains("is-new"));
  assert.equal(page.find('[data-key="2"] time').textContent, "1:05", "its clock runs at once");
  assert.equal(page.find("#bell").textContent, "3");
});

test("a bell counts and is hidden when there is nothing to count", async (t) => {
  const { page } = await live(t);
  const bell = page.find("#bell");
  Stream.last.send("alarms", summary(4, 0));
  assert.deepEqual([bell.textContent, bell.hidden, bell.classList.contains("is-urgent")], ["4", false, false]);
  Stream.last.send("alarms", summary(0, 0));
  assert.equal(bell.hidden, true);
});

test("cut off, the page says so and since when; back again it says that", async (t) => {
  const { page, state } = await live(t);
  Stream.last.send("beat", String(NOW_MS));
  assert.equal(state(), "live");
  fire(page.window, "offline");
  t.mock.timers.tick(7_000);
  assert.deepEqual([state(), page.find("#cut-off").hidden], ["lost", false]);
  assert.equal(page.find("#cut-off-since").textContent, "0:07");
  fire(page.window, "online");
  assert.equal(Stream.all.length, 2, "without waiting");
  assert.equal(state(), "lost", "until it is heard");
  Stream.last.send("beat", String(NOW_MS + 7_000));
  assert.deepEqual([state(), page.find("#cut-off").hidden], ["live", true]);
});

test("silence is noticed while the page is open", async (t) => {
  const { state } = await live(t);
  Stream.last.send("beat", String(NOW_MS));
  t.mock.timers.tick(25_000);
  assert.equal(Stream.all.length, 1);
  t.mock.timers.tick(1_000);
  assert.deepEqual([state(), Stream.all.length], ["lost", 2]);
});

test("a hidden page gives its connection back, and takes none", async (t) => {
  const { page } = await live(t);
  setHidden(page.document, true);
  assert.equal(Stream.open.length, 0);
  fire(page.window, "online");
  t.mock.timers.tick(120_000);
  assert.equal(Stream.open.length, 0, "also when the network comes back");
  setHidden(page.document, false);
  assert.equal(Stream.open.length, 1);
});

test("a page that is opened in the background connects when it is looked at", async (t) => {
  const { page } = await live(t, { isHidden: true });
  assert.equal(Stream.all.length, 0);
  setHidden(page.document, false);
  assert.equal(Stream.open.length, 1);
});

test("a hidden desk goes on listening: it has to be heard", async (t) => {
  const { page } = await live(t, { alarms: "", isHidden: true });
  assert.equal(Stream.open.length, 1);
  setHidden(page.document, true);
  assert.equal(Stream.open.length, 1);
});

test("a page that is left closes its connection, and opens it when it comes back", async (t) => {
  const { page } = await live(t);
  fire(page.window, "pagehide");
  assert.equal(Stream.open.length, 0);
  page.window.dispatchEvent(Object.assign(new page.window.Event("pageshow"), { persisted: true }));
  assert.equal(Stream.open.length, 1);
});

test("whose session has ended is sent to sign in, and back to this page", async (t) => {
  const { left } = await live(t, { url: "https://anshou.test/desk?site=3" });
  Stream.last.send("signed-out");
  assert.deepEqual(left, ["/sign-in?next=%2Fdesk%3Fsite%3D3"]);
});

const ENDS = (inMs) => `<div id="session-ends" data-ends-ms="${NOW_MS + inMs}" hidden></div>
  <div id="session-over" data-title="mute" hidden></div>`;

test("a desk whose session has ended stays, says so, and keeps its alarms", async (t) => {
  const { page, left, keys, state } = await live(t, { alarms: summary(1, 1) + card(1), extra: ENDS(60_000) });
  assert.equal(page.find("#session-ends").hidden, false);
  Stream.last.send("signed-out");
  assert.deepEqual(left, []);
  assert.equal(page.find("#session-over").hidden, false);
  assert.equal(page.find("#session-ends").hidden, true);
  assert.equal(page.find("#cut-off").hidden, true);
  assert.equal(state(), "lost");
  assert.ok(keys().includes("1"));
});

test("the end of a session is announced a quarter of an hour before", async (t) => {
  const { page } = await live(t, { alarms: "", extra: ENDS(16 * 60_000) });
  assert.equal(page.find("#session-ends").hidden, true);
  t.mock.timers.tick(61_000);
  assert.equal(page.find("#session-ends").hidden, false);
});

test("a part that nobody may fetch any more does not lead away", async (t) => {
  const { page } = await live(t, { alarms: "", extra: ENDS(60_000) });
  const refused = new page.window.CustomEvent("htmx:beforeOnLoad", {
    detail: { xhr: { status: 401 } }, bubbles: true, cancelable: true,
  });
  page.document.body.dispatchEvent(refused);
  assert.ok(refused.defaultPrevented);
  assert.equal(page.find("#session-over").hidden, false);
});

test("what was missed is announced, but not what this page has shown", async (t) => {
  const { page } = await live(t, { alarms: card(1) });
  Stream.last.send("alarms", card(1) + card(2));
  Stream.last.send("missed", "<ul><li data-missed=1></li><li data-missed=2></li><li data-missed=3></li></ul>");
  assert.deepEqual([...page.document.querySelectorAll("li")].map((one) => one.dataset.missed), ["3"]);
});

test("other parts are told of changes at once, then once a second, and of the last one", async (t) => {
  const { told } = await live(t);
  for (let at = 0; at < 30; at += 1) {
    Stream.last.send("alarms", summary(at, 0));
    t.mock.timers.tick(at === 0 ? 0 : 100);
    if (at === 0) assert.equal(told(), 1, "at once");
  }
  t.mock.timers.tick(10_000);
  assert.equal(told(), 4, "in three seconds, and after them");
});

const posted = { detail: { requestConfig: { verb: "post" } } };

test("after a press the desk fetches its list, also when the live connection is away", async (t) => {
  const answer = () => ({ ok: true, text: async () => summary(0, 0) + card(5) });
  const { page, asked, keys } = await live(t, { alarms: card(1), site: "3", answer });
  fire(page.document.body, "htmx:afterRequest", { detail: { requestConfig: { verb: "get" } } });
  assert.deepEqual(asked, []);
  fire(page.document.body, "htmx:afterRequest", posted);
  await settled();
  assert.deepEqual(asked, ["/desk/alarms?site=3"]);
  assert.deepEqual(keys(), ["summary", "5"]);
});

test("after a press another page tells its parts", async (t) => {
  const { page, asked, told } = await live(t);
  fire(page.document.body, "htmx:afterRequest", posted);
  t.mock.timers.tick(0);
  assert.deepEqual([asked, told()], [[], 1]);
});

test("a list that cannot be fetched is not made up", async (t) => {
  const { page, keys, state } = await live(t, { alarms: card(1), answer: () => Promise.reject(new TypeError()) });
  fire(page.document.body, "htmx:afterRequest", posted);
  await settled();
  assert.deepEqual([keys(), state()], [["1"], "lost"]);
});
