import assert from "node:assert/strict";
import { test } from "node:test";

import { open, settled } from "./page.js";

const NOW_MS = Date.UTC(2026, 2, 1, 4);
const FRAME = '<span id="connection" data-state="live"></span><div id="cut-off"></div>';
const ENDS = (inMs) => `<div id="session-ends" data-ends-ms="${NOW_MS + inMs}" hidden></div>
  <div id="session-over" data-title="mute" hidden></div>`;

async function session(t, banners, { status = 401 } = {}) {
  const asked = [];
  const page = open(t, FRAME + banners, {
    attributes: `data-server-ms="${NOW_MS}"`,
    given: {
      fetch: async (path) => {
        asked.push(path);
        return { ok: status === 200, status };
      },
    },
  });
  let reloads = 0;
  const reload = () => {
    reloads += 1;
  };
  Object.defineProperty(globalThis, "location", { value: { reload }, configurable: true });
  t.after(() => delete globalThis.location);
  const script = await page.script("session.js");
  script.startSession();
  return { page, script, asked, reloads: () => reloads };
}

test("a page without the banners goes to the sign-in", async (t) => {
  const { script } = await session(t, "");
  assert.equal(script.stays, false);
  script.warn();
});

test("the end is announced a quarter of an hour before", async (t) => {
  const { page, script } = await session(t, ENDS(16 * 60_000));
  assert.equal(page.find("#session-ends").hidden, true);
  t.mock.timers.tick(61_000);
  script.warn();
  assert.equal(page.find("#session-ends").hidden, false);
});

test("a desk that is over says so, also in its title, and is whole again once somebody signs in", async (t) => {
  const answer = { status: 401 };
  const { page, script, asked, reloads } = await session(t, ENDS(60_000), answer);
  script.sayOver();
  script.sayOver();
  assert.equal(page.document.title, "mute");
  assert.equal(page.find("#session-over").hidden, false);
  assert.equal(page.find("#session-ends").hidden, true);
  t.mock.timers.tick(10_000);
  await settled();
  assert.deepEqual([asked, reloads()], [["/api/me"], 0]);
});

test("signed in anew elsewhere, it loads itself", async (t) => {
  const { script, reloads } = await session(t, ENDS(60_000), { status: 200 });
  script.sayOver();
  t.mock.timers.tick(10_000);
  await settled();
  assert.equal(reloads(), 1);
});
