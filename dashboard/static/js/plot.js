// What charts look like: data from the JSON interface to options of ECharts. Gaps stay gaps. Nothing is fetched here.
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
// Homes are in Asia/Shanghai, eight hours ahead of UTC all the year, wherever the browser thinks it is: times are
// moved by that much and drawn as if they were UTC, so that axes and days are those of the home.
const HOME_MS = 8 * HOUR_MS;
const ROW_PX = 100;
const ONLY_ROW_PX = 170;
const STRIP_PX = 60;
const TEXT_PX = 13;
const NAME_PX = 14;
const TOP_PX = 26;
const FOOT_PX = 40;
const LEFT_PX = 52;
const RIGHT_PX = 14;
const DOTS_MAX = 60;
const THIN_FROM = 600;
const BAND_OPACITY = 0.25;
const language = document.documentElement.lang;

const ROWS = [
  { key: "hr", series: [["hr", "#e03131"]] },
  { key: "rr", series: [["rr", "#1c7ed6"]] },
  { key: "spo2", series: [["spo2", "#0c8599"]], max: 100 },
  { key: "temp", series: [["temp", "#e8590c"]], dots: true },
  { key: "bp", series: [["sbp", "#7048e8"], ["dbp", "#9775fa"]], dots: true },
  { key: "glucose", series: [["glucose", "#c2255c"]], dots: true },
  { key: "weight", series: [["weight", "#5c940d"]], dots: true },
  { key: "battery", series: [["battery", "#2b8a3e"]], max: 100, dots: true },
];
const EVENT_COLOUR = "#2f9e44";
const BED_COLOUR = "#4c6ef5";
const ALARM_COLOUR = "#e03131";
const EXPECTED_COLOUR = "#2b8a3e";

const clock = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = format({ month: "numeric", day: "numeric" });
const longDay = format({ year: "numeric", month: "short", day: "numeric", weekday: "short" });
const month = format({ month: "short" });
const yearMonth = format({ year: "numeric", month: "short" });

function format(fields) {
  const made = new Intl.DateTimeFormat(language, { ...fields, timeZone: "UTC" });
  return (homeMs) => made.format(homeMs);
}

const home = (ms) => ms + HOME_MS;

export function isEmpty(data) {
  return !rowsOf(data).length && !data.events.length && !(data.days ?? []).length;
}

export function height(data) {
  return rowsOf(data).length * rowPx(data) + (hasStrip(data) ? STRIP_PX : 0) + FOOT_PX;
}

// words: labels and units by sign, events by name; look: ink and line colours; mark: when the alarm was.
export function options(data, words, look, mark) {
  const rows = rowsOf(data);
  const each = rowPx(data);
  const sides = { left: LEFT_PX, right: RIGHT_PX };
  const grids = rows.map((_, index) => ({ top: TOP_PX + index * each, height: each - 40, ...sides }));
  if (hasStrip(data)) grids.push({ top: TOP_PX + rows.length * each, height: STRIP_PX - TOP_PX, ...sides });
  const series = rows.flatMap((row, index) => rowSeries(row, index, data, words));
  const yAxis = rows.map((row, index) => valueAxis(row, index, data, words, look));
  if (hasStrip(data)) {
    yAxis.push(stripAxis(rows.length, data, words, look));
    series.push(...strip(rows.length, data, words));
  }
  if (mark) markAlarm(series, mark, data, words);
  return {
    useUTC: true, animation: false, grid: grids, yAxis, series,
    xAxis: grids.map((_, index) => timeAxis(index, index === grids.length - 1, data, look)),
    textStyle: { fontFamily: look.font, color: look.ink },
    axisPointer: { link: [{ xAxisIndex: "all" }] },
    // Drawn into the canvas: the content policy allows no styles in generated HTML.
    tooltip: {
      trigger: "axis", renderMode: "richText", confine: true, textStyle: { fontSize: NAME_PX, fontFamily: look.font },
      formatter: (points) => tooltip(points, data, words),
    },
  };
}

function rowsOf(data) {
  return ROWS.filter((row) => row.series.some(([name]) => data.signs[name]?.length));
}

// One sign by itself has room to show what is unusual in it.
function rowPx(data) {
  return hasStrip(data) ? ROW_PX : ONLY_ROW_PX;
}

function hasStrip(data) {
  return data.sign === undefined || data.sign === null;
}

