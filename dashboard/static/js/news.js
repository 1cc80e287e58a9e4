// New alarms that are above or below what the screen shows: named in one line that leads there. The page never
// scrolls by itself.
const bar = document.getElementById("news");
const unseen = new Set();

export function startNews() {
  bar?.addEventListener("click", () => first()?.scrollIntoView({ block: "center" }));
  addEventListener("scroll", look, { capture: true, passive: true });  // the list has a scroll bar of its own
}

export function announceCard(card) {
  unseen.add(card);
  look();
}

// Also after every change of the list: what is gone needs no notice.
export function look() {
  for (const card of unseen) if (!card.isConnected || isInView(card)) unseen.delete(card);
  if (!bar) return;
  bar.hidden = unseen.size === 0;
  if (bar.hidden) return;
  const card = first();
  const said = [".what", ".name", ".place"].map((part) => card.querySelector(part)?.textContent.trim() ?? "");
  const arrow = card.getBoundingClientRect().top < 0 ? "↑" : "↓";
  const more = unseen.size > 1 ? ` +${unseen.size - 1}` : "";
  bar.textContent = `${arrow} ${said.filter(Boolean).slice(0, 2).join(" ")}${more}`.replace(/\s+/g, " ");
}

// The gravest; of those the one that came first.
function first() {
  const rank = ({ dataset }) => ["high", "medium", "low"].indexOf(dataset.priority);
  return [...unseen].sort((one, other) => rank(one) - rank(other))[0];
}

function isInView(card) {
  const { top, bottom } = card.getBoundingClientRect();
  const list = card.parentElement.parentElement.getBoundingClientRect();
  return top < Math.min(document.documentElement.clientHeight, list.bottom) && bottom > Math.max(0, list.top);
}
