import assert from "node:assert/strict";
import { test } from "node:test";

import { open } from "./page.js";

async function theme(t, { stored = null, prefersDark = false } = {}) {
  const page = open(t, '<button id="theme"><svg></svg></button><button id="other"></button>');
  page.window.matchMedia = () => ({ matches: prefersDark });
  if (stored) page.window.localStorage.setItem("anshou-theme", stored);
  let changes = 0;
  page.document.addEventListener("theme-changed", () => {
    changes += 1;
  });
  await page.run("theme.js");
  return { page, changes: () => changes, now: () => page.document.documentElement.dataset.bsTheme };
}

for (const [stored, prefersDark, expected] of [
  [null, false, "light"], [null, true, "dark"], ["light", true, "light"], ["dark", false, "dark"],
]) {
  test(`chosen ${stored}, the device ${prefersDark ? "dark" : "light"}: ${expected}`, async (t) => {
    const { now } = await theme(t, { stored, prefersDark });
    assert.equal(now(), expected);
  });
}

test("a press changes it, for good, and charts are told", async (t) => {
  const { page, changes, now } = await theme(t);
  const press = (selector) => page.find(selector).dispatchEvent(new page.window.MouseEvent("click", { bubbles: true }));
  press("#other");
  assert.deepEqual([now(), changes()], ["light", 0]);
  press("svg");
  assert.deepEqual([now(), changes(), page.window.localStorage.getItem("anshou-theme")], ["dark", 1, "dark"]);
  press("#theme");
  assert.deepEqual([now(), changes()], ["light", 2]);
});
