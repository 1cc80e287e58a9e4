import assert from "node:assert/strict";
import { test } from "node:test";

import { fire, open, settled } from "./page.js";

const BODY = '<button id="sound"></button><div id="sound-off" hidden><button id="sound-on"></button></div>';

// An audio device that writes down what it is to play. It plays once somebody has touched the page.
function device({ isAllowed = false } = {}) {
  const made = { contexts: 0, tones: [], gains: [], isAllowed };
  made.AudioContext = class {
    state = "suspended";
    currentTime = 100;
    destination = {};

    constructor() {
      made.contexts += 1;
      made.context = this;
    }

    async resume() {
      if (made.isAllowed) this.become("running");
      else throw new Error("not allowed");
    }

    become(state) {
      this.state = state;
      this.onstatechange?.();
    }

    createGain() {
      const steps = [];
      const gain = {
        setValueAtTime: (value, at) => steps.push([value, at]),
        linearRampToValueAtTime: (value, at) => steps.push([value, at]),
      };
      made.gains.push({ gain, steps });
      return { gain, connect: (next) => next };
    }

    createOscillator() {
      const tone = { frequency: {}, connect: (next) => next };
      tone.start = (at) => made.tones.push({ hz: tone.frequency.value, at });
      tone.stop = (at) => Object.assign(made.tones.at(-1), { until: at });
      return tone;
    }
  };
  return made;
}

async function loud(t, { isAllowed = true, live = "desk", stored = null } = {}) {
  const audio = device({ isAllowed });
  const page = open(t, BODY, { attributes: `data-live="${live}"`, given: { AudioContext: audio.AudioContext } });
  if (stored) localStorage.setItem("anshou-sound", stored);
  const { setUrgent, startSound } = await page.script("sound.js");
  let bursts = 0;
  page.document.addEventListener("alarm-sounded", () => {
    bursts += 1;
  });
  startSound();
  await settled();
  return {
    page, audio, setUrgent,
    bursts: () => bursts,
    isOn: () => page.find("#sound").getAttribute("aria-pressed") === "true",
    hasBanner: () => !page.find("#sound-off").hidden,
  };
}

test("the burst is that of a high priority alarm", async (t) => {
  const { audio, setUrgent } = await loud(t);
  setUrgent(1, 0, "跌倒");
  const starts = [...new Set(audio.tones.map((tone) => tone.at))];
  assert.equal(starts.length, 10, "five pulses, twice");
  const apart = starts.slice(1).map((at, number) => Number((at - starts[number]).toFixed(3)));
  // IEC 60601-1-8: x between the pulses of a group, 2x + t before the fourth, a pause between the halves.
  assert.deepEqual(apart, [0.25, 0.25, 0.4, 0.25, 0.75, 0.25, 0.25, 0.4, 0.25]);
  assert.ok(starts[0] > 100, "none begins in the past");
  for (const tone of audio.tones) assert.ok(Math.abs(tone.until - tone.at - 0.15) < 1e-9);
  const first = audio.tones.filter((tone) => tone.at === starts[0]).map((tone) => tone.hz);
  assert.deepEqual(first, [523.25, 1_046.5, 1_569.75, 2_093, 2_616.25], "with four harmonics at least");
});

test("the burst of medium priority has three slower pulses, lower and less often", async (t) => {
  const { audio, bursts, setUrgent } = await loud(t);
  setUrgent(0, 1, "走失风险");
  const starts = [...new Set(audio.tones.map((tone) => tone.at))];
  assert.equal(starts.length, 3);
  for (const tone of audio.tones) {
    const lasts = tone.until - tone.at;
    assert.ok(lasts >= 0.125 && lasts <= 0.25, "IEC 60601-1-8: 125 to 250 ms");
  }
  const spacing = starts[1] - starts[0] - (audio.tones[0].until - audio.tones[0].at);
  assert.ok(spacing >= 0.125 && spacing <= 0.25);
  assert.ok(Math.min(...audio.tones.map((tone) => tone.hz)) < 523.25, "told from the high one by its pitch too");
  t.mock.timers.tick(14_999);
  assert.equal(bursts(), 1);
  t.mock.timers.tick(1);
  assert.equal(bursts(), 2, "repeated within 2.5 to 30 s");
});

test("a high alarm sounds at once over a medium one, which goes on when it is answered", async (t) => {
  const { page, audio, bursts, setUrgent } = await loud(t);
  setUrgent(0, 3, "走失风险");
  t.mock.timers.tick(1_400);
  assert.equal(page.document.title, "🟡 (3) 走失风险");
  setUrgent(1, 3, "跌倒");
  assert.equal(bursts(), 2);
  assert.equal(new Set(audio.tones.map((tone) => tone.at.toFixed(3))).size, 13 - 1, "both begin at one time here");
  t.mock.timers.tick(700);
  assert.equal(page.document.title, "🔴 (1) 跌倒");
  t.mock.timers.tick(5_300);
  assert.equal(bursts(), 3);
  setUrgent(0, 3, "走失风险");
  assert.equal(bursts(), 4);
  setUrgent(0, 0, "");
  t.mock.timers.tick(60_000);
  assert.equal(bursts(), 4);
  assert.equal(page.document.title, "值班台");
});

