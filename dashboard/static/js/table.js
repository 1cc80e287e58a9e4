// Tables that sort by a press on a column's head: first the largest, then the smallest.
const collator = new Intl.Collator(document.documentElement.lang, { numeric: true });

export function startTables() {
  for (const table of document.querySelectorAll("table[data-sortable]")) {
    table.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("th");
      if (head) sort(table, head);
    });
  }
}

function sort(table, head) {
  const isNumber = head.classList.contains("num");
  const first = isNumber ? "descending" : "ascending";
  const other = isNumber ? "ascending" : "descending";
  const order = head.getAttribute("aria-sort") === first ? other : first;
  for (const each of head.parentElement.children) each.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const rows = [...table.tBodies[0].rows].map((row) => [key(row.cells[head.cellIndex], isNumber), row]);
  rows.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);  // the unknown always last
    return sign * (isNumber ? a - b : collator.compare(a, b));
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

function key(cell, isNumber) {
  const text = cell.dataset.value ?? cell.firstChild?.textContent.trim() ?? "";
  if (!isNumber) return cell.textContent.trim();
  if (text === "" && cell.dataset.value !== undefined) return null;
  const number = Number(text || 0);
  return Number.isNaN(number) ? null : number;
}
