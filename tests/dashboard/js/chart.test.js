import assert from "node:assert/strict";
import { test } from "node:test";

import { fire, open, setHidden, settled } from "./page.js";

const NOW_MS = Date.UTC(2026, 2, 1, 4);
const HOUR_MS = 3_600_000;
const WORDS = JSON.stringify({ labels: { hr: "心率" }, units: { hr: "" }, events: {} });
const SIGNS = {
  from: NOW_MS - HOUR_MS, to: NOW_MS, width_ms: 0, signs: { hr: [[NOW_MS, 70]] }, events: [], in_bed: [], days: [],
};
const EMPTY = { ...SIGNS, signs: {} };

// A page with a chart whose data the test hands over, one request after the other.
async function chart(t, attributes = 'data-range="day"') {
  const addresses = [];
  const requests = [];
  const drawn = [];
  const page = open(t, `<section>
    <a href="?range=day" data-range="day" aria-current="true"></a><a href="?range=year" data-range="year"></a>
    <div class="chart-box"><div data-chart="/api/signs" data-words='${WORDS}' ${attributes}></div>
    <p class="chart-empty" hidden></p><p class="chart-failed" hidden></p></div></section>`, {
    given: {
      ResizeObserver: class { observe() {} },
      history: { replaceState: (...args) => addresses.push(args.at(-1)) },
      fetch: (url) => {
        const asked = Promise.withResolvers();
        requests.push({ url: new URL(url, "https://anshou.test"), ...asked });
        return asked.promise;
      },
    },
  });
  page.window.echarts = {
    init: () => ({ resize: () => {}, setOption: (option) => drawn.push(option) }),
  };
  await page.script("chart.js");
  const answer = async (number, data) => {
    requests[number].resolve(data === null ? { ok: false } : { ok: true, json: async () => data });
    await settled();
  };
  const shown = () => ["[data-chart]", ".chart-empty", ".chart-failed"].filter((one) => !page.find(one).hidden);
  const choose = (range) => page.find(`a[data-range="${range}"]`).click();
  return { page, requests, drawn, addresses, answer, shown, choose, element: page.find("[data-chart]") };
}

test("what was measured is drawn", async (t) => {
  const { requests, drawn, answer, shown, element } = await chart(t);
  assert.equal(requests[0].url.search, "?range=day");
  await answer(0, SIGNS);
  assert.deepEqual([shown(), drawn.length, element.dataset.drawn], [["[data-chart]"], 1, "day"]);
});

for (const [what, data, selector] of [["nothing", EMPTY, ".chart-empty"], ["no answer", null, ".chart-failed"]]) {
  test(`${what} is told in words`, async (t) => {
    const { drawn, answer, shown } = await chart(t);
    await answer(0, data);
    assert.deepEqual([shown(), drawn.length], [[selector], 0]);
  });
}

test("a network that is away is told in words", async (t) => {
  const { requests, shown } = await chart(t);
  requests[0].reject(new TypeError("away"));
  await settled();
  assert.deepEqual(shown(), [".chart-failed"]);
});

test("it keeps itself fresh while it is looked at, and a failure does not take away what is there", async (t) => {
  const { page, requests, answer, shown } = await chart(t);
  await answer(0, SIGNS);
  t.mock.timers.tick(60_000);
  assert.equal(requests.length, 2);
  await answer(1, null);
  assert.deepEqual(shown(), ["[data-chart]"]);
  setHidden(page.document, true);
  t.mock.timers.tick(600_000);
  assert.equal(requests.length, 2);
});

test("another range is asked for, and may be found in the address", async (t) => {
  const { page, requests, addresses, answer, choose, element } = await chart(t);
  await answer(0, SIGNS);
  choose("year");
  assert.equal(requests[1].url.search, "?range=year");
  assert.deepEqual(addresses, ["https://anshou.test/desk?range=year"]);
  const current = [...page.document.querySelectorAll("a")].map((link) => link.getAttribute("aria-current"));
  assert.deepEqual(current, [null, "true"]);
  await answer(1, SIGNS);
  assert.equal(element.dataset.drawn, "year");
});

test("an answer for a range that is not wanted any more is not drawn", async (t) => {
  const { drawn, answer, choose, element } = await chart(t);
  choose("year");
  await answer(1, SIGNS);
  await answer(0, { ...SIGNS, width_ms: HOUR_MS });
  assert.deepEqual([drawn.length, element.dataset.drawn], [1, "year"]);
});

test("after another range was chosen, the old curve is not taken for it", async (t) => {
  const { answer, choose, shown } = await chart(t);
  await answer(0, SIGNS);
  choose("year");
  await answer(1, null);
  assert.deepEqual(shown(), [".chart-failed"]);
});

test("around an alarm it shows the hours before and after, as far as there are any, and stays", async (t) => {
  const { requests, answer } = await chart(t, `data-hours="4" data-mark="${NOW_MS - HOUR_MS}"`);
  const { searchParams } = requests[0].url;
  assert.deepEqual(Object.fromEntries(searchParams), { hours: "4", until: new Date(NOW_MS).toISOString() });
  await answer(0, SIGNS);
  t.mock.timers.tick(600_000);
  assert.equal(requests.length, 1);
});

test("long after an alarm it ends two hours after it", async (t) => {
  const { requests } = await chart(t, `data-hours="4" data-mark="${NOW_MS - 9 * HOUR_MS}"`);
  assert.equal(requests[0].url.searchParams.get("until"), new Date(NOW_MS - 7 * HOUR_MS).toISOString());
});

test("with other colours it is painted anew, not fetched", async (t) => {
  const { page, requests, drawn, answer } = await chart(t);
  fire(page.document, "theme-changed");
  assert.equal(drawn.length, 0, "nothing is there yet");
  await answer(0, SIGNS);
  fire(page.document, "theme-changed");
  assert.deepEqual([drawn.length, requests.length], [2, 1]);
});
