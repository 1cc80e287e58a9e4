// Running times, by the server's clock: the clock of a desk may be wrong by minutes.
const TICK_MS = 1000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const language = document.documentElement.lang;
const days = new Intl.NumberFormat(language, { style: "unit", unit: "day", unitDisplay: "long" });
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });

let aheadMs = Number(document.body.dataset.serverMs) - Date.now();

export function setServerTime(ms) {
  aheadMs = ms - Date.now();
}

export function serverNow() {
  return Date.now() + aheadMs;
}

// How long something has lasted, or did last until `data-until`: 0:07, 12:05, 1:02:33, then days.
export function lasting(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (ms >= 2 * DAY_MS) return spaced(days.format(Math.floor(ms / DAY_MS)));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

// How long ago something was, in words.
export function ago(ms) {
  if (ms < MINUTE_MS) return document.body.dataset.justNow;
  if (ms < HOUR_MS) return spaced(relative.format(-Math.floor(ms / MINUTE_MS), "minute"));
  if (ms < 2 * DAY_MS) return spaced(relative.format(-Math.floor(ms / HOUR_MS), "hour"));
  return spaced(relative.format(-Math.floor(ms / DAY_MS), "day"));
}

// For how long something has been so, in words.
export function since(ms) {
  let [length, unit] = [DAY_MS, "day"];
  if (ms < HOUR_MS) [length, unit] = [MINUTE_MS, "minute"];
  else if (ms < 2 * DAY_MS) [length, unit] = [HOUR_MS, "hour"];
  const words = new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short" });
  return spaced(words.format(Math.max(1, Math.floor(ms / length))));
}

export function tick(root = document) {
  const now = Date.now() + aheadMs;
  for (const element of root.querySelectorAll("[data-clock]")) {
    const until = Number(element.dataset.until) || now;
    setText(element, lasting(until - Number(element.dataset.clock)));
  }
  for (const element of root.querySelectorAll("[data-since]")) {
    setText(element, since(now - Number(element.dataset.since)));
  }
  for (const element of root.querySelectorAll("[data-ago]")) {
    setText(element, ago(now - Number(element.dataset.ago)));
  }
}

export function startClocks() {
  tick();
  setInterval(tick, TICK_MS);
  document.addEventListener("htmx:afterSwap", (event) => tick(event.target));
}

// A number and a Chinese word have a space between, as in the server's texts.
function spaced(text) {
  return text.replace(/(\d)(?=[\u4e00-\u9fff])/g, "$1 ");
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
