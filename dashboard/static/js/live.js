// What a page does with the live connection: alarms as the server renders them, at once and at every change.
import { keepingAim } from "./aim.js";
import { Cards, parsed } from "./cards.js";
import { lasting, setServerTime, tick } from "./clock.js";
import { Connection } from "./connection.js";
import { Holds } from "./holds.js";
import { announceCard, look, startNews } from "./news.js";
import { announce } from "./notices.js";
import { sayOver, startSession, stays, warn } from "./session.js";
import { setUrgent } from "./sound.js";

const CHECK_MS = 1_000;
const TOLD_MS = 1_000;
const list = document.getElementById("alarms");
const isDesk = document.body.dataset.live === "desk" && list !== null;
const cards = isDesk ? new Cards(list, new Holds(list, showAgain)) : null;
const seen = new Set();
const connection = new Connection(Number(document.body.dataset.silentMs), list?.dataset.after ?? "", {
  address,
  alarms: show,
  missed: (html) => announce(html, seen),
  beat: setServerTime,
  live: () => setState("live"),
  lost: () => setState("lost"),
  signedOut: signIn,
});

// The list as it was sent last: shown again when a card need not stay where it is any more.
let latest = null;
let toldAt = -TOLD_MS;
let toldTimer = null;

export function startLive() {
  if (isDesk) {
    summarise(list.querySelector('[data-key="summary"]'));
    remember();
    startNews();
  }
  startSession();
  resume();
  setInterval(check, CHECK_MS);
  addEventListener("online", resume);
  addEventListener("offline", () => connection.lose());
  document.addEventListener("visibilitychange", () => {
    if (isDesk) return;
    if (document.hidden) connection.close();
    else resume();
  });
  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.requestConfig?.verb === "post") refresh();
  });
  addEventListener("pagehide", () => connection.close());
  addEventListener("pageshow", (event) => event.persisted && resume());
}

// The cards that the page came with, before any clock ticks in them.
export function adopt() {
  if (isDesk) cards.adopt();
}

// Browsers allow few connections to one server: a hidden page other than the desk has none.
function resume() {
  if (isDesk || !document.hidden) connection.open();
}

function address(after) {
  const query = new URLSearchParams({ view: isDesk ? "desk" : "bell" });
  if (list?.dataset.site) query.set("site", list.dataset.site);
  if (after) query.set("after", after);
  return `/live?${query}`;
}

function check() {
  connection.check();
  warn();
  if (connection.lostSince !== null) {
    document.getElementById("cut-off-since").textContent = lasting(Date.now() - connection.lostSince);
  }
}

function setState(state) {
  const sign = document.getElementById("connection");
  if (sign.dataset.state !== state) sign.dataset.state = state;
  document.getElementById("cut-off").hidden = state !== "lost";
}

function signIn() {
  if (stays) {
    sayOver();
    return;
  }
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
    connection.lose();
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

function showAgain() {
  if (latest !== null) show(latest);
}

function show(html) {
  latest = html;
  const fresh = parsed(html);
  summarise(fresh.find((child) => child.dataset.key === "summary"));
  if (isDesk) {
    keepingAim(list, () => cards.show(fresh)).forEach(arrived);
    remember();
    look();
    tick(list);
  }
  tellOfChange();
}

function arrived({ card, isNew }) {
  if (isNew) card.classList.add("is-new");
  window.htmx?.process(card);
  if (isNew && ["high", "medium"].includes(card.dataset.priority)) announceCard(card);
}

function remember() {
  for (const card of list.querySelectorAll("[data-priority]")) seen.add(card.dataset.key);
}

function summarise(summary) {
  if (!summary) return;
  const { urgent, medium, open, title } = summary.dataset;
  const bell = document.getElementById("bell");
  bell.textContent = open;
  bell.hidden = open === "0";
  bell.classList.toggle("is-urgent", urgent !== "0");
  setUrgent(Number(urgent), Number(medium), title);
}
