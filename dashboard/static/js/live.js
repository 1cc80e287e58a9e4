// The live connection: alarms as the server renders them, at once and at every change.
//
// The browser's EventSource reconnects by itself after most failures, but not after all of them, and it
// does not notice a connection that died silently. So signs of life are counted here: when they stop,
// the page says so and connects anew, telling the server the last event it has seen.
import { lasting, setServerTime, tick } from "./clock.js";
import { announce } from "./notices.js";
import { setUrgent } from "./sound.js";

const SILENT_MS = Number(document.body.dataset.silentMs);
const CHECK_MS = 1_000;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;

const FRESH_MS = 10_000;
const TOLD_MS = 1_000;
const list = document.getElementById("alarms");
const isDesk = document.body.dataset.live === "desk" && list !== null;
const seen = new Set();
const rendered = new Map();

let source = null;
let lastEventId = list?.dataset.after ?? "";
let heardAt = Date.now();
let connected = false;
let lostSince = null;
let retryMs = RETRY_MS_MIN;
let retryTimer = null;
let toldAt = -TOLD_MS;
let toldTimer = null;

export function startLive() {
  if (isDesk) {
    summarise(list.querySelector('[data-key="summary"]'));
    remember();
  }
  connect();
  setInterval(watch, CHECK_MS);
  addEventListener("online", () => reconnect(0));
  addEventListener("offline", lost);
  // Browsers allow few connections to one server: a hidden page other than the desk gives its own back.
  document.addEventListener("visibilitychange", () => {
    if (isDesk) return;
    if (document.hidden) close();
    else reconnect(0);
  });
  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.requestConfig?.verb === "post") refresh();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && reconnect(0));
}

function connect() {
  close();
  const query = new URLSearchParams({ view: isDesk ? "desk" : "bell" });
  if (list?.dataset.site) query.set("site", list.dataset.site);
  // A page that has just been drawn has missed nothing.
  if (lastEventId && (connected || performance.now() > FRESH_MS)) query.set("after", lastEventId);
  source = new EventSource(`/live?${query}`);
  source.addEventListener("alarms", (event) => {
    alive();
    connected = true;
    lastEventId = event.lastEventId || lastEventId;
    show(event.data);
  });
  source.addEventListener("beat", (event) => {
    setServerTime(Number(event.data));
    alive();
    found();
  });
  source.addEventListener("trouble", () => {
    alive();
    lost();
  });
  source.addEventListener("missed", (event) => announce(event.data, seen));
  source.addEventListener("signed-out", signIn);
  source.onerror = () => {
    lost();
    if (source?.readyState === EventSource.CLOSED) askWhy();
  };
}

function close() {
  clearTimeout(retryTimer);
  retryTimer = null;
  source?.close();
  source = null;
}

function reconnect(afterMs) {
  if (retryTimer !== null && afterMs > 0) return;
  clearTimeout(retryTimer);
  retryTimer = setTimeout(() => {
    heardAt = Date.now();
    connect();
  }, afterMs);
}

// A refusal has no reason in an EventSource: ask in a way that gives one.
async function askWhy() {
  try {
    const answer = await fetch("/api/me", { cache: "no-store" });
    if (answer.status === 401) return signIn();
  } catch {
    // The network is away; the next try will tell.
  }
  retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
  return reconnect(retryMs * (0.5 + Math.random() / 2));
}

function watch() {
  if (source && Date.now() - heardAt > SILENT_MS) {
    lost();
    reconnect(0);
  }
  if (lostSince !== null) {
    document.getElementById("cut-off-since").textContent = lasting(Date.now() - lostSince);
  }
}

function alive() {
  heardAt = Date.now();
}

function found() {
  retryMs = RETRY_MS_MIN;
  lostSince = null;
  setState("live");
}

function lost() {
  lostSince ??= Date.now();
  setState("lost");
}

function setState(state) {
  const sign = document.getElementById("connection");
  if (sign.dataset.state !== state) sign.dataset.state = state;
  document.getElementById("cut-off").hidden = state !== "lost";
}

function signIn() {
  close();
  location.assign(`/sign-in?${new URLSearchParams({ next: location.pathname + location.search })}`);
}

// The list at once, after a button was pressed: also when the live connection is away.
async function refresh() {
  if (!isDesk) {
    tellOfChange();
    return;
  }
  const query = list.dataset.site ? `?site=${list.dataset.site}` : "";
  try {
    const answer = await fetch(`/desk/alarms${query}`, { cache: "no-store" });
    if (answer.ok) show(await answer.text());
  } catch {
    lost();
  }
}

// At once, but once a second at most; the last change is always told.
function tellOfChange() {
  toldTimer ??= setTimeout(() => {
    toldTimer = null;
    toldAt = performance.now();
    document.body.dispatchEvent(new Event("alarms-changed"));
  }, Math.max(0, toldAt + TOLD_MS - performance.now()));
}

// The cards that the page came with, before any clock ticks in them: later they are compared as rendered.
export function adopt() {
  if (!isDesk) return;
  const template = document.createElement("template");
  template.innerHTML = list.innerHTML;
  for (const child of template.content.children) rendered.set(child.dataset.key, child.outerHTML);
}

// Only what changed is replaced: a button that a finger is on stays where it is.
function show(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = [...template.content.children];
  summarise(fresh.find((child) => child.dataset.key === "summary"));
  if (isDesk) {
    reconcile(fresh);
    remember();
    tick(list);
  }
  tellOfChange();
}

function reconcile(fresh) {
  const standing = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const wanted = new Set(fresh.map((child) => child.dataset.key));
  for (const [key, child] of standing) {
    if (wanted.has(key) || isAsking(child)) continue;
    child.remove();
    rendered.delete(key);
  }
  let before = list.firstElementChild;
  for (const child of fresh) {
    const key = child.dataset.key;
    let present = standing.get(key);
    if (!present || (rendered.get(key) !== child.outerHTML && !isAsking(present))) {
      rendered.set(key, child.outerHTML);
      if (present) {
        if (before === present) before = present.nextElementSibling;
        present.remove();
      } else {
        child.classList.add("is-new");
      }
      present = child;
    }
    if (present === before) before = before.nextElementSibling;
    else list.insertBefore(present, before);
    if (present === child) {
      window.htmx?.process(present);
      if (!standing.has(key) && child.dataset.priority === "high") child.scrollIntoView({ block: "nearest" });
    }
  }
}

// A card whose button waits for an answer stays until the answer is there; then the list is fetched anew.
function isAsking(card) {
  return card.querySelector(".htmx-request") !== null;
}

function remember() {
  for (const card of list.querySelectorAll("[data-priority]")) seen.add(card.dataset.key);
}

function summarise(summary) {
  if (!summary) return;
  const { urgent, open, title } = summary.dataset;
  const bell = document.getElementById("bell");
  bell.textContent = open;
  bell.hidden = open === "0";
  bell.classList.toggle("is-urgent", urgent !== "0");
  setUrgent(Number(urgent), title);
}
