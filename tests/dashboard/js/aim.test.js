import assert from "node:assert/strict";
import { test } from "node:test";

import { fire, open } from "./page.js";

const card = (key, step) => `<article data-key="${key}"><button data-step="${step}">go</button></article>`;

// A list whose cards stand 100 px apart, as they would be drawn.
async function desk(t, html) {
  const page = open(t, `<main id="list">${html}</main>`);
  page.window.HTMLElement.prototype.getBoundingClientRect = function rectangle() {
    const item = this.closest("[data-key]") ?? this;
    return { top: 100 * [...page.find("#list").children].indexOf(item), left: 0 };
  };
  const { keepingAim, startAim } = await page.script("aim.js");
  startAim();
  const heard = [];
  page.find("#list").addEventListener("click", (event) => {
    heard.push(event.target.closest("[data-key]").dataset.key + event.target.dataset.step);
  });
  const show = (fresh) => keepingAim(page.find("#list"), () => {
    page.find("#list").innerHTML = fresh;
  });
  const press = (key) => {
    heard.length = 0;
    page.find(`[data-key="${key}"] button`).click();
    return [...heard];
  };
  return { page, show, press };
}

test("what the page came with can be pressed at once", async (t) => {
  const { press } = await desk(t, card(1, "acknowledged"));
  assert.deepEqual(press(1), ["1acknowledged"]);
});

test("a button that has just come under the finger is dead for a moment", async (t) => {
  const { show, press } = await desk(t, card(1, "acknowledged") + card(2, "acknowledged"));
  show(card(2, "acknowledged") + card(1, "arrived"));
  assert.deepEqual([press(2), press(1)], [[], []], "neither the one that moved nor the one that is new");
  t.mock.timers.tick(499);
  assert.deepEqual([press(2), press(1)], [[], []]);
  t.mock.timers.tick(1);
  assert.deepEqual([press(2), press(1)], [["2acknowledged"], []], "longer where one's own press has been");
  t.mock.timers.tick(499);
  assert.deepEqual(press(1), []);
  t.mock.timers.tick(1);
  assert.deepEqual(press(1), ["1arrived"]);
});

test("a card that is drawn anew in its place, again and again, can always be pressed", async (t) => {
  const { show, press } = await desk(t, card(1, "acknowledged"));
  for (let time = 0; time < 20; time += 1) {
    t.mock.timers.tick(100);
    show(card(1, "acknowledged"));
    assert.deepEqual(press(1), ["1acknowledged"]);
  }
});

test("being drawn anew makes nothing settle later", async (t) => {
  const { show, press } = await desk(t, card(1, "acknowledged"));
  show(card(1, "arrived"));
  for (let time = 0; time < 9; time += 1) {
    t.mock.timers.tick(100);
    show(card(1, "arrived"));
    assert.deepEqual(press(1), []);
  }
  t.mock.timers.tick(100);
  assert.deepEqual(press(1), ["1arrived"]);
});

test("so it is with parts that are fetched anew", async (t) => {
  const { page, press } = await desk(t, card(1, "acknowledged"));
  fire(page.document.body, "htmx:beforeSwap");
  page.find("#list").innerHTML = card(1, "arrived");
  fire(page.document.body, "htmx:afterSwap");
  assert.deepEqual(press(1), []);
  t.mock.timers.tick(1_000);
  assert.deepEqual(press(1), ["1arrived"]);
});