function rowSeries(row, index, data, words) {
  return row.series.flatMap(([name, color], at) => {
    const curve = data.signs[name] ?? [];
    const measured = curve.filter((point) => !isNull(point)).length;
    // A few readings a day are points; a wristband's many are a line.
    const look = row.dots && measured <= DOTS_MAX ? dotted(color) : solid(color, measured);
    const line = {
      type: "line", name: words.labels[name], xAxisIndex: index, yAxisIndex: index, connectNulls: false,
      data: curve.map((point, number) => linePoint(curve, number, data.width_ms, look)), ...look,
    };
    if (at === 0 && data.sign === name) Object.assign(line, expected(data));
    return data.width_ms ? [band(curve, color, index, data.width_ms), line] : [line];
  });
}

function dotted(color) {
  return { symbol: "circle", symbolSize: 7, lineStyle: { width: 1, color, type: "dotted" }, itemStyle: { color } };
}

function solid(color, measured) {
  const width = measured > THIN_FROM ? 1 : 1.5;
  return { symbol: "none", symbolSize: 4, lineStyle: { width, color, type: "solid" }, itemStyle: { color } };
}

function linePoint(curve, number, widthMs, look) {
  const point = curve[number];
  const value = [home(point[0]) + widthMs / 2, ...point.slice(1)];
  // Between two gaps there is no line, yet something was measured.
  const isAlone = !isNull(point) && isNull(curve[number - 1]) && isNull(curve[number + 1]);
  return isAlone && look.symbol === "none" ? { value, symbol: "circle", symbolSize: 5 } : value;
}

function isNull(point) {
  return !point || point[1] === null;
}

// From the lowest to the highest of each bucket, one area for each stretch without a gap.
function band(curve, color, index, widthMs) {
  const stretches = [];
  curve.forEach((point, number) => {
    if (isNull(point)) return;
    if (isNull(curve[number - 1])) stretches.push([]);
    stretches.at(-1).push([home(point[0]), point[2], point[3]]);
  });
  return {
    type: "custom", silent: true, clip: true, xAxisIndex: index, yAxisIndex: index, z: 1,
    data: stretches.map((points) => [
      points[0][0], Math.min(...points.map((point) => point[1])), Math.max(...points.map((point) => point[2])),
    ]),
    encode: { x: 0, y: [1, 2] },
    renderItem: (params, api) => {
      const points = stretches[params.dataIndex];
      // One bucket by itself is as wide as the time it stands for.
      const corners = points.length === 1
        ? [0, widthMs].map((ms) => [points[0][0] + ms, points[0][1], points[0][2]])
        : points.map(([at, low, high]) => [at + widthMs / 2, low, high]);
      const edge = (column) => corners.map((corner) => api.coord([corner[0], corner[column]]));
      return {
        type: "polygon", shape: { points: [...edge(2), ...edge(1).reverse()] },
        style: { fill: color, opacity: BAND_OPACITY },
      };
    },
  };
}

// What was expected: an area where both bounds are known, a line where one is.
function expected(data) {
  const bounds = boundsOf(data);
  if (bounds.length === 2) {
    const [low, high] = bounds;
    const itemStyle = { color: EXPECTED_COLOUR, opacity: 0.16 };
    return { markArea: { silent: true, itemStyle, data: [[{ yAxis: low }, { yAxis: high }]] } };
  }
  if (!bounds.length) return {};
  const lineStyle = { color: EXPECTED_COLOUR, width: 2, type: "dashed" };
  return {
    markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle, data: [{ yAxis: bounds[0] }] },
  };
}

function boundsOf(data) {
  return [data.low, data.high].filter((bound) => typeof bound === "number");
}

function markAlarm(series, mark, data, words) {
  const isLate = mark > data.from + 0.85 * (data.to - data.from);  // there the word would leave the picture
  const first = series.find((one) => one.type !== "custom");
  for (const one of series) {
    if (one.type === "custom") continue;
    const line = {
      xAxis: home(mark), lineStyle: { color: ALARM_COLOUR, width: 2, type: "solid" },
      label: {
        show: one === first, formatter: words.labels.alarm, align: isLate ? "right" : "center",
        fontSize: NAME_PX, color: ALARM_COLOUR,
      },
    };
    const lines = [...(one.markLine?.data ?? []), line];
    one.markLine = { silent: true, symbol: "none", label: { show: false }, ...one.markLine, data: lines };
  }
}

function timeAxis(index, isLast, data, look) {
  const { minInterval, formatter } = timeTicks(data.to - data.from);
  return {
    // Not widened for the bars of a strip: the axes of all rows are one.
    type: "time", gridIndex: index, min: home(data.from), max: home(data.to), minInterval, containShape: false,
    axisLabel: { show: isLast, color: look.ink, fontSize: TEXT_PX, hideOverlap: true, formatter },
    axisTick: { show: isLast }, axisLine: { lineStyle: { color: look.line } },
    splitLine: { show: true, lineStyle: { color: look.line } },
  };
}

