// The end of a session, as a desk tells it: a quarter of an hour before, and never a page that is silent without a word.
import { serverNow } from "./clock.js";

const WARN_MS = 15 * 60_000;
const ASK_MS = 10_000;

const ends = document.getElementById("session-ends");
const over = document.getElementById("session-over");
let asking = null;

// Whether this page stays when its session is over; the others go to the sign-in.
export const stays = over !== null;

export function startSession() {
  if (!stays) return;
  // A part that fetches itself must not take the page to the sign-in either.
  document.body.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.status !== 401) return;
    event.preventDefault();
    sayOver();
  });
  warn();
}

// Called once a second or so.
export function warn() {
  if (stays) ends.hidden = !over.hidden || serverNow() < Number(ends.dataset.endsMs) - WARN_MS;
}

// What was open goes on ringing, and whoever looks learns that nothing new will. Signed in anew in another
// tab, the page is whole again by itself.
export function sayOver() {
  if (asking !== null) return;
  over.hidden = false;
  ends.hidden = true;
  document.getElementById("cut-off").hidden = true;
  document.getElementById("connection").dataset.state = "lost";
  document.title = over.dataset.title;
  asking = setInterval(ask, ASK_MS);
}

async function ask() {
  try {
    const answer = await fetch("/api/me", { cache: "no-store" });
    if (answer.ok) location.reload();
  } catch {
    // The network is away as well: the next time will tell.
  }
}
