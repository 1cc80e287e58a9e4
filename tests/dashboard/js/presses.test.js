import assert from "node:assert/strict";
import { test } from "node:test";

import { fire, open } from "./page.js";

const PATH = "/alarms/7/steps/acknowledged";

// What htmx would send: its headers, after the script has seen it.
async function presses(t) {
  const page = open(t, "");
  const { startPresses, keyOf } = await page.script("presses.js");
  startPresses();
  const body = page.find("body");
  const send = (path = PATH, verb = "post", fields = {}) => {
    const request = { verb, path, headers: {}, formData: new Map(Object.entries(fields)) };
    fire(body, "htmx:configRequest", { detail: request });
    return request;
  };
  const answered = (request, status) =>
    fire(body, "htmx:afterRequest", { detail: { requestConfig: request, xhr: { status } } });
  return { send, answered, keyOf };
}

test("a press is sent with a key, and with the same one until it is answered", async (t) => {
  const { send, answered } = await presses(t);
  const first = send();
  assert.match(first.headers["Idempotency-Key"], /^[0-9a-f]{32}$/);
  for (const unsure of [0, 500, 503]) {
    answered(send(), unsure);
    assert.equal(send().headers["Idempotency-Key"], first.headers["Idempotency-Key"]);
  }
  answered(first, 200);
  assert.notEqual(send().headers["Idempotency-Key"], first.headers["Idempotency-Key"]);
});

test("a refusal is an answer too", async (t) => {
  const { send, answered } = await presses(t);
  const first = send();
  answered(first, 409);
  assert.notEqual(send().headers["Idempotency-Key"], first.headers["Idempotency-Key"]);
});

test("another step and other words are other presses", async (t) => {
  const { send } = await presses(t);
  const keys = [
    send(),
    send("/alarms/8/steps/acknowledged"),
    send("/alarms/7/notes", "post", { note: "a" }),
    send("/alarms/7/notes", "post", { note: "b" }),
  ].map((request) => request.headers["Idempotency-Key"]);
  assert.equal(new Set(keys).size, 4);
});

test("what is no press at an alarm has no key", async (t) => {
  const { send } = await presses(t);
  for (const request of [send(PATH, "get"), send("/residents/7/watch/bed_exit")]) {
    assert.deepEqual(request.headers, {});
  }
});

test("it keeps no more than a hundred unanswered presses", async (t) => {
  const { keyOf } = await presses(t);
  const oldest = keyOf("0");
  for (let number = 1; number < 100; number += 1) keyOf(String(number));
  assert.equal(keyOf("0"), oldest);
  keyOf("100");
  assert.notEqual(keyOf("0"), oldest);
});
