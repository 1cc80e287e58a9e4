import assert from "node:assert/strict";
import { test } from "node:test";

import { open } from "./page.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const FROM = Date.UTC(2026, 2, 1, 4);  // noon at home
const HOME = 8 * HOUR;
const LOOK = { ink: "#000", font: "sans", line: "#ccc" };
const WORDS = {
  labels: {
    hr: "心率", spo2: "血氧", bp: "血压", sbp: "收缩压", dbp: "舒张压", temp: "体温", battery: "电量",
    in_bed: "在床", activity: "活动", active_days: "每天活动", only_from: "自", alarm: "报警",
  },
  units: { hr: "次/分", spo2: "%", bp: "mmHg", temp: "°C", battery: "%" },
  events: { bed_exit: "离床" },
};

const data = (more = {}) => ({
  from: FROM, to: FROM + DAY, width_ms: 0, signs: {}, events: [], in_bed: [], days: [], events_from: null, ...more,
});
const plot = (t, lang = "zh-CN") => open(t, "", { lang }).script("plot.js");
const drawn = async (t, given, mark = null, lang = "zh-CN") => (await plot(t, lang)).options(given, WORDS, LOOK, mark);
const lines = (chart) => chart.series.filter((one) => one.type === "line");
const xLabel = (chart, homeMs) => chart.xAxis.at(-1).axisLabel.formatter(homeMs);

test("there is nothing to draw when nothing was measured and nothing happened", async (t) => {
  const { isEmpty } = await plot(t);
  assert.equal(isEmpty(data({ signs: { hr: [] } })), true);
  assert.equal(isEmpty(data({ days: undefined })), true);
  assert.equal(isEmpty(data({ signs: { hr: [[FROM, 70]] } })), false);
  assert.equal(isEmpty(data({ events: [{ at: FROM, event: "bed_exit" }] })), false);
  assert.equal(isEmpty(data({ days: [{ at: FROM, events: {} }] })), false);
});

test("each sign that was measured has its row, blood pressure one for two, and as high as needed", async (t) => {
  const { height, options } = await plot(t);
  const given = data({ signs: { spo2: [[FROM, 97]], sbp: [[FROM, 130]], dbp: [[FROM, 80]], hr: [] } });
  const chart = options(given, WORDS, LOOK, null);
  assert.deepEqual(chart.yAxis.map((axis) => axis.name), ["血氧  %", "血压  mmHg", "在床 / 活动"]);
  assert.deepEqual(lines(chart).map((line) => [line.name, line.yAxisIndex]), [["血氧", 0], ["收缩压", 1], ["舒张压", 1]]);
  const last = chart.grid.at(-1);
  assert.ok(last.top + last.height < height(given), "the dates have their place below");
  assert.equal(chart.yAxis[0].max, 100, "no more oxygen than all");
  assert.deepEqual(chart.xAxis.map((axis) => axis.axisLabel.show), [false, false, true]);
});

test("one sign by itself has no strip of activity, and is higher", async (t) => {
  const { options } = await plot(t);
  const grids = (more) => options(data({ signs: { hr: [[FROM, 70]] }, ...more }), WORDS, LOOK, null).grid;
  assert.deepEqual([grids({}).length, grids({ sign: "hr" }).length], [2, 1]);
  assert.ok(grids({ sign: "hr" })[0].height > grids({})[0].height);
});

test("times are those of the home, in any browser", async (t) => {
  const chart = await drawn(t, data({ signs: { hr: [[FROM, 70], [FROM + HOUR, 72]] } }));
  assert.equal(chart.useUTC, true);
  assert.deepEqual([chart.xAxis[0].min, chart.xAxis[0].max], [FROM + HOME, FROM + DAY + HOME]);
  assert.deepEqual(lines(chart)[0].data, [[FROM + HOME, 70], [FROM + HOUR + HOME, 72]]);
  assert.equal(xLabel(chart, FROM + HOME), "12:00");
  assert.equal(xLabel(chart, Date.UTC(2026, 2, 2)), "3/2", "midnight is the new day");
});

