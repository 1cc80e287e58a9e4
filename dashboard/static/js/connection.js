// The live connection: opened, watched, and opened anew.
//
// The browser's EventSource reconnects by itself after most failures, but not after all of them, and it
// does not notice a connection that died silently. So signs of life are counted here: when they stop,
// the connection counts as lost and is opened anew, telling the server the last event that was seen.
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;
const ASK_MS_MAX = 5_000;
// A page that has just been drawn has missed nothing.
const FRESH_MS = 10_000;

export class Connection {
  // Since when nothing has been heard; null while all is well.
  lostSince = null;

  #silentMs;
  #lastEventId;
  #page;
  #source = null;
  #retryTimer = null;
  #retryMs = RETRY_MS_MIN;
  #heardAt = 0;
  #hasHeard = false;

  // silentMs: after how long without a sign of life it counts as lost; lastEventId: the last event in the page as
  // it came; page: `address(after)` where to listen, and `alarms(html)`, `missed(html)`, `beat(ms)`, `live()`,
  // `lost()` and `signedOut()`, which are called when that happens.
  constructor(silentMs, lastEventId, page) {
    this.#silentMs = silentMs;
    this.#lastEventId = lastEventId;
    this.#page = page;
  }

  open() {
    this.close();
    this.#heardAt = Date.now();
    const isAnew = this.#hasHeard || performance.now() > FRESH_MS;
    const source = new EventSource(this.#page.address(isAnew ? this.#lastEventId : ""));
    this.#source = source;
    this.#on("alarms", (event) => {
      this.#hasHeard = true;
      this.#lastEventId = event.lastEventId || this.#lastEventId;
      this.#page.alarms(event.data);
    });
    this.#on("beat", (event) => {
      this.#retryMs = RETRY_MS_MIN;
      this.lostSince = null;
      this.#page.beat(Number(event.data));
      this.#page.live();
    });
    this.#on("trouble", () => this.lose());
    this.#on("missed", (event) => this.#page.missed(event.data));
    this.#on("signed-out", () => this.#signOut());
    source.onerror = () => {
      this.lose();
      if (source.readyState === EventSource.CLOSED) this.#askWhy(source);
    };
  }

  close() {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    this.#source?.close();
    this.#source = null;
  }

  lose() {
    this.lostSince ??= Date.now();
    this.#page.lost();
  }

  // Called once a second or so.
  check() {
    if (this.#source === null || this.#retryTimer !== null) return;
    if (Date.now() - this.#heardAt <= this.#silentMs) return;
    this.lose();
    this.open();
  }

  #on(kind, hear) {
    this.#source.addEventListener(kind, (event) => {
      this.#heardAt = Date.now();
      hear(event);
    });
  }

  // A refusal has no reason in an EventSource: ask in a way that gives one.
  async #askWhy(refused) {
    let status = null;
    try {
      const answer = await fetch("/api/me", { cache: "no-store", signal: AbortSignal.timeout(ASK_MS_MAX) });
      status = answer.status;
    } catch {
      // The network is away; the next try will tell.
    }
    if (this.#source !== refused) return;  // closed or opened anew meanwhile
    if (status === 401) {
      this.#signOut();
      return;
    }
    this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2);
    this.#retryTimer = setTimeout(() => this.open(), this.#retryMs * (0.5 + Math.random() / 2));
  }

  #signOut() {
    this.close();
    this.#page.signedOut();
  }
}
