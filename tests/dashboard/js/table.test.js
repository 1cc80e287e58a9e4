import assert from "node:assert/strict";
import { test } from "node:test";

import { open } from "./page.js";

async function table(t, heads, rows) {
  const cells = (row) => row.map((cell) => (cell.startsWith("<td") ? cell : `<td>${cell}</td>`)).join("");
  const page = open(t, `<table data-sortable><thead><tr>
    ${heads.map((kind) => `<th class="${kind}"><button>x</button></th>`).join("\n")}
    </tr></thead><tbody>${rows.map((row) => `<tr>${cells(row)}</tr>`).join("\n")}</tbody></table>
    <table id="plain"><thead><tr><th><button></button></th></tr></thead><tbody><tr><td>b</td></tr><tr><td>a</td></tr></tbody></table>`);
  const { startTables } = await page.script("table.js");
  startTables();
  const press = (column) => page.document.querySelectorAll("table[data-sortable] th")[column].firstElementChild.click();
  const column = (number, selector = "table[data-sortable]") =>
    [...page.document.querySelectorAll(`${selector} tbody tr`)].map((row) => row.cells[number].textContent.trim());
  return { page, press, column };
}

test("numbers: the largest first, then the smallest", async (t) => {
  const { press, column } = await table(t, ["num"], [["9"], ["10"], [""], ["2.5"]]);
  press(0);
  assert.deepEqual(column(0), ["10", "9", "2.5", ""], "an empty cell is none");
  press(0);
  assert.deepEqual(column(0), ["", "2.5", "9", "10"]);
});

test("names: in the order of the language, then the other way round", async (t) => {
  const { press, column } = await table(t, [""], [["王家"], ["李家"], ["2 房"], ["10 房"], ["陈家"]]);
  press(0);
  assert.deepEqual(column(0), ["2 房", "10 房", "陈家", "李家", "王家"]);
  press(0);
  assert.deepEqual(column(0), ["王家", "李家", "陈家", "10 房", "2 房"]);
});

test("what a cell says may be another thing than what it is worth, and the unknown is always last", async (t) => {
  const cell = (value, text) => `<td data-value="${value}">\n${text}<small>1/2</small>\n</td>`;
  const { press, column } = await table(t, ["num"], [
    [cell("", "–")], [cell("90", "2 分钟")], [cell("3600", "1 小时")], [cell("0", "0 秒")],
  ]);
  press(0);
  assert.deepEqual(column(0), ["1 小时1/2", "2 分钟1/2", "0 秒1/2", "–1/2"]);
  press(0);
  assert.deepEqual(column(0), ["0 秒1/2", "2 分钟1/2", "1 小时1/2", "–1/2"]);
});

test("a second column starts anew and keeps the first one's order among equals", async (t) => {
  const { page, press, column } = await table(t, ["", "num"], [["b", "1"], ["c", "2"], ["a", "1"]]);
  const marks = () => [...page.document.querySelectorAll("table[data-sortable] th")].map((head) => head.getAttribute("aria-sort"));
  press(0);
  assert.deepEqual(marks(), ["ascending", null]);
  press(1);
  assert.deepEqual(marks(), [null, "descending"]);
  assert.deepEqual(column(0), ["c", "a", "b"]);
});

test("other tables do not sort", async (t) => {
  const { page, column } = await table(t, [""], []);
  page.find("#plain button").click();
  assert.deepEqual(column(0, "#plain"), ["b", "a"]);
});