test("no pulse is cut off: it rises from silence and returns to it", async (t) => {
  const { audio, setUrgent } = await loud(t);
  setUrgent(1, 0, "");
  const shaped = audio.gains.filter(({ steps }) => steps.length);
  assert.equal(shaped.length, 10);
  for (const { steps } of shaped) {
    assert.equal(steps[0][0], 0);
    assert.equal(steps.at(-1)[0], 0);
    assert.deepEqual(steps.map(([, at]) => at), steps.map(([, at]) => at).sort((a, b) => a - b));
  }
  assert.ok(audio.gains.filter(({ gain }) => "value" in gain).length, "and its harmonics add up to no more than one");
  const shares = audio.gains.slice(1, 6).map(({ gain }) => gain.value);
  assert.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-9);
});

test("it sounds every six seconds until nobody is waiting", async (t) => {
  const { bursts, setUrgent } = await loud(t);
  setUrgent(1, 0, "");
  assert.equal(bursts(), 1, "at once");
  t.mock.timers.tick(5_999);
  assert.equal(bursts(), 1);
  t.mock.timers.tick(1);
  assert.equal(bursts(), 2);
  setUrgent(2, 0, "");
  assert.equal(bursts(), 2, "one more alarm does not sound over the other");
  setUrgent(0, 0, "");
  t.mock.timers.tick(60_000);
  assert.equal(bursts(), 2);
  setUrgent(1, 0, "");
  assert.equal(bursts(), 3);
});

test("until somebody has touched the page a banner says that nothing can be heard", async (t) => {
  const { page, audio, bursts, hasBanner, isOn, setUrgent } = await loud(t, { isAllowed: false });
  setUrgent(1, 0, "");
  assert.deepEqual([isOn(), hasBanner(), bursts()], [false, true, 0]);
  audio.isAllowed = true;
  fire(page.document.body, "pointerdown");
  await settled();
  assert.deepEqual([isOn(), hasBanner(), bursts()], [true, false, 1]);
  fire(page.document.body, "keydown");
  assert.equal(audio.contexts, 1);
});

test("only the desk has the banner", async (t) => {
  const { hasBanner } = await loud(t, { isAllowed: false, live: "bell" });
  assert.equal(hasBanner(), false);
});

test("switched off, it stays off until it is switched on", async (t) => {
  const { page, bursts, hasBanner, isOn, setUrgent } = await loud(t);
  setUrgent(1, 0, "");
  page.find("#sound").click();
  assert.deepEqual([isOn(), hasBanner(), localStorage.getItem("anshou-sound")], [false, true, "off"]);
  t.mock.timers.tick(60_000);
  fire(page.document.body, "pointerdown");
  await settled();
  assert.deepEqual([isOn(), bursts()], [false, 1], "a touch is no wish");
  page.find("#sound-on").click();
  await settled();
  assert.deepEqual([isOn(), hasBanner(), bursts()], [true, false, 2]);
});

test("who switched it off finds it off the next day", async (t) => {
  const { page, audio, isOn } = await loud(t, { stored: "off" });
  fire(page.document.body, "pointerdown");
  await settled();
  assert.deepEqual([isOn(), audio.contexts], [false, 0]);
});

test("a device that goes away is noticed", async (t) => {
  const { audio, bursts, hasBanner, setUrgent } = await loud(t);
  setUrgent(1, 0, "");
  audio.context.become("interrupted");
  t.mock.timers.tick(60_000);
  assert.deepEqual([hasBanner(), bursts()], [true, 1]);
  audio.context.become("running");
  assert.deepEqual([hasBanner(), bursts()], [false, 2]);
});

test("without an audio device the page works and the banner stays", async (t) => {
  const broken = class {
    constructor() {
      throw new Error("no device");
    }
  };
  const page = open(t, BODY, { attributes: 'data-live="desk"', given: { AudioContext: broken } });
  const { setUrgent, startSound } = await page.script("sound.js");
  startSound();
  setUrgent(1, 0, "跌倒");
  assert.equal(page.find("#sound-off").hidden, false);
  t.mock.timers.tick(700);
  assert.equal(page.document.title, "🔴 (1) 跌倒");
});

test("the title flashes while somebody waits, and is then as it was", async (t) => {
  const { page, setUrgent } = await loud(t);
  const titles = () => [0, 1, 2].map(() => {
    t.mock.timers.tick(700);
    return page.document.title;
  });
  setUrgent(2, 0, "跌倒 李秀英");
  assert.deepEqual(titles(), ["🔴 (2) 跌倒 李秀英", "值班台", "🔴 (2) 跌倒 李秀英"]);
  setUrgent(1, 0, "");
  assert.deepEqual(titles(), ["值班台", "🔴 (1) 值班台", "值班台"]);
  t.mock.timers.tick(700);
  setUrgent(0, 0, "");
  assert.deepEqual(titles(), ["值班台", "值班台", "值班台"]);
});
