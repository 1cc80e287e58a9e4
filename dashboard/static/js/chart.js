// Charts of a resident's signs and of an alarm's evidence: fetched, drawn, and drawn anew when a range is chosen.
import { height, isEmpty, options } from "./plot.js";

const HOUR_MS = 3_600_000;
const FRESH_MS = 60_000;

for (const element of document.querySelectorAll("[data-chart]")) start(element);

function start(element) {
  const words = JSON.parse(element.dataset.words);
  const box = element.closest(".chart-box");
  const ranges = [...(element.closest("section")?.querySelectorAll("a[data-range]") ?? [])];
  const mark = Number(element.dataset.mark) || null;
  let chart = null;
  let data = null;
  let asked = 0;

  function paint() {
    if (!chart || !data) return;
    const style = getComputedStyle(element);
    const look = { ink: style.color, font: style.fontFamily, line: style.getPropertyValue("--chart-line") || "#8884" };
    chart.setOption(options(data, words, look, mark), true);
  }

  async function load() {
    const number = ++asked;
    const found = await read(element, mark);
    if (number !== asked) return;  // another range was chosen meanwhile
    delete element.dataset.drawn;
    const failed = found === null;
    if (failed && data) return;  // what is on the screen is better than nothing
    show(box, ".chart-failed", failed);
    show(box, ".chart-empty", !failed && isEmpty(found));
    element.hidden = failed || isEmpty(found);
    data = element.hidden ? null : found;
    if (element.hidden) return;
    // Set by script: a style attribute would need a weaker content policy.
    element.style.height = `${height(data)}px`;
    chart ??= window.echarts.init(element, null, { renderer: "canvas" });
    chart.resize();
    paint();
    element.dataset.drawn = element.dataset.range ?? "yes";
  }

  function choose(event) {
    const link = event.currentTarget;
    event.preventDefault();
    element.dataset.range = link.dataset.range;
    for (const each of ranges) each.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    history.replaceState(null, "", link.href);
    data = null;
    load();
  }

  for (const link of ranges) link.addEventListener("click", choose);
  document.addEventListener("theme-changed", paint);
  new ResizeObserver(() => chart?.resize()).observe(element);
  if (!mark) setInterval(() => document.hidden || load(), FRESH_MS);
  load();
}

async function read(element, mark) {
  const { chart: url, hours, range } = element.dataset;
  const query = new URLSearchParams();
  if (range) query.set("range", range);
  if (hours) query.set("hours", hours);
  if (hours && mark) query.set("until", new Date(Math.min(mark + (hours / 2) * HOUR_MS, Date.now())).toISOString());
  try {
    const answer = await fetch(`${url}?${query}`, { cache: "no-store" });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

function show(box, selector, visible) {
  box.querySelector(selector).hidden = !visible;
}