for (const [days, intervalMs, homeMs, chinese] of [
  [3, 60_000, Date.UTC(2026, 2, 1, 18, 30), "18:30"],
  [7, DAY, Date.UTC(2026, 2, 1), "3/1"],
  [90, 7 * DAY, Date.UTC(2026, 2, 1), "3/1"],
  [365, 28 * DAY, Date.UTC(2026, 2, 1), "3月"],
  [365, 28 * DAY, Date.UTC(2026, 0, 1), "2026年1月"],
]) {
  test(`the marks of ${days} days: ${chinese}`, async (t) => {
    const chart = await drawn(t, data({ to: FROM + days * DAY, signs: { hr: [[FROM, 70]] } }));
    assert.equal(chart.xAxis[0].minInterval, intervalMs);
    assert.equal(xLabel(chart, homeMs), chinese);
  });
}

test("gaps stay gaps, and what was measured alone between two is seen", async (t) => {
  const at = (number) => FROM + number * HOUR;
  const curve = [[at(0), null], [at(1), 70], [at(2), null], [at(3), 71], [at(4), 72], [at(5), null]];
  const [line] = lines(await drawn(t, data({ signs: { hr: curve } })));
  assert.equal(line.connectNulls, false);
  assert.equal(line.symbol, "none");
  assert.deepEqual(line.data[1], { value: [at(1) + HOME, 70], symbol: "circle", symbolSize: 5 });
  assert.deepEqual(line.data[2], [at(2) + HOME, null]);
  assert.deepEqual(line.data[3], [at(3) + HOME, 71], "with a neighbour it is part of a line");
});

test("few readings are points, many are a line", async (t) => {
  const temp = (count) => ({ temp: Array.from({ length: count }, (_, number) => [FROM + number, 36.5]) });
  const { options } = await plot(t);
  const symbol = (count) => lines(options(data({ signs: temp(count) }), WORDS, LOOK, null))[0].symbol;
  assert.deepEqual([symbol(60), symbol(61)], ["circle", "none"]);
});

test("what stands for an hour has its lowest and highest around it, a stretch between two gaps each", async (t) => {
  const at = (number) => FROM + number * HOUR;
  const curve = [[at(0), 70, 60, 90], [at(1), 72, 65, 80], [at(2), null, null, null], [at(3), 75, 70, 99]];
  const chart = await drawn(t, data({ width_ms: HOUR, signs: { hr: curve } }));
  const [band] = chart.series.filter((one) => one.type === "custom");
  assert.deepEqual(band.data, [[at(0) + HOME, 60, 90], [at(3) + HOME, 70, 99]]);
  assert.equal(lines(chart)[0].data[0][0], at(0) + HOME + HOUR / 2, "the middle of the hour");
  const shape = (dataIndex) => band.renderItem({ dataIndex }, { coord: (point) => point }).shape.points;
  const middle = HOME + HOUR / 2;
  assert.deepEqual(shape(0), [[at(0) + middle, 90], [at(1) + middle, 80], [at(1) + middle, 65], [at(0) + middle, 60]]);
  assert.deepEqual(shape(1), [[at(3) + HOME, 99], [at(4) + HOME, 99], [at(4) + HOME, 70], [at(3) + HOME, 70]]);
});

test("what was expected is drawn, and always in sight", async (t) => {
  const signs = { hr: [[FROM, 120]] };
  const { options } = await plot(t);
  const chart = (bounds) => options(data({ signs, sign: "hr", ...bounds }), WORDS, LOOK, null);
  const both = chart({ low: 55.5, high: 90 });
  assert.deepEqual(lines(both)[0].markArea.data, [[{ yAxis: 55.5 }, { yAxis: 90 }]]);
  assert.equal(both.yAxis[0].min({ min: 110, max: 120 }), 55);
  assert.equal(both.yAxis[0].max({ min: 110, max: 120.2 }), 121);
  for (const one of [{ low: null, high: 90 }, { low: 90, high: null }, { high: 90 }]) {
    assert.deepEqual(lines(chart(one))[0].markLine.data, [{ yAxis: 90 }]);
    assert.equal(lines(chart(one))[0].markArea, undefined);
  }
  const none = chart({ low: null, high: null });
  assert.deepEqual([lines(none)[0].markLine, none.yAxis[0].min, none.yAxis[0].max], [undefined, null, null]);
});

test("what is a share of all is never drawn above it", async (t) => {
  const chart = await drawn(t, data({ signs: { spo2: [[FROM, 99]] }, sign: "spo2", low: 92, high: null }));
  assert.equal(chart.yAxis[0].max({ min: 90, max: 104 }), 100);
});

