// A finger takes only what it aimed at. A step's button that has just come, or moved, is dead for a moment: whoever
// presses then has aimed at what stood there before.
const MOVED_MS = 500;
// What comes where one's own press has just been: people tap twice.
const PRESSED_MS = 1_000;
const MOVED_PX = 4;
// By the name of a button, until when it is dead. By name, because cards are replaced while it waits.
const dead = new Map();

export function startAim() {
  let before = null;
  document.body.addEventListener("htmx:beforeSwap", () => {
    before = places(document);
  });
  document.body.addEventListener("htmx:afterSwap", () => {
    if (before !== null) compare(document, before);
    before = null;
  });
}

// Change what is in `root`, and let nobody press what came under their finger by it.
export function keepingAim(root, change) {
  const before = places(root);
  const changed = change();
  compare(root, before);
  return changed;
}

function compare(root, before) {
  const now = Date.now();
  for (const [name, until] of dead) if (until <= now) dead.delete(name);
  const keys = new Set([...before.values()].map(({ key }) => key));
  for (const [name, { button, key, top, left }] of places(root)) {
    const was = before.get(name);
    const stays = was && Math.abs(was.top - top) <= MOVED_PX && Math.abs(was.left - left) <= MOVED_PX;
    if (!stays) dead.set(name, now + (!was && keys.has(key) ? PRESSED_MS : MOVED_MS));
    if (!dead.has(name)) continue;
    button.disabled = true;
    setTimeout(() => settle(name, button), dead.get(name) - now);
  }
}

function settle(name, button) {
  if ((dead.get(name) ?? 0) <= Date.now()) button.disabled = false;
}

// By name, each button of a step in `root` and where it stands.
function places(root) {
  const buttons = [...root.querySelectorAll("[data-step]")];
  return new Map(buttons.map((button) => {
    const { top, left } = button.getBoundingClientRect();
    const key = button.closest("[data-key]")?.dataset.key ?? "";
    return [`${key} ${button.dataset.step}`, { button, key, top, left }];
  }));
}
