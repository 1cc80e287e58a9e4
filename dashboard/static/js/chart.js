// Vital signs and activity of a resident, drawn from the JSON interface. Gaps stay gaps.
const HOUR_MS = 3_600_000;
const ROW_PX = 96;
const STRIP_PX = 56;
const DOTS_MAX = 60;
const ROWS = [
  { key: "hr", series: [["hr", "#e03131"]], span: 20 },
  { key: "rr", series: [["rr", "#1c7ed6"]], span: 8 },
  { key: "spo2", series: [["spo2", "#0c8599"]], span: 6, max: 100 },
  { key: "temp", series: [["temp", "#e8590c"]], span: 1, dots: true },
  { key: "bp", series: [["sbp", "#7048e8"], ["dbp", "#9775fa"]], span: 30, dots: true },
];
const UNITS = { hr: "", rr: "", spo2: "%", temp: "°C", bp: "mmHg" };

for (const element of document.querySelectorAll("[data-signs]")) draw(element);

async function draw(element) {
  const { signs: url, hours, mark } = element.dataset;
  const query = new URLSearchParams({ hours });
  if (mark) query.set("until", new Date(Math.min(Number(mark) + 2 * HOUR_MS, Date.now())).toISOString());
  let data;
  try {
    const answer = await fetch(`${url}?${query}`, { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    data = await answer.json();
  } catch {
    element.parentElement.querySelector(".chart-failed").hidden = false;
    element.hidden = true;
    return;
  }
  const rows = ROWS.filter((row) => row.series.some(([name]) => data.signs[name].length));
  if (!rows.length && !data.activity.length) {
    element.parentElement.querySelector(".chart-empty").hidden = false;
    element.hidden = true;
    return;
  }
  // The class decides the height: a style attribute would need a weaker content policy.
  element.style.height = `${rows.length * ROW_PX + STRIP_PX + 40}px`;
  const chart = window.echarts.init(element, null, { renderer: "canvas" });
  const paint = () => chart.setOption(options(element, data, rows), true);
  paint();
  document.addEventListener("theme-changed", paint);
  new ResizeObserver(() => chart.resize()).observe(element);
  element.dataset.drawn = "yes";
}

function options(element, data, rows) {
  const labels = JSON.parse(element.dataset.labels);
  const events = JSON.parse(element.dataset.events);
  const ink = getComputedStyle(element).getPropertyValue("color");
  const line = getComputedStyle(element).getPropertyValue("--chart-line") || "#8884";
  const grids = rows.map((_, index) => ({ top: 24 + index * ROW_PX, height: ROW_PX - 38, left: 48, right: 12 }));
  grids.push({ top: 24 + rows.length * ROW_PX, height: STRIP_PX - 24, left: 48, right: 12 });
  const xAxis = grids.map((_, index) => ({
    type: "time", gridIndex: index, min: data.from, max: data.to,
    axisLabel: { show: index === grids.length - 1, color: ink, hideOverlap: true, formatter: "{HH}:{mm}" },
    axisTick: { show: index === grids.length - 1 }, axisLine: { lineStyle: { color: line } },
    splitLine: { show: true, lineStyle: { color: line } },
  }));
  const unitOf = (key) => (key === "hr" || key === "rr" ? labels.per_min : UNITS[key]);
  const yAxis = rows.map((row, index) => ({
    type: "value", gridIndex: index, scale: true, splitNumber: 2, max: row.max ?? null,
    minInterval: 1, name: `${labels[row.key]}  ${unitOf(row.key)}`,
    nameTextStyle: { color: ink, align: "left", fontWeight: 600, padding: [0, 0, 0, -36] }, nameGap: 8,
    axisLabel: { color: ink, showMinLabel: true }, splitLine: { lineStyle: { color: line } },
  }));
  yAxis.push({ type: "value", gridIndex: rows.length, min: 0, max: 1, show: true, name: `${labels.in_bed} / ${labels.activity}`,
    nameTextStyle: { color: ink, align: "left", fontWeight: 600, padding: [0, 0, 0, -36] }, nameGap: 8,
    axisLabel: { show: false }, splitLine: { show: false }, axisLine: { show: false } });
  const mark = Number(element.dataset.mark);
  const markLine = mark ? { silent: true, symbol: "none", lineStyle: { color: "#e03131", width: 2, type: "solid" },
    label: { formatter: labels.alarm, color: "#e03131" }, data: [{ xAxis: mark }] } : undefined;
  const series = rows.flatMap((row, index) => row.series.map(([name, color], at) => {
    // A few readings a day are points; a wristband's many are a line.
    const dots = row.dots && data.signs[name].filter(([, value]) => value !== null).length <= DOTS_MAX;
    return {
      type: "line", name: labels[row.key], xAxisIndex: index, yAxisIndex: index, data: data.signs[name],
      showSymbol: dots, symbolSize: dots ? 7 : 3, connectNulls: false, animation: false,
      lineStyle: { width: dots ? 1 : 1.5, color, type: dots ? "dotted" : "solid" }, itemStyle: { color },
      markLine: at === 0 ? markLine && { ...markLine, label: { ...markLine.label, show: index === 0 } } : undefined,
    };
  }));
  const strip = { xAxisIndex: rows.length, yAxisIndex: rows.length, animation: false };
  series.push({ ...strip, type: "scatter", name: labels.activity, symbol: "rect", symbolSize: [2, 16],
    itemStyle: { color: "#2f9e44" }, data: data.activity.map((event) => [event.at, 0.5, event.event, event.room]),
    markArea: { silent: true, itemStyle: { color: "#4c6ef5", opacity: 0.3 },
      data: data.in_bed.map(([from, to]) => [{ xAxis: from }, { xAxis: to }]) } });
  return {
    grid: grids, xAxis, yAxis, series, textStyle: { fontFamily: "inherit", color: ink },
    axisPointer: { link: [{ xAxisIndex: "all" }] },
    // Drawn into the canvas: the content policy allows no styles in generated HTML.
    tooltip: { trigger: "axis", renderMode: "richText", confine: true, formatter: (points) => tooltip(points, events) },
  };
}

function tooltip(points, events) {
  const list = Array.isArray(points) ? points : [points];
  const time = new Date(list[0].axisValue).toLocaleTimeString(document.documentElement.lang,
    { hour: "2-digit", minute: "2-digit", timeZone: "Asia/Shanghai" });
  const lines = list.slice(0, 8).map((point) => {
    if (point.seriesType === "scatter") return `${events[point.value[2]] ?? point.value[2]} ${point.value[3] ?? ""}`;
    return `${point.seriesName}  ${point.value[1] ?? "–"}`;
  });
  return [time, ...lines].join("\n");
}
