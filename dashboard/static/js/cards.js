// The list of alarms, as the server renders it. Only what changed is replaced: a button that a finger is on stays
// where it is.
const NOTHING = { has: () => false, isPressed: () => false };

export class Cards {
  #list;
  #holds;
  // By key, each card as it was sent: clocks tick in those that stand in the list.
  #sent = new Map();

  // `holds` tells which cards stay where they are for now.
  constructor(list, holds = NOTHING) {
    this.#list = list;
    this.#holds = holds;
  }

  // The cards that the page came with, before any clock ticks in them.
  adopt() {
    for (const card of parsed(this.#list.innerHTML)) this.#sent.set(card.dataset.key, card.outerHTML);
  }

  // Make the list what was sent; returns the cards that were put into it, and of those the ones whose key is new.
  show(sent) {
    const standing = new Map([...this.#list.children].map((card) => [card.dataset.key, card]));
    const fresh = this.#arranged(sent);
    const wanted = new Set(fresh.map((card) => card.dataset.key));
    this.#drop(standing, wanted);
    const placed = [];
    let next = this.#list.firstElementChild;
    for (const card of fresh) {
      const old = standing.get(card.dataset.key);
      const kept = this.#kept(old, card);
      if (old && !kept) {
        if (next === old) next = card;
        old.replaceWith(card);
      }
      // What waits for an answer and is not wanted any more stays where it is; nothing moves because of it.
      while (next && !wanted.has(next.dataset.key)) next = next.nextElementSibling;
      next = this.#place(kept ?? card, next);
      if (!kept) placed.push({ card, isNew: !old });
    }
    return placed;
  }

  // What was sent, in the order in which it may be shown now: down to the last card that is held nothing moves, and
  // what is gone from there stays for so long, without its buttons.
  #arranged(sent) {
    const standing = [...this.#list.children];
    const last = standing.findLastIndex(({ dataset }) => this.#holds.has(dataset.key));
    if (last < 0) return sent;
    const byKey = new Map(sent.map((card) => [card.dataset.key, card]));
    const still = standing.slice(0, last + 1);
    const keys = new Set(still.map(({ dataset }) => dataset.key));
    const head = still.map((card) => byKey.get(card.dataset.key) ?? this.#spent(card));
    return [...head, ...sent.filter(({ dataset }) => !keys.has(dataset.key))];
  }

  // A card that is gone and cannot go yet.
  #spent(card) {
    card.classList.add("is-gone");
    for (const button of card.querySelectorAll("button")) button.disabled = true;
    this.#sent.delete(card.dataset.key);
    return card;
  }

  // Put a card before `next`, unless it is `next`; returns what the following card comes before.
  #place(card, next) {
    if (card === next) return next.nextElementSibling;
    this.#list.insertBefore(card, next);
    return next;
  }

  #drop(standing, wanted) {
    for (const [key, card] of standing) {
      if (wanted.has(key) || isAsking(card)) continue;
      card.remove();
      this.#sent.delete(key);
    }
  }

  // The old card, when it may stand for the one that was sent.
  #kept(old, card) {
    const { key } = card.dataset;
    const isSame = old === card || this.#sent.get(key) === card.outerHTML;
    if (old && (isSame || isAsking(old) || this.#holds.isPressed(key))) return old;
    this.#sent.set(key, card.outerHTML);
    return null;
  }
}

export function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return [...template.content.children];
}

// A card whose button waits for an answer stays until the answer is there; then the list is fetched anew.
function isAsking(card) {
  return card.querySelector(".htmx-request") !== null;
}
