// Which cards stay where they are for a while: the one that was pressed, and the one that a mouse moves over.
const PRESSED_MS = 5_000;
// A finger that left the screen unnoticed must not hold up news for longer than this.
const DOWN_MS_MAX = 3_000;
const OVER_MS = 2_000;
const OVER_MS_MAX = 5_000;
// Between two such times everything finds its place: a mouse that is moved all the time holds up nothing for long.
const OVER_PAUSE_MS = 1_000;

export class Holds {
  #until = new Map();
  #down = null;
  #downTimer = null;
  #over = { key: null, since: 0, until: 0 };
  #changed;

  // `list` has the cards; `changed` is called whenever one of them need not stay any more.
  constructor(list, changed) {
    this.#changed = changed;
    list.addEventListener("pointerdown", (event) => this.#press(keyOf(event)), true);
    list.addEventListener("click", (event) => {
      if (event.target.closest("[data-step]")) this.#hold(keyOf(event), PRESSED_MS);
    }, true);
    list.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse") this.#move(keyOf(event));
    });
    for (const over of ["pointerup", "pointercancel"]) addEventListener(over, () => this.#release(), true);
  }

  has(key) {
    return key === this.#down || (this.#until.get(key) ?? 0) > Date.now();
  }

  // A card under a finger is not even replaced: the press would be lost.
  isPressed(key) {
    return key === this.#down;
  }

  #press(key) {
    this.#down = key;
    clearTimeout(this.#downTimer);
    this.#downTimer = setTimeout(() => this.#lift(), DOWN_MS_MAX);
  }

  // After the click that belongs to it has been heard.
  #release() {
    if (this.#down === null) return;
    clearTimeout(this.#downTimer);
    this.#downTimer = setTimeout(() => this.#lift());
  }

  #lift() {
    this.#down = null;
    this.#changed();
  }

  #move(key) {
    const now = Date.now();
    const over = this.#over;
    if (key !== over.key || now > over.until) {
      if (now < over.until + OVER_PAUSE_MS && now - over.since > OVER_MS_MAX) return;
      if (now > over.until + OVER_PAUSE_MS) over.since = now;
      over.key = key;
    }
    over.until = Math.min(now + OVER_MS, over.since + OVER_MS_MAX);
    if (over.until > now) this.#hold(key, over.until - now);
  }

  #hold(key, lasts_ms) {
    if (key === null) return;
    const until = Math.max(this.#until.get(key) ?? 0, Date.now() + lasts_ms);
    this.#until.set(key, until);
    setTimeout(() => this.#end(key), until - Date.now());
  }

  #end(key) {
    if (!this.#until.has(key) || this.#until.get(key) > Date.now()) return;
    this.#until.delete(key);
    this.#changed();
  }
}

function keyOf(event) {
  return event.target.closest?.("[data-priority]")?.dataset.key ?? null;
}
