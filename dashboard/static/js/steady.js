// Parts of a page that fetch themselves anew stay as they are until the server says something else of them, and
// are never replaced under a finger: a press must reach what was pressed. Marked with data-steady, and an id.
const shown = new WeakMap();
const late = new Set();
// A finger that left the screen unnoticed must not hold up news for longer than this.
const PRESS_MS_MAX = 3_000;
let pressed = false;
let pressTimer = null;

// As the server rendered it, before any clock ticks or chart draws in it.
export function adoptSteady() {
  for (const part of document.querySelectorAll("[data-steady]")) shown.set(part, part.innerHTML);
}

export function startSteady() {
  addEventListener("pointerdown", press, true);
  for (const over of ["pointerup", "pointercancel"]) addEventListener(over, release, true);
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.target;
    if (!shown.has(part) || event.detail.isError) return;
    const html = sentFor(part, event.detail.serverResponse);
    if (html === shown.get(part)) event.detail.shouldSwap = false;
    else if (pressed || isAsking(part)) {
      event.detail.shouldSwap = false;
      late.add(part);
    } else shown.set(part, html);
  });
  // Whatever a button inside asked for is answered: now it may be replaced.
  document.body.addEventListener("htmx:afterRequest", () => setTimeout(fetchLate));
}

function press() {
  pressed = true;
  clearTimeout(pressTimer);
  pressTimer = setTimeout(release, PRESS_MS_MAX);
}

// After the click that belongs to it has been heard, unless the next press has begun by then.
function release() {
  clearTimeout(pressTimer);
  pressTimer = setTimeout(() => {
    pressed = false;
    fetchLate();
  });
}

function fetchLate() {
  if (pressed) return;
  for (const part of late) {
    if (isAsking(part)) continue;
    late.delete(part);
    document.body.dispatchEvent(new Event("alarms-changed"));
  }
}

function isAsking(part) {
  return part.querySelector(".htmx-request") !== null;
}

function sentFor(part, response) {
  return new DOMParser().parseFromString(response, "text/html").getElementById(part.id)?.innerHTML;
}
