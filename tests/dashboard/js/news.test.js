import assert from "node:assert/strict";
import { test } from "node:test";

import { fire, open } from "./page.js";

const card = (key, priority = "high") => `<article data-key="${key}" data-priority="${priority}">
  <span class="what"><svg></svg>紧急呼救</span><p class="name">\n<a>王秀英</a></p><p class="place">102 房</p></article>`;

async function desk(t, ...cards) {
  const page = open(t, `<button id="news" hidden></button><section><div id="alarms">${cards.join("")}</div></section>`);
  const tops = new Map();
  const rectangle = (top, height) => ({ top, bottom: top + height });
  page.window.HTMLElement.prototype.getBoundingClientRect = function place() {
    return this.dataset.key ? rectangle(tops.get(this.dataset.key), 100) : rectangle(60, 500);
  };
  Object.defineProperty(page.document.documentElement, "clientHeight", { value: 800 });
  const scrolled = [];
  page.window.HTMLElement.prototype.scrollIntoView = function scrollIntoView() {
    scrolled.push(this.dataset.key);
  };
  const news = await page.script("news.js");
  news.startNews();
  const announce = (key, top) => {
    tops.set(String(key), top);
    news.announceCard(page.find(`[data-key="${key}"]`));
  };
  return { page, bar: page.find("#news"), announce, tops, scrolled, look: news.look };
}

test("what is new and in sight needs no notice", async (t) => {
  const { bar, announce } = await desk(t, card(1));
  announce(1, 200);
  assert.equal(bar.hidden, true);
});

test("what is new and out of sight is named, the gravest first, and a press leads there", async (t) => {
  const { page, bar, announce, tops, scrolled } = await desk(t, card(1, "medium"), card(2));
  announce(1, 900);
  assert.deepEqual([bar.hidden, bar.textContent], [false, "↓ 紧急呼救 王秀英"]);
  announce(2, -400);
  assert.equal(bar.textContent, "↑ 紧急呼救 王秀英 +1");
  bar.click();
  assert.deepEqual(scrolled, ["2"]);
  tops.set("2", 100);
  tops.set("1", 1_400);
  fire(page.document, "scroll");
  assert.equal(bar.textContent, "↓ 紧急呼救 王秀英");
});

test("what is gone is not named any more", async (t) => {
  const { page, bar, announce, look } = await desk(t, card(1));
  announce(1, 700);
  assert.equal(bar.hidden, false, "below the list's own edge");
  page.find("article").remove();
  look();
  assert.equal(bar.hidden, true);
});
