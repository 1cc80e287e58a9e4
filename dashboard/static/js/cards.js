// The list of alarms, as the server renders it. Only what changed is replaced: a button that a finger is on stays
// where it is.
export class Cards {
  #list;
  // By key, each card as it was sent: clocks tick in those that stand in the list.
  #sent = new Map();

  constructor(list) {
    this.#list = list;
  }

  // The cards that the page came with, before any clock ticks in them.
  adopt() {
    for (const card of parsed(this.#list.innerHTML)) this.#sent.set(card.dataset.key, card.outerHTML);
  }

  // Make the list what was sent; returns the cards that were put into it, and of those the ones whose key is new.
  show(fresh) {
    const standing = new Map([...this.#list.children].map((card) => [card.dataset.key, card]));
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
    if (old && (this.#sent.get(key) === card.outerHTML || isAsking(old))) return old;
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
