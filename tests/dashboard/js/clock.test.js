import assert from "node:assert/strict";
import { test } from "node:test";

import { fire, open } from "./page.js";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test("how long something has lasted", async (t) => {
  const { lasting } = await open(t, "").script("clock.js");
  for (const [ms, words] of [
    [-5 * SECOND, "0:00"],
    [7_999, "0:07"],
    [12 * MINUTE + 5 * SECOND, "12:05"],
    [HOUR, "1:00:00"],
    [47 * HOUR + 59 * MINUTE + 59 * SECOND, "47:59:59"],
    [2 * DAY, "2 天"],
    [10 * DAY + 23 * HOUR, "10 天"],
  ]) assert.equal(lasting(ms), words);
});

for (const [lang, words] of [
  ["zh-CN", ["刚刚", "刚刚", "1 分钟前", "59 分钟前", "1 小时前", "47 小时前", "前天", "9 天前"]],
  ["en", ["just now", "just now", "1 min. ago", "59 min. ago", "1 hr. ago", "47 hr. ago", "2 days ago", "9 days ago"]],
]) {
  test(`how long ago something was, in ${lang}`, async (t) => {
    const { ago } = await open(t, "", { lang, attributes: `data-just-now="${words[0]}"` }).script("clock.js");
    const spans = [-MINUTE, MINUTE - 1, MINUTE, HOUR - 1, HOUR, 2 * DAY - 1, 2 * DAY, 9 * DAY + 5 * HOUR];
    assert.deepEqual(spans.map(ago), words);
  });
}

test("clocks run by the server's time, however wrong the desk's is", async (t) => {
  const now = Date.UTC(2026, 2, 1, 4);
  const body = `<b data-clock="${now}"></b><i data-ago="${now}"></i>`;
  const page = open(t, body, { attributes: `data-server-ms="${now + 90 * SECOND}"` });
  const { setServerTime, startClocks } = await page.script("clock.js");
  const told = () => [page.find("b").textContent, page.find("i").textContent];
  startClocks();
  assert.deepEqual(told(), ["1:30", "1 分钟前"]);
  t.mock.timers.tick(45 * SECOND);
  assert.deepEqual(told(), ["2:15", "2 分钟前"]);
  setServerTime(now + 10 * MINUTE);
  t.mock.timers.tick(SECOND);
  assert.deepEqual(told(), ["10:01", "10 分钟前"]);
});

test("a clock that ran until something stands still there", async (t) => {
  const now = Date.UTC(2026, 2, 1, 4);
  const body = `<b data-clock="${now - 10 * MINUTE}" data-until="${now - 3 * MINUTE}"></b>`;
  const page = open(t, body, { attributes: `data-server-ms="${now}"` });
  const { startClocks } = await page.script("clock.js");
  startClocks();
  t.mock.timers.tick(HOUR);
  assert.equal(page.find("b").textContent, "7:00");
});

test("what is swapped in has its times at once, and what did not change is not touched", async (t) => {
  const now = Date.UTC(2026, 2, 1, 4);
  const page = open(t, `<i data-ago="${now}">x</i><main></main>`, { attributes: `data-server-ms="${now}"` });
  const { startClocks } = await page.script("clock.js");
  startClocks();
  const text = page.find("i").firstChild;
  page.find("main").innerHTML = `<b data-clock="${now - 5 * SECOND}"></b>`;
  fire(page.find("main"), "htmx:afterSwap");
  assert.equal(page.find("b").textContent, "0:05");
  t.mock.timers.tick(SECOND);
  assert.equal(page.find("i").firstChild, text);
});