// How close the marks of a time axis may be, and what stands at them.
function timeTicks(spanMs) {
  if (spanMs <= 3 * DAY_MS) return { minInterval: MINUTE_MS, formatter: clockOrDay };
  if (spanMs <= 30 * DAY_MS) return { minInterval: DAY_MS, formatter: day };
  if (spanMs <= 200 * DAY_MS) return { minInterval: 7 * DAY_MS, formatter: day };
  return { minInterval: 28 * DAY_MS, formatter: monthOrYear };
}

function clockOrDay(homeMs) {
  return homeMs % DAY_MS === 0 ? day(homeMs) : clock(homeMs);
}

function monthOrYear(homeMs) {
  return new Date(homeMs).getUTCMonth() === 0 ? yearMonth(homeMs) : month(homeMs);
}

function valueAxis(row, index, data, words, look) {
  const bounds = boundsOf(data);
  const most = row.max ?? Infinity;
  return {
    type: "value", gridIndex: index, scale: true, splitNumber: 2, minInterval: row.dots ? 0.1 : 1,
    // What was expected is in sight, however far off the readings are.
    min: bounds.length ? ({ min }) => Math.floor(Math.min(min, ...bounds)) : null,
    max: bounds.length ? ({ max }) => Math.min(most, Math.ceil(Math.max(max, ...bounds))) : row.max ?? null,
    name: `${words.labels[row.key]}  ${words.units[row.key]}`, ...axisName(look),
    axisLabel: { color: look.ink, fontSize: TEXT_PX, showMinLabel: true },
    splitLine: { lineStyle: { color: look.line } },
  };
}

function axisName(look) {
  const padding = [0, 0, 0, 12 - LEFT_PX];
  return { nameGap: 8, nameTextStyle: { color: look.ink, fontSize: NAME_PX, align: "left", fontWeight: 600, padding } };
}

function stripAxis(index, data, words, look) {
  const hasDays = Boolean(data.days?.length);
  return {
    type: "value", gridIndex: index, min: 0, max: hasDays ? null : 1, splitNumber: 1,
    name: hasDays ? words.labels.active_days : stripName(data, words.labels), ...axisName(look),
    axisLabel: { show: hasDays, color: look.ink, fontSize: TEXT_PX },
    splitLine: { show: false }, axisLine: { show: false },
  };
}

// Where there were too many events to read, those before some time are missing.
function stripName(data, labels) {
  const name = `${labels.in_bed} / ${labels.activity}`;
  if (!data.events_from || data.events_from <= data.from) return name;
  return `${name} (${labels.only_from} ${clock(home(data.events_from))})`;
}

function strip(index, data, words) {
  const axes = { xAxisIndex: index, yAxisIndex: index, name: words.labels.activity };
  if (data.days?.length) {
    const total = (one) => Object.values(one.events).reduce((sum, count) => sum + count, 0);
    return [{ ...axes, type: "bar", barMaxWidth: 24, itemStyle: { color: EVENT_COLOUR, opacity: 0.7 },
      data: data.days.map((one) => [home(one.at) + DAY_MS / 2, total(one)]) }];
  }
  return [{ ...axes, type: "scatter", symbol: "rect", symbolSize: [2, 16], itemStyle: { color: EVENT_COLOUR },
    data: data.events.map((event) => [home(event.at), 0.5, event.event, event.room]),
    markArea: { silent: true, itemStyle: { color: BED_COLOUR, opacity: 0.3 },
      data: data.in_bed.map(([from, to]) => [{ xAxis: home(from) }, { xAxis: home(to) }]) } }];
}

function tooltip(points, data, words) {
  const list = (Array.isArray(points) ? points : [points]).filter((point) => point.seriesType !== "custom");
  if (!list.length) return "";
  const lines = list.slice(0, 12).map((point) => {
    const [, value, low, high] = point.value;
    if (point.seriesType === "scatter") return `${words.events[low] ?? low} ${high ?? ""}`;
    if (value === null) return `${point.seriesName}  –`;
    const range = data.width_ms && low !== undefined && low !== high ? `  (${low}–${high})` : "";
    return `${point.seriesName}  ${value}${range}`;
  });
  return [bucket(list[0].axisValue, data.width_ms), ...lines].join("\n");
}

// The time that a point stands for: an instant, hours, or a day.
function bucket(atMs, widthMs) {
  if (!widthMs) return `${day(atMs)} ${clock(atMs)}`;
  const begins = atMs - widthMs / 2;
  if (widthMs < DAY_MS) return `${day(begins)} ${clock(begins)}–${clock(begins + widthMs)}`;
  return widthMs === DAY_MS ? longDay(begins) : `${longDay(begins)} – ${longDay(begins + widthMs - DAY_MS)}`;
}
