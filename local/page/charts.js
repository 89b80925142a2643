// Draws the charts: lines over the last minutes, with the figure of now above.

import { byId, html, say, svg } from "./dom.js";
import { brief, count, duration } from "./numbers.js";
import { SHOWN_MS } from "./series.js";

const WIDTH = 320;
const HEIGHT = 120;
const LEFT = 40;
const BOTTOM = 18;
const TOP = 6;

/** Share of the height that stays free above the highest point. */
const HEADROOM = 1.15;

const perSecond = (n) => `${brief(n)}/s`;
const identity = (n) => brief(n);

/**
 * Each chart: a name, what it says of the metrics of now, and its lines. A line has a name, its
 * points, and whether the area below is filled.
 */
const CHARTS = [
  {
    id: "throughput",
    name: "Throughput",
    unit: "events a second",
    axis: perSecond,
    now: (_, lines) => `${brief(lines[1].points.at(-1)?.y ?? 0)} events/s`,
    lines: (series) => [
      { name: "read", points: series.rates((s) => s.read) },
      { name: "done", points: series.rates((s) => s.done), isFilled: true },
    ],
  },
  {
    id: "backlog",
    name: "Backlog",
    unit: "waiting",
    axis: identity,
    now: (m) => `${count(m.backlog.objects + m.backlog.records)} waiting`,
    lines: (series) => [
      { name: "objects", points: series.values((s) => s.objects) },
      { name: "stream records", points: series.values((s) => s.records), isFilled: true },
    ],
  },
  {
    id: "freshness",
    name: "Freshness",
    unit: "from upload to readable, over the run so far",
    axis: (ms) => (ms < 1_000 ? `${brief(ms)} ms` : `${brief(ms / 1_000)} s`),
    now: (m) => (m.freshness_ms.count ? `p99 ${duration(m.freshness_ms.p99)}` : "no content yet"),
    lines: (series) => [
      { name: "p50", points: series.values((s) => s.p50) },
      { name: "p99", points: series.values((s) => s.p99), isFilled: true },
    ],
  },
  {
    id: "quota",
    name: "Quota",
    unit: "tokens in the last minute, against the limit",
    axis: identity,
    now: (m) => {
      if (!m.quota) return "not known here";
      const share = (100 * m.quota.used_last_minute) / m.quota.tokens_per_minute;
      return `${brief(m.quota.used_last_minute)} of ${brief(m.quota.tokens_per_minute)} (${share.toFixed(share < 10 ? 1 : 0)}%)`;
    },
    lines: (series) => [
      { name: "limit", points: series.values((s) => s.limit).filter((p) => p.y > 0), isLimit: true },
      { name: "used", points: series.values((s) => s.used), isFilled: true },
    ],
  },
  {
    id: "throttles",
    name: "Throttles",
    unit: "calls that the model's service refused, a second",
    axis: perSecond,
    now: (m) => `${count(m.counts.throttles)} in all`,
    lines: (series) => [
      { name: "throttles", points: series.rates((s) => s.throttles), isFilled: true },
    ],
  },
  {
    id: "generations",
    name: "Generations against events",
    unit: "so far; equal prompts are asked once",
    axis: identity,
    now: (m) => {
      const generations = m.counts.generations ?? 0;
      const each = generations ? (m.counts.events_read ?? 0) / generations : 0;
      return generations ? `1 for ${brief(each)} events` : "none yet";
    },
    lines: (series) => [
      { name: "events", points: series.values((s) => s.read) },
      { name: "generations", points: series.values((s) => s.generations), isFilled: true },
    ],
  },
];

/** The next round number, so that an axis does not jump with every sample. */
const roundUp = (n) => {
  if (n <= 0) return 1;
  const step = 10 ** Math.floor(Math.log10(n));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((k) => k * step).find((rounded) => rounded >= n) ?? n;
};

const ago = (ms) => (ms < 60_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`);

const axisLine = (y, text) => [
  svg("line", { x1: LEFT, x2: WIDTH, y1: y, y2: y, class: "grid" }),
  svg("text", { x: LEFT - 6, y: y + 3.5, class: "tick", "text-anchor": "end" }, text),
];

const drawn = (chart, lines, now) => {
  const points = lines.flatMap((line) => line.points);
  const top = roundUp(Math.max(0, ...points.map((point) => point.y)) * HEADROOM);
  const first = Math.min(now, ...points.map((point) => point.at));
  const shown = Math.min(SHOWN_MS, Math.max(30_000, now - first));
  const x = (at) => LEFT + (WIDTH - LEFT) * Math.max(0, 1 - (now - at) / shown);
  const y = (value) => HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value / top);
  const bottom = HEIGHT - BOTTOM;
  const paths = lines.flatMap((line, place) => {
    if (!line.points.length) return [];
    const steps = line.points.map((p) => `${x(p.at).toFixed(1)},${y(p.y).toFixed(1)}`);
    const kind = line.isLimit ? "limit" : `line-${lines.length === 1 ? 1 : place}`;
    const shape = svg("path", { d: `M${steps.join("L")}`, class: `line ${kind}`, "data-line": line.name, "data-points": steps.length });
    if (!line.isFilled) return [shape];
    const area = `M${x(line.points[0].at).toFixed(1)},${bottom}L${steps.join("L")}L${x(line.points.at(-1).at).toFixed(1)},${bottom}Z`;
    return [svg("path", { d: area, class: `area ${kind}` }), shape];
  });
  return [
    ...axisLine(y(0), "0"),
    ...axisLine(y(top / 2), chart.axis(top / 2)),
    ...axisLine(y(top), chart.axis(top)),
    ...paths,
    svg("text", { x: LEFT, y: HEIGHT - 4, class: "tick" }, `${ago(shown)} ago`),
    svg("text", { x: WIDTH, y: HEIGHT - 4, class: "tick", "text-anchor": "end" }, "now"),
  ];
};

/** Puts empty charts onto the page. */
export const placeCharts = () => {
  for (const chart of CHARTS) {
    const title = html("h3", { id: `${chart.id}-name` }, chart.name);
    const now = html("p", { class: "figure", id: `${chart.id}-now` }, "–");
    const picture = svg("svg", { id: `${chart.id}-chart`, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": chart.name });
    const legend = html("p", { class: "legend", id: `${chart.id}-legend` });
    byId("charts").append(html("li", { class: "card" }, title, now, picture, legend));
  }
};

/** Draws all charts anew. */
export const drawCharts = (metrics, series) => {
  for (const chart of CHARTS) {
    const lines = chart.lines(series);
    const figure = chart.now(metrics, lines);
    say(byId(`${chart.id}-now`), figure);
    const picture = byId(`${chart.id}-chart`);
    picture.replaceChildren(...drawn(chart, lines, metrics.uptime_ms));
    picture.setAttribute("aria-label", `${chart.name}, ${chart.unit}; now: ${figure}`);
    const legend = byId(`${chart.id}-legend`);
    if (legend.childElementCount) continue;
    const marks = lines.map((line, place) => {
      const kind = line.isLimit ? "limit" : `line-${lines.length === 1 ? 1 : place}`;
      return html("span", { class: `mark ${kind}` }, line.name);
    });
    legend.append(...(lines.length > 1 ? marks : []), html("span", {}, chart.unit));
  }
};
