import assert from "node:assert/strict";
import { test } from "node:test";

import { fire, open } from "./page.js";

const BODY = `<div id="notices"></div><main><form data-reset><input name="note"></form><select data-submit></select></main>
  <dialog id="dialog"><div id="dialog-body"></div></dialog>`;
const SHEET = { left: 100, right: 300, top: 100, bottom: 200 };

// jsdom has no layout and no modal dialogs: a sheet of a known size that opens and closes.
async function dialogs(t) {
  const page = open(t, BODY);
  const dialog = page.find("#dialog");
  dialog.getBoundingClientRect = () => SHEET;
  dialog.showModal = () => {
    dialog.open = true;
  };
  dialog.close = () => {
    if (!dialog.open) return;
    dialog.open = false;
    fire(dialog, "close", { bubbles: false });
  };
  const { startDialogs } = await page.script("dialog.js");
  startDialogs();
  const body = page.find("#dialog-body");
  const show = (html) => {
    body.innerHTML = html;
    fire(body, "htmx:afterSwap", { detail: { target: body } });
  };
  const pointer = (target, type, [clientX, clientY]) =>
    target.dispatchEvent(new page.window.MouseEvent(type, { bubbles: true, clientX, clientY }));
  // Pressed here, lifted there; the browser calls the dialog itself the target of what is beside it.
  const press = (from, to = from, { began = dialog, ended = dialog } = {}) => {
    pointer(began, "pointerdown", from);
    pointer(ended, "click", to);
  };
  return { page, dialog, body, show, press };
}

const INSIDE = [200, 150];
const BESIDE = [50, 50];

test("a form opens the dialog, and the field that wants words has the focus", async (t) => {
  const { page, dialog, show } = await dialogs(t);
  show('<input id="a"><textarea id="b" autofocus></textarea>');
  assert.equal(dialog.open, true);
  assert.equal(page.document.activeElement.id, "b");
  show('<input id="a" aria-invalid="true"><textarea id="b" autofocus></textarea>');
  assert.equal(page.document.activeElement.id, "a", "or the one that was refused");
});

test("notices are over the dialog while it is open, and outlive it", async (t) => {
  const { page, dialog, body, show } = await dialogs(t);
  show("<p></p>");
  assert.equal(page.find("#notices").parentElement, dialog);
  dialog.close();
  assert.equal(page.find("#notices").nextElementSibling, page.find("main"));
  assert.equal(body.childElementCount, 0);
});

test("what is swapped in elsewhere opens nothing", async (t) => {
  const { page, dialog } = await dialogs(t);
  fire(page.find("main"), "htmx:afterSwap", { detail: { target: page.find("main") } });
  assert.equal(dialog.open, false);
});

test("a press beside it closes it", async (t) => {
  const { dialog, show, press } = await dialogs(t);
  show("<p></p>");
  press(BESIDE);
  assert.equal(dialog.open, false);
});

test("a press on its edge, or one that only ends outside, keeps what was written", async (t) => {
  const { page, dialog, show, press } = await dialogs(t);
  show("<textarea></textarea>");
  press(INSIDE);
  press(INSIDE, BESIDE, { began: page.find("textarea") });
  press(BESIDE, INSIDE, { ended: page.find("textarea") });
  press(BESIDE, INSIDE);
  assert.equal(dialog.open, true);
});

test("a press beside it keeps what somebody has written", async (t) => {
  const { page, dialog, show, press } = await dialogs(t);
  show("<textarea></textarea><input type=radio>");
  page.find("textarea").value = "found on the floor";
  press(BESIDE);
  assert.equal(dialog.open, true);
  page.find("textarea").value = "";
  page.find("input[type=radio]").checked = true;
  press(BESIDE);
  assert.equal(dialog.open, true, "also what was chosen");
  page.find("input[type=radio]").checked = false;
  press(BESIDE);
  assert.equal(dialog.open, false);
});

test("so does the button for it", async (t) => {
  const { page, dialog, show } = await dialogs(t);
  show("<button data-close><svg></svg></button>");
  page.find("svg").dispatchEvent(new page.window.MouseEvent("click", { bubbles: true }));
  assert.equal(dialog.open, false);
});

test("a step that was taken closes it and empties the form; one that was refused leaves it unless it is final", async (t) => {
  const { page, dialog, show } = await dialogs(t);
  const input = page.find("main input");
  input.value = "a note";
  show("<p></p>");
  fire(page.document.body, "step-refused", { detail: { value: "" } });
  assert.equal(dialog.open, true);
  fire(page.document.body, "step-refused", { detail: { final: true } });
  assert.equal(dialog.open, false);
  assert.equal(input.value, "a note");
  show("<p></p>");
  fire(input, "step-taken");
  assert.deepEqual([dialog.open, input.value], [false, ""]);
});

test("a choice that submits its form does", async (t) => {
  const { page } = await dialogs(t);
  const select = page.find("select");
  let submitted = 0;
  Object.defineProperty(select, "form", { value: { submit: () => { submitted += 1; } } });
  fire(select, "change");
  fire(page.find("main input"), "change");
  assert.equal(submitted, 1);
});
