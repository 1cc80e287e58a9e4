import assert from "node:assert/strict";
import { test } from "node:test";

import { open, settled } from "./page.js";

const card = (key, text = "") => `<article data-key="${key}"><time>0:00</time><button>${text}</button></article>`;

// A list that was drawn with these cards; `show` gives it others.
async function list(t, ...first) {
  const held = new Set();
  const pressed = new Set();
  const page = open(t, `<div id="alarms">\n${first.join("\n")}\n</div>`);
  const { Cards, parsed } = await page.script("cards.js");
  const element = page.find("#alarms");
  const cards = new Cards(element, { has: (key) => held.has(key), isPressed: (key) => pressed.has(key) });
  cards.adopt();
  const keys = () => [...element.children].map((one) => one.dataset.key);
  const find = (key) => page.find(`[data-key="${key}"]`);
  const show = (...fresh) => cards.show(parsed(fresh.join("\n")));
  return { element, keys, find, show, held, pressed };
}

// Which keys were put in, and which taken out, by what `act` does: a card that moves is both.
async function changes(element, act) {
  const found = { added: [], removed: [] };
  const key = (node) => node.dataset?.key;
  const observer = new MutationObserver((records) => {
    for (const record of records) {
      found.added.push(...[...record.addedNodes].map(key));
      found.removed.push(...[...record.removedNodes].map(key));
    }
  });
  observer.observe(element, { childList: true });
  act();
  await settled();
  observer.disconnect();
  return found;
}

test("what is unchanged stays, also when a clock has ticked in it", async (t) => {
  const { element, find, show } = await list(t, card(1), card(2));
  find(1).querySelector("time").textContent = "0:41";
  const found = await changes(element, () => assert.deepEqual(show(card(1), card(2)), []));
  assert.deepEqual(found, { added: [], removed: [] });
  assert.equal(find(1).querySelector("time").textContent, "0:41");
});

test("what changed is replaced in its place", async (t) => {
  const { keys, find, show } = await list(t, card(1), card(2), card(3));
  const [first, , third] = [1, 2, 3].map(find);
  const placed = show(card(1), card(2, "acknowledged"), card(3));
  assert.deepEqual(placed.map(({ card: { dataset }, isNew }) => [dataset.key, isNew]), [["2", false]]);
  assert.deepEqual(keys(), ["1", "2", "3"]);
  assert.equal(find(2).textContent, "0:00acknowledged");
  assert.deepEqual([find(1), find(3)], [first, third]);
  assert.deepEqual(show(card(1), card(2, "acknowledged"), card(3)), [], "and now it is as it was sent");
});

test("what is new comes where it belongs, and what is gone goes", async (t) => {
  const { keys, show } = await list(t, card(1), card(2));
  const placed = show(card(0), card(2), card(3));
  assert.deepEqual(keys(), ["0", "2", "3"]);
  assert.deepEqual(placed.map((one) => one.isNew), [true, true]);
});

test("what comes back is new again", async (t) => {
  const { show } = await list(t, card(1));
  show();
  assert.deepEqual(show(card(1)).map((one) => one.isNew), [true]);
});

test("another order is followed", async (t) => {
  const { keys, show } = await list(t, card(1), card(2), card(3));
  show(card(3, "x"), card(1), card(2));
  assert.deepEqual(keys(), ["3", "1", "2"]);
});

test("every list becomes what was sent, whatever stood before", async (t) => {
  const { keys, show } = await list(t);
  let seed = 42;
  const random = (below) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  for (let round = 0; round < 300; round += 1) {
    const wanted = [0, 1, 2, 3, 4, 5].filter(() => random(2)).sort(() => random(3) - 1);
    const texts = wanted.map((key) => card(key, random(2) ? "a" : "b"));
    show(...texts);
    assert.deepEqual(keys(), wanted.map(String), `round ${round}`);
  }
});

test("a card that waits for an answer stays, and moves nobody", async (t) => {
  const { element, keys, find, show } = await list(t, card(1), card(2), card(3));
  find(1).querySelector("button").classList.add("htmx-request");
  find(2).querySelector("button").classList.add("htmx-request");
  const waiting = find(2);
  const found = await changes(element, () => show(card(2, "changed"), card(3)));
  assert.deepEqual(found, { added: [], removed: [] }, "also those beside it stay under the finger");
  assert.deepEqual(keys(), ["1", "2", "3"]);
  assert.equal(find(2), waiting);
  for (const button of element.querySelectorAll("button")) button.classList.remove("htmx-request");
  show(card(2, "changed"), card(3));
  assert.deepEqual(keys(), ["2", "3"], "once the answer is there");
  assert.equal(find(2).textContent, "0:00changed");
});

test("down to a card that is held nothing moves; what is gone waits there without buttons", async (t) => {
  const { keys, find, show, held } = await list(t, card(1), card(2), card(3), card(4));
  held.add("2");
  show(card(9), card(3), card(2, "mine"), card(4), card(8));
  assert.deepEqual(keys(), ["1", "2", "9", "3", "4", "8"], "new ones below it, in their order");
  assert.ok(find(1).classList.contains("is-gone"));
  assert.ok(find(1).querySelector("button").disabled);
  assert.equal(find(2).textContent, "0:00mine", "it shows what it has become");
  held.clear();
  show(card(9), card(1), card(2, "mine"));
  assert.deepEqual(keys(), ["9", "1", "2"]);
  assert.ok(!find(1).querySelector("button").disabled, "what came back is whole");
});

test("a card under a finger is not replaced", async (t) => {
  const { find, show, pressed } = await list(t, card(1));
  const before = find(1);
  pressed.add("1");
  show(card(1, "changed"));
  assert.equal(find(1), before);
  pressed.clear();
  show(card(1, "changed"));
  assert.equal(find(1).textContent, "0:00changed");
});
