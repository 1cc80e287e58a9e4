import assert from "node:assert/strict";
import { test } from "node:test";

import { open, settled, Stream } from "./page.js";

const SILENT_MS = 25_000;

// A connection that writes down what it tells its page.
async function connected(t, { after = "7", me = () => ({ status: 200 }) } = {}) {
  Stream.all = [];
  const asked = [];
  const answer = (url) => {
    asked.push(url);
    return me();
  };
  const page = open(t, "", { given: { EventSource: Stream, fetch: async (url) => answer(url) } });
  const told = [];
  const { Connection } = await page.script("connection.js");
  const connection = new Connection(SILENT_MS, after, {
    address: (since) => `/live?after=${since}`,
    alarms: (html) => told.push(["alarms", html]),
    missed: (html) => told.push(["missed", html]),
    beat: (ms) => told.push(["beat", ms]),
    live: () => told.push("live"),
    lost: () => told.push("lost"),
    signedOut: () => told.push("signed out"),
  });
  t.mock.method(Math, "random", () => 1);
  const clock = t.mock.method(performance, "now", () => 500);
  return { connection, told, asked, clock, after: () => Stream.last.url.searchParams.get("after") };
}

test("a page that was just drawn has missed nothing", async (t) => {
  const { connection, after } = await connected(t);
  connection.open();
  assert.equal(after(), "");
});

test("a page that was drawn long ago asks for what it missed", async (t) => {
  const { connection, clock, after } = await connected(t);
  clock.mock.mockImplementation(() => 10_001);
  connection.open();
  assert.equal(after(), "7");
});

test("opened anew, it tells the last event that was seen", async (t) => {
  const { connection, after } = await connected(t);
  connection.open();
  Stream.last.send("alarms", "one", "12");
  Stream.last.send("alarms", "two", "15");
  Stream.last.send("alarms", "three");
  connection.open();
  assert.equal(after(), "15");
  assert.equal(Stream.open.length, 1, "the old one is closed");
});

test("what the server sends is told", async (t) => {
  const { connection, told } = await connected(t);
  connection.open();
  Stream.last.send("missed", "while away");
  Stream.last.send("alarms", "the list", "8");
  Stream.last.send("beat", "1772337600000");
  assert.deepEqual(told, [["missed", "while away"], ["alarms", "the list"], ["beat", 1_772_337_600_000], "live"]);
});

test("only a beat ends being lost", async (t) => {
  const { connection, told } = await connected(t);
  connection.open();
  Stream.last.send("trouble");
  assert.equal(connection.lostSince, Date.now());
  const since = Date.now();
  t.mock.timers.tick(1_000);
  Stream.last.send("alarms", "");
  Stream.last.send("trouble");
  assert.equal(connection.lostSince, since, "since the first trouble");
  Stream.last.send("beat", "0");
  assert.equal(connection.lostSince, null);
  assert.equal(told.at(-1), "live");
});

test("silence is noticed, and ended by connecting anew", async (t) => {
  const { connection, told } = await connected(t);
  connection.open();
  const [first] = Stream.all;
  for (const kind of ["beat", "alarms", "trouble", "missed"]) {
    t.mock.timers.tick(SILENT_MS);
    first.send(kind);
    connection.check();
    assert.equal(Stream.all.length, 1, `${kind} is a sign of life`);
  }
  t.mock.timers.tick(SILENT_MS + 1);
  connection.check();
  assert.equal(told.at(-1), "lost");
  assert.equal(Stream.all.length, 2);
  assert.equal(first.readyState, Stream.CLOSED);
  connection.check();
  assert.equal(Stream.all.length, 2, "the new one has its own time");
});

test("the browser reconnects by itself when the network breaks", async (t) => {
  const { connection, told, asked } = await connected(t);
  connection.open();
  Stream.last.breakOff();
  await settled();
  assert.deepEqual([told, asked, Stream.all.length], [["lost"], [], 1]);
  Stream.last.send("beat", "0");
  assert.equal(connection.lostSince, null);
});

test("after refusals it waits longer and longer, up to ten seconds", async (t) => {
  const { connection, asked } = await connected(t, { me: () => ({ status: 503 }) });
  connection.open();
  for (const waitMs of [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
    const before = Stream.all.length;
    Stream.last.refuse();
    await settled();
    t.mock.timers.tick(waitMs - 1);
    assert.equal(Stream.all.length, before);
    t.mock.timers.tick(1);
    assert.equal(Stream.all.length, before + 1, `after ${waitMs} ms`);
  }
  assert.equal(asked.length, 6);
  Stream.last.send("beat", "0");
  const before = Stream.all.length;
  Stream.last.refuse();
  await settled();
  t.mock.timers.tick(1_000);
  assert.equal(Stream.all.length, before + 1, "a beat makes it patient again");
});

test("many pages that were refused at once do not come back at once", async (t) => {
  const { connection } = await connected(t);
  Math.random.mock.mockImplementation(() => 0);
  connection.open();
  Stream.last.refuse();
  await settled();
  t.mock.timers.tick(500);
  assert.equal(Stream.all.length, 2, "half the wait at least");
});

test("silence does not cut the wait after a refusal short", async (t) => {
  const { connection } = await connected(t);
  connection.open();
  t.mock.timers.tick(SILENT_MS);
  Stream.last.refuse();
  await settled();
  t.mock.timers.tick(999);
  connection.check();
  assert.equal(Stream.all.length, 1);
});

test("a network that is away is no reason to stop trying", async (t) => {
  const { connection } = await connected(t, { me: () => Promise.reject(new TypeError("away")) });
  connection.open();
  Stream.last.refuse();
  await settled();
  t.mock.timers.tick(1_000);
  assert.equal(Stream.all.length, 2);
});

test("whose session has ended is told so, and connects no more", async (t) => {
  const { connection, told } = await connected(t, { me: () => ({ status: 401 }) });
  connection.open();
  Stream.last.refuse();
  await settled();
  assert.equal(told.at(-1), "signed out");
  t.mock.timers.tick(60_000);
  connection.check();
  assert.equal(Stream.all.length, 1);
});

test("the server can end it too", async (t) => {
  const { connection, told } = await connected(t);
  connection.open();
  Stream.last.send("signed-out");
  assert.deepEqual(told, ["signed out"]);
  assert.equal(Stream.open.length, 0);
});

for (const [what, act, open_] of [
  ["closed", (connection) => connection.close(), 0],
  ["opened anew", (connection) => connection.open(), 1],
]) {
  test(`an answer that comes after it was ${what} changes nothing`, async (t) => {
    const late = Promise.withResolvers();
    const { connection, told } = await connected(t, { me: () => late.promise });
    connection.open();
    Stream.last.refuse();
    await settled();
    act(connection);
    const count = Stream.all.length;
    late.resolve({ status: 401 });
    await settled();
    t.mock.timers.tick(20_000);
    assert.equal(Stream.all.length, count);
    assert.equal(Stream.open.length, open_);
    assert.ok(!told.includes("signed out"));
  });
}

test("closed, it does not come back by itself", async (t) => {
  const { connection } = await connected(t);
  connection.open();
  Stream.last.refuse();
  await settled();
  connection.close();
  t.mock.timers.tick(60_000);
  connection.check();
  assert.equal(Stream.all.length, 1);
});