test("the alarm stands in every row, and is named in the first", async (t) => {
  const { options } = await plot(t);
  const given = data({ width_ms: HOUR, signs: { hr: [[FROM, 70, 60, 80]], spo2: [[FROM, 97, 96, 98]] } });
  const marks = (mark) => options(given, WORDS, LOOK, mark).series
    .filter((one) => one.markLine)
    .map(({ markLine: { data: [line] } }) => [line.xAxis, line.label.show, line.label.align]);
  const early = FROM + HOUR;
  assert.deepEqual(marks(early), [
    [early + HOME, true, "center"], [early + HOME, false, "center"], [early + HOME, false, "center"],
  ]);
  assert.equal(marks(FROM + 0.9 * DAY)[0][2], "right", "where the word would leave the picture");
});

test("the mark of the alarm leaves what was expected", async (t) => {
  const chart = await drawn(t, data({ signs: { hr: [[FROM, 99]] }, sign: "hr", low: null, high: 90 }), FROM);
  assert.deepEqual(lines(chart)[0].markLine.data.map((one) => one.yAxis ?? one.xAxis), [90, FROM + HOME]);
});

test("short spans show each event and the time in bed", async (t) => {
  const events = [{ at: FROM, event: "bed_exit", room: "厨房" }];
  const chart = await drawn(t, data({ events, in_bed: [[FROM, FROM + HOUR]] }));
  const [strip] = chart.series;
  assert.deepEqual(strip.data, [[FROM + HOME, 0.5, "bed_exit", "厨房"]]);
  assert.deepEqual(strip.markArea.data, [[{ xAxis: FROM + HOME }, { xAxis: FROM + HOUR + HOME }]]);
});

test("where events before some time are missing, the strip says since when it has them", async (t) => {
  const { options } = await plot(t);
  const name = (more) => options(data(more), WORDS, LOOK, null).yAxis.at(-1).name;
  assert.equal(name({ events_from: FROM }), "在床 / 活动");
  assert.equal(name({ events_from: FROM + HOUR }), "在床 / 活动 (自 13:00)");
});

test("long spans count what happened on each day", async (t) => {
  const days = [{ at: FROM, events: { bed_exit: 3, motion: 9 } }, { at: FROM + DAY, events: {} }];
  const chart = await drawn(t, data({ days }));
  assert.deepEqual(chart.series[0].data, [[FROM + HOME + DAY / 2, 12], [FROM + DAY + HOME + DAY / 2, 0]]);
  assert.deepEqual([chart.yAxis[0].name, chart.yAxis[0].max], ["每天活动", null]);
});

const point = (value, more = {}) => ({ seriesType: "line", seriesName: "心率", axisValue: value[0], value, ...more });

for (const [what, widthMs, points, text] of [
  ["an instant", 0, [point([FROM + HOME, 70])], "3/1 12:00\n心率  70"],
  ["an hour", HOUR, [point([FROM + HOME + HOUR / 2, 70, 60, 80])], "3/1 12:00–13:00\n心率  70  (60–80)"],
  ["a day", DAY, [point([FROM + HOME + DAY / 2, 70, 70, 70])], "2026年3月1日周日\n心率  70"],
  ["a week", 7 * DAY, [point([FROM + HOME + 3.5 * DAY, null])], "2026年3月1日周日 – 2026年3月7日周六\n心率  –"],
  ["an event", 0, [point([FROM + HOME, 0.5, "bed_exit", "厨房"], { seriesType: "scatter" })], "3/1 12:00\n离床 厨房"],
  ["an unknown one", 0, point([FROM + HOME, 0.5, "new", null], { seriesType: "scatter" }), "3/1 12:00\nnew "],
  ["a band alone", HOUR, [point([FROM, 60, 80], { seriesType: "custom" })], ""],
]) {
  test(`what is told of ${what}`, async (t) => {
    const chart = await drawn(t, data({ width_ms: widthMs, signs: { hr: [[FROM, 70, 60, 80]] } }));
    assert.equal(chart.tooltip.formatter(points), text);
    assert.equal(chart.tooltip.renderMode, "richText", "the content policy allows no styles in HTML");
  });
}
