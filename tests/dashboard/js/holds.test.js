import assert from "node:assert/strict";
import { test } from "node:test";

import { fire, open } from "./page.js";

const card = (key) => `<article data-key="${key}" data-priority="high"><p></p><button data-step="arrived"></button></article>`;

async function held(t) {
  const page = open(t, `<div id="list">${card(1)}${card(2)}</div>`);
  const { Holds } = await page.script("holds.js");
  let changes = 0;
  const holds = new Holds(page.find("#list"), () => {
    changes += 1;
  });
  const over = (key, pointerType = "mouse") => {
    const moved = new page.window.Event("pointermove", { bubbles: true });
    page.find(`[data-key="${key}"] p`).dispatchEvent(Object.assign(moved, { pointerType }));
  };
  const which = () => ["1", "2"].filter((key) => holds.has(key));
  return { page, holds, over, which, changes: () => changes };
}

test("a card whose step was pressed stays for five seconds", async (t) => {
  const { page, which, changes } = await held(t);
  page.find('[data-key="1"] button').click();
  t.mock.timers.tick(4_999);
  assert.deepEqual([which(), changes()], [["1"], 0]);
  t.mock.timers.tick(1);
  assert.deepEqual([which(), changes()], [[], 1]);
});

test("a card under a finger stays until the click is heard, and for three seconds at most", async (t) => {
  const { page, holds, which, changes } = await held(t);
  fire(page.find('[data-key="2"] p'), "pointerdown");
  assert.ok(holds.isPressed("2"));
  t.mock.timers.tick(1_000);
  fire(page.document, "pointerup");
  assert.deepEqual(which(), ["2"]);
  t.mock.timers.tick(0);
  assert.deepEqual([which(), changes()], [[], 1]);
  fire(page.find('[data-key="2"] p'), "pointerdown");
  t.mock.timers.tick(3_000);
  assert.deepEqual([which(), changes()], [[], 2]);
});

test("a card stays while a mouse moves over it, but a mouse that never rests holds nothing up for long", async (t) => {
  const { over, which, changes } = await held(t);
  over("1");
  t.mock.timers.tick(1_999);
  assert.deepEqual(which(), ["1"]);
  t.mock.timers.tick(1);
  assert.deepEqual([which(), changes()], [[], 1], "it rests");
  t.mock.timers.tick(5_000);
  let free = 0;
  for (let at = 0; at < 12_000; at += 100) {
    over("1");
    if (which().length === 0) free += 1;
    t.mock.timers.tick(100);
  }
  assert.ok(free > 0, "there are moments in which everything finds its place");
});

test("a finger that scrolls holds nothing", async (t) => {
  const { over, which } = await held(t);
  over("1", "touch");
  assert.deepEqual(which(), []);
});
