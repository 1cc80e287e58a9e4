import assert from "node:assert/strict";
import { test } from "node:test";

import { fire, open } from "./page.js";

const CONTENT = "<p>one</p>";

async function steady(t) {
  const page = open(t, `<section id="part" data-steady>${CONTENT}<button></button></section><aside id="other"></aside>`);
  const { adoptSteady, startSteady } = await page.script("steady.js");
  adoptSteady();
  startSteady();
  const part = page.find("#part");
  let asked = 0;
  page.document.body.addEventListener("alarms-changed", () => {
    asked += 1;
  });
  // Whether htmx would swap this answer in.
  const swaps = (html, { target = part, isError = false } = {}) => {
    const serverResponse = `<main><section id="part">${html}</section></main>`;
    const detail = { target, isError, serverResponse, shouldSwap: true };
    fire(target, "htmx:beforeSwap", { detail });
    return detail.shouldSwap;
  };
  const press = () => fire(page.find("button"), "pointerdown");
  const lift = (how = "pointerup") => fire(page.find("button"), how);
  return { page, part, swaps, press, lift, asked: () => asked };
}

const SAME = `${CONTENT}<button></button>`;
const OTHER = "<p>two</p><button></button>";

test("what the server says again is not swapped, what it says anew is, once", async (t) => {
  const { part, swaps } = await steady(t);
  part.querySelector("p").textContent = "drawn over by a chart";
  assert.equal(swaps(SAME), false);
  assert.equal(swaps(OTHER), true);
  assert.equal(swaps(OTHER), false);
  assert.equal(swaps(SAME), true);
});

test("errors, and parts that are not steady, are left to htmx", async (t) => {
  const { page, swaps } = await steady(t);
  assert.equal(swaps(SAME, { isError: true }), true);
  assert.equal(swaps(SAME, { target: page.find("#other") }), true);
});

for (const how of ["pointerup", "pointercancel"]) {
  test(`nothing is replaced under a finger; after ${how} it is asked for again`, async (t) => {
    const { swaps, press, lift, asked } = await steady(t);
    press();
    assert.equal(swaps(OTHER), false);
    lift(how);
    assert.equal(swaps(OTHER), false, "the click has not been heard yet");
    assert.equal(asked(), 0);
    t.mock.timers.tick(0);
    assert.equal(asked(), 1);
    assert.equal(swaps(OTHER), true);
    t.mock.timers.tick(10_000);
    assert.equal(asked(), 1);
  });
}

test("the next press keeps it even when it follows at once", async (t) => {
  const { swaps, press, lift, asked } = await steady(t);
  press();
  swaps(OTHER);
  lift();
  press();
  t.mock.timers.tick(1);
  assert.equal(swaps(OTHER), false);
  assert.equal(asked(), 0);
  lift();
  t.mock.timers.tick(0);
  assert.equal(asked(), 1);
});

test("a finger that left unnoticed holds up news for three seconds", async (t) => {
  const { swaps, press, asked } = await steady(t);
  press();
  swaps(OTHER);
  t.mock.timers.tick(2_999);
  assert.equal(swaps(OTHER), false);
  t.mock.timers.tick(1);
  t.mock.timers.tick(0);
  assert.equal(asked(), 1);
});

test("a press that held nothing up asks for nothing", async (t) => {
  const { press, lift, asked } = await steady(t);
  press();
  lift();
  t.mock.timers.tick(5_000);
  assert.equal(asked(), 0);
});

test("while a button inside waits for an answer, the part stays", async (t) => {
  const { page, part, swaps, asked } = await steady(t);
  const button = part.querySelector("button");
  button.classList.add("htmx-request");
  assert.equal(swaps(OTHER), false);
  fire(page.find("#other"), "htmx:afterRequest");
  t.mock.timers.tick(0);
  assert.equal(asked(), 0, "that was another's answer");
  button.classList.remove("htmx-request");
  fire(button, "htmx:afterRequest");
  t.mock.timers.tick(0);
  assert.equal(asked(), 1);
  assert.equal(swaps(OTHER), true);
});
