import assert from "node:assert/strict";
import { test } from "node:test";

import { fire, open, settled } from "./page.js";

const notice = (kind, text) => `<div data-notice="${kind}">\n<p>${text}</p><button data-dismiss>x</button>\n</div>\n`;

async function noticeBoard(t) {
  const unsent = (text) => notice("danger", text).replace("<div", "<div data-unsent");
  const templates = ["not-sure", "not-opened"].map((id) => `<template id="${id}">${unsent(id)}</template>`);
  const page = open(t, `<div id="notices"></div>${templates.join("")}`);
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

for (const [what, config, told] of [
  ["a press that sends something", { verb: "post" }, ["not-sure"]],
  ["a press that opens something", { verb: "get", triggeringEvent: { type: "click" } }, ["not-opened"]],
  ["what the page fetches by itself", { verb: "get", triggeringEvent: { type: "alarms-changed" } }, []],
  ["what the page fetches every now and then", { verb: "get" }, []],
]) {
  test(`${what} and gets no answer is told: ${told}, once, until the centre answers`, async (t) => {
    const { page, texts } = await noticeBoard(t);
    fire(page.document.body, "htmx:sendError", { detail: { requestConfig: config } });
    fire(page.document.body, "htmx:timeout", { detail: { requestConfig: config } });
    assert.deepEqual(texts(), told);
    fire(page.document.body, "htmx:afterOnLoad");
    assert.deepEqual(texts(), []);
  });
}
