import assert from "node:assert/strict";
import { test } from "node:test";

import { fire, open } from "./page.js";

const BODY = `
  <form hx-post="/feedback"><button id="yes"><svg></svg></button><button id="no"></button></form>
  <form method="post" action="/sign-out"><button id="plain" type="button"></button></form>
  <div hx-get="/part" id="part"><p></p></div>`;

async function early(t) {
  const page = open(t, BODY);
  await page.run("early.js");
  const heard = [];
  page.document.addEventListener("click", (event) => {
    event.preventDefault();  // as htmx does
    heard.push(event.target.closest("[id]").id);
  });
  return { page, heard, listens: () => fire(page.document, "page-listens") };
}

test("a press that comes too early is kept, and made again when somebody listens", async (t) => {
  const { page, heard, listens } = await early(t);
  const press = new page.window.MouseEvent("click", { bubbles: true, cancelable: true });
  page.find("svg").dispatchEvent(press);
  assert.equal(press.defaultPrevented, true, "the browser does not send the form by itself");
  page.find("#part p").click();
  assert.deepEqual(heard, []);
  listens();
  assert.deepEqual(heard, ["yes", "part"]);
});

test("an impatient finger has pressed once", async (t) => {
  const { page, heard, listens } = await early(t);
  for (let times = 0; times < 3; times += 1) page.find("#yes").click();
  page.find("#no").click();
  listens();
  assert.deepEqual(heard, ["yes", "no"]);
});

test("what htmx has no part in works at once", async (t) => {
  const { page, heard } = await early(t);
  page.find("#plain").click();
  assert.deepEqual(heard, ["plain"]);
});

test("what has gone meanwhile is not pressed", async (t) => {
  const { page, heard, listens } = await early(t);
  page.find("#yes").click();
  page.find("#yes").remove();
  listens();
  assert.deepEqual(heard, []);
});

test("afterwards nothing is kept", async (t) => {
  const { page, heard, listens } = await early(t);
  listens();
  page.find("#yes").click();
  assert.deepEqual(heard, ["yes"]);
});

test("should the page's own scripts never arrive, the end of loading must do", async (t) => {
  const { page, heard, listens } = await early(t);
  page.find("#yes").click();
  fire(page.window, "load");
  t.mock.timers.tick(0);
  assert.deepEqual(heard, ["yes"]);
  listens();
  assert.deepEqual(heard, ["yes"], "once");
});
