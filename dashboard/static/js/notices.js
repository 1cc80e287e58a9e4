// Short messages at the edge of the page. Good news goes by itself, bad news waits to be read.
const GONE_AFTER_MS = 5_000;
// As long as a press can be taken back.
const UNDO_MS = 10_000;
const NOTICES_MAX = 4;

const box = document.getElementById("notices");

export function startNotices() {
  box.addEventListener("click", (event) => {
    event.target.closest("[data-dismiss]")?.closest("[data-notice]").remove();
  });
  new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes) arrived(node);
  }).observe(box, { childList: true });
  document.addEventListener("htmx:sendError", sendFailed);
  document.addEventListener("htmx:timeout", sendFailed);
  // What the centre has answered since makes the doubt old.
  document.addEventListener("htmx:afterOnLoad", () => {
    for (const said of box.querySelectorAll("[data-unsent]")) said.remove();
  });
}

// What was missed while cut off, without what this page has shown after all.
export function announce(html, seen) {
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const item of template.content.querySelectorAll("[data-missed]")) {
    if (seen.has(item.dataset.missed)) item.remove();
    else seen.add(item.dataset.missed);
  }
  if (template.content.querySelector("[data-missed]")) box.append(template.content);
}

function arrived(node) {
  const { notice, undo } = node.dataset ?? {};
  // Only the last press at an alarm can be taken back, and only once.
  if (notice === "success") for (const older of box.querySelectorAll("[data-undo]")) if (older !== node) older.remove();
  if (notice === "success") setTimeout(() => node.remove(), undo ? UNDO_MS : GONE_AFTER_MS);
  while (box.children.length > NOTICES_MAX) leastNeeded().remove();
}

// The oldest good news, else the oldest; never the newest.
function leastNeeded() {
  const older = [...box.children].slice(0, -1);
  return older.find((notice) => notice.dataset.notice === "success") ?? older[0];
}

// No answer came, and nobody knows whether the centre has heard: say so, in the words that the page came with.
function sendFailed(event) {
  // What a page fetches by itself is not a matter for people; what somebody has pressed is.
  const { verb, triggeringEvent } = event.detail.requestConfig ?? {};
  if (verb === "get" && triggeringEvent?.type !== "click") return;
  // Of a form that was only to be opened nothing can be half done.
  const name = verb === "get" ? "not-opened" : "not-sure";
  // One is enough, however often somebody has pressed.
  for (const said of box.querySelectorAll("[data-unsent]")) said.remove();
  const template = document.getElementById(name);
  if (template) box.append(template.content.cloneNode(true));
}
