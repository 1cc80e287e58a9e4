import assert from "node:assert/strict";
import { test } from "node:test";

import { fire, open, settled } from "./page.js";

const notice = (kind, text) => `<div data-notice="${kind}">\n<p>${text}</p><button data-dismiss>x</button>\n</div>\n`;

async function noticeBoard(t) {
  const page = open(t, `<div id="notices"></div><template id="not-sent">${notice("danger", "not sent")}</template>`);
  const { announce, startNotices } = await page.script("notices.js");
  startNotices();
  const box = page.find("#notices");
  const post = async (kind, text) => {
    box.insertAdjacentHTML("beforeend", notice(kind, text));
    await settled();
  };
  const texts = () => [...box.querySelectorAll("p, li")].map((one) => one.textContent);
  return { page, box, announce, post, texts };
}

test("good news goes by itself, bad news waits to be read", async (t) => {
  const { post, texts } = await noticeBoard(t);
  await post("danger", "bad");
  await post("success", "good");
  await post("info", "so");
  t.mock.timers.tick(4_999);
  assert.deepEqual(texts(), ["bad", "good", "so"]);
  t.mock.timers.tick(1);
  assert.deepEqual(texts(), ["bad", "so"]);
  t.mock.timers.tick(3_600_000);
  assert.deepEqual(texts(), ["bad", "so"]);
});

test("what was read is dismissed", async (t) => {
  const { box, post, texts } = await noticeBoard(t);
  await post("danger", "one");
  await post("danger", "two");
  box.querySelector("[data-dismiss]").click();
  assert.deepEqual(texts(), ["two"]);
});

test("of more than four the good ones go first, then the oldest, and never the newest", async (t) => {
  const { post, texts } = await noticeBoard(t);
  await post("danger", "not read yet");
  for (const text of ["a", "b", "c", "d"]) await post("success", text);
  assert.deepEqual(texts(), ["not read yet", "b", "c", "d"]);
  for (const text of ["e", "f", "g", "h"]) await post("danger", text);
  assert.deepEqual(texts(), ["e", "f", "g", "h"]);
  await post("success", "newest");
  assert.deepEqual(texts(), ["f", "g", "h", "newest"]);
});

test("what was missed is told once, and only if this page has not shown it", async (t) => {
  const { announce, texts } = await noticeBoard(t);
  const html = '<div data-notice="info"><ul><li data-missed="1">one</li><li data-missed="2">two</li></ul></div>';
  const seen = new Set(["1"]);
  announce(html, seen);
  assert.deepEqual(texts(), ["two"]);
  announce(html, seen);
  assert.deepEqual(texts(), ["two"], "not again");
});

for (const [what, config, isTold] of [
  ["a press that sends something", { verb: "post" }, true],
  ["a press that opens something", { verb: "get", triggeringEvent: { type: "click" } }, true],
  ["what the page fetches by itself", { verb: "get", triggeringEvent: { type: "alarms-changed" } }, false],
  ["what the page fetches every now and then", { verb: "get" }, false],
]) {
  test(`${what} and gets no answer is ${isTold ? "" : "not "}told`, async (t) => {
    const { page, texts } = await noticeBoard(t);
    fire(page.document.body, "htmx:sendError", { detail: { requestConfig: config } });
    fire(page.document.body, "htmx:timeout", { detail: { requestConfig: config } });
    assert.deepEqual(texts(), isTold ? ["not sent", "not sent"] : []);
  });
}
