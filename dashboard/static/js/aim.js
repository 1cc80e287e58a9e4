// A finger takes only what it aimed at. A step's button that is new, or that has moved, hears no press for a moment:
// whoever presses then has aimed at what stood there before.
const DEAD_MS = 1_000;
const MOVED_PX = 4;
// By the name of a button, until when it is dead. By name, because cards are replaced while it waits.
const dead = new Map();

export function startAim() {
  document.addEventListener("click", refuse, true);
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

function refuse(event) {
  const button = event.target.closest?.("[data-step]");
  if (!button || !isDead(nameOf(button))) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}

function compare(root, before) {
  const now = Date.now();
  for (const [name, until] of dead) if (until <= now) dead.delete(name);
  for (const [name, { button, top, left }] of places(root)) {
    const was = before.get(name);
    const stays = was && Math.abs(was.top - top) <= MOVED_PX && Math.abs(was.left - left) <= MOVED_PX;
    if (!stays) dead.set(name, now + DEAD_MS);
    if (!isDead(name)) continue;
    button.classList.add("is-settling");
    setTimeout(() => settle(name, button), dead.get(name) - now);
  }
}

function settle(name, button) {
  if (!isDead(name)) button.classList.remove("is-settling");
}

function isDead(name) {
  return (dead.get(name) ?? 0) > Date.now();
}

// By name, each button of a step in `root` and where it stands.
function places(root) {
  const buttons = [...root.querySelectorAll("[data-step]")];
  return new Map(buttons.map((button) => {
    const { top, left } = button.getBoundingClientRect();
    return [nameOf(button), { button, top, left }];
  }));
}

function nameOf(button) {
  return `${button.closest("[data-key]")?.dataset.key ?? ""} ${button.dataset.step}`;
}
