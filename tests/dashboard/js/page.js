// A page for a test: jsdom's document as the globals that scripts find in a browser, and scripts that are loaded
// anew for each page, with all that they import.
import { readFile } from "node:fs/promises";
import { registerHooks } from "node:module";

import { JSDOM } from "jsdom";

const SCRIPTS = new URL("../../../dashboard/static/js/", import.meta.url);
const GLOBALS = ["document", "window", "DOMParser", "MutationObserver", "Event", "CustomEvent", "localStorage"];
// Node's own: the streams below are its event targets, not jsdom's.
const NodeEvent = globalThis.Event;
const START_MS = Date.UTC(2026, 2, 1, 4);

let loads = 0;

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    const load = context.parentURL && new URL(context.parentURL).searchParams.get("load");
    return load && found.url.startsWith(SCRIPTS.href) ? { ...found, url: `${found.url}?load=${load}` } : found;
  },
});

// Opens a page whose timers and clock stand still until the test moves them. `given` are further globals.
export function open(t, body, { lang = "zh-CN", attributes = "", url = "https://anshou.test/desk", given = {} } = {}) {
  const html = `<!doctype html><html lang="${lang}"><head><title>值班台</title></head><body ${attributes}>${body}</body></html>`;
  const dom = new JSDOM(html, { url, runScripts: "outside-only", pretendToBeVisual: true });
  const { window } = dom;
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: START_MS });
  const found = Object.fromEntries(GLOBALS.map((name) => [name, window[name]]));
  const kept = Object.entries({
    ...found,
    addEventListener: window.addEventListener.bind(window),
    getComputedStyle: window.getComputedStyle.bind(window),
    ...given,
  }).map(([name, value]) => {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    return [name, before];
  });
  t.after(() => {
    for (const [name, before] of kept) {
      if (before) Object.defineProperty(globalThis, name, before);
      else delete globalThis[name];
    }
    window.close();
  });
  loads += 1;
  const load = loads;
  return {
    dom,
    window,
    document: window.document,
    // A script that is a module, as this page has it.
    script: (name) => import(`${SCRIPTS.href}${name}?load=${load}`),
    // A script that runs at once.
    run: async (name) => window.eval(await readFile(new URL(name, SCRIPTS), "utf-8")),
    find: (selector) => window.document.querySelector(selector),
  };
}

export function fire(target, type, init = {}) {
  const { detail, ...rest } = init;
  const event = detail === undefined
    ? new window.Event(type, { bubbles: true, cancelable: true, ...rest })
    : new window.CustomEvent(type, { bubbles: true, cancelable: true, detail });
  target.dispatchEvent(event);
  return event;
}

// All that waits in promises has run.
export async function settled() {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

// Hides the page or shows it again, as when somebody changes tabs.
export function setHidden(document, isHidden) {
  Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
  fire(document, "visibilitychange");
}

// A stream of events that the test writes.
export class Stream extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSED = 2;
  static all = [];

  constructor(url) {
    super();
    this.url = new URL(url, "https://anshou.test");
    this.readyState = Stream.CONNECTING;
    Stream.all.push(this);
  }

  static get last() {
    return Stream.all.at(-1);
  }

  static get open() {
    return Stream.all.filter((stream) => stream.readyState !== Stream.CLOSED);
  }

  close() {
    this.readyState = Stream.CLOSED;
  }

  send(kind, data = "", lastEventId = "") {
    if (this.readyState === Stream.CLOSED) throw new Error("nobody hears a closed stream");
    this.readyState = Stream.OPEN;
    this.dispatchEvent(Object.assign(new NodeEvent(kind), { data, lastEventId }));
  }

  // The server answered with something else than a stream.
  refuse() {
    this.readyState = Stream.CLOSED;
    this.onerror();
  }

  // The network broke; the browser itself tries again.
  breakOff() {
    this.readyState = Stream.CONNECTING;
    this.onerror();
  }
}
