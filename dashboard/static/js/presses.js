// A key for each press at an alarm, so that the server takes it once, however often it is sent. Where no answer came
// nobody knows whether it was heard: the same press goes out with the same key until there is an answer.
const HEADER = "Idempotency-Key";
const UNANSWERED_MAX = 100;
const unanswered = new Map();

export function startPresses() {
  document.body.addEventListener("htmx:configRequest", ({ detail }) => {
    if (!isPress(detail)) return;
    detail.headers[HEADER] = keyOf(`${detail.path}?${new URLSearchParams(detail.formData)}`);
  });
  document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (!isPress(detail.requestConfig)) return;
    // 0: no answer; 500 and more: who knows what of it was done.
    if (detail.xhr.status > 0 && detail.xhr.status < 500) forget(detail.requestConfig.headers[HEADER]);
  });
}

function isPress(request) {
  return request?.verb === "post" && request.path.startsWith("/alarms/");
}

export function keyOf(press) {
  if (!unanswered.has(press)) {
    if (unanswered.size >= UNANSWERED_MAX) unanswered.delete(unanswered.keys().next().value);
    unanswered.set(press, newKey());
  }
  return unanswered.get(press);
}

export function forget(key) {
  for (const [press, kept] of unanswered) if (kept === key) unanswered.delete(press);
}

// Not randomUUID: browsers have that only where the connection is encrypted.
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
