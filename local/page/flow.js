// The picture of the flow: where everything goes, and how much went there so far.

import { byId, html, say, svg } from "./dom.js";
import { count } from "./numbers.js";

const WIDTH = 128;
const HEIGHT = 76;

const counter = (name) => (m) => m.counts[name] ?? 0;

/** What is called in Bedrock's place where there is one. */
const STAND_IN = "Bedrock stand-in";

/** Each place: its corner, what it is called, and the counter on it with what it counts. */
const PLACES = {
  currents: { at: [8, 20], name: "Braze Currents", of: (m) => m.objects.uploaded, unit: "files", is: "outside" },
  s3: { at: [176, 20], name: "S3", of: (m) => m.backlog.objects, unit: "objects wait", is: "store" },
  ingest: { at: [344, 20], name: "ingest", of: counter("events_read"), unit: "events read", is: "function" },
  kinesis: { at: [512, 20], name: "Kinesis", of: (m) => m.backlog.records, unit: "records wait", is: "store" },
  processor: { at: [680, 20], name: "processor", of: (m) => m.events_done, unit: "events done", is: "function" },
  bedrock: { at: [848, 20], name: "Bedrock", of: counter("generations"), unit: "generations", is: "outside" },
  asks: { at: [848, 152], name: "SQS", of: (m) => m.backlog.asks, unit: "asks wait", is: "store" },
  dynamodb: { at: [680, 152], name: "DynamoDB", of: counter("contents_stored"), unit: "contents stored", is: "store" },
  api: { at: [512, 152], name: "api", of: counter("calls_answered"), unit: "calls answered", is: "function" },
  content: { at: [296, 152], name: "Connected Content", of: counter("contents_served"), unit: "contents served", is: "outside", width: 176 },
};

/** Each way, and the counter that tells whether anything moves on it. */
const WAYS = [
  { from: [136, 58], to: [176, 58], of: (m) => m.objects.uploaded },
  { from: [304, 58], to: [344, 58], of: (m) => m.objects.done },
  { from: [472, 58], to: [512, 58], of: counter("stream_records") },
  { from: [640, 58], to: [680, 58], of: (m) => m.records.done },
  { from: [808, 58], to: [848, 58], of: counter("generations"), isBothWays: true },
  { from: [744, 96], to: [744, 152], of: counter("contents_stored") },
  { from: [800, 96], to: [864, 152], of: (m) => m.asks.sent + m.asks.removed, isBothWays: true },
  { from: [680, 190], to: [640, 190], of: counter("contents_served") },
  { from: [512, 190], to: [472, 190], of: counter("calls_answered") },
];

const place = (id, { at: [x, y], name, unit, is, width = WIDTH }) =>
  svg("g", { class: `place ${is}`, transform: `translate(${x} ${y})` },
    svg("rect", { width, height: HEIGHT, rx: 10 }),
    svg("text", { x: width / 2, y: 22, class: "name", id: `flow-name-${id}` }, name),
    svg("text", { x: width / 2, y: 47, class: "number", id: `flow-${id}` }, "–"),
    svg("text", { x: width / 2, y: 64, class: "unit" }, unit));

const way = ({ from, to, isBothWays }, n) =>
  svg("line", { id: `way-${n}`, class: "way", x1: from[0], y1: from[1], x2: to[0], y2: to[1],
    "marker-end": "url(#tip)", "marker-start": isBothWays ? "url(#tip)" : null });

/** Puts the picture onto the page, and the same numbers as a list for whoever cannot see it. */
export const placeFlow = () => {
  const tip = svg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 8, markerHeight: 8,
    markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" }, svg("path", { d: "M0 0L8 4L0 8Z" }));
  const notes = [
    svg("text", { x: 912, y: 114, class: "note", id: "flow-throttles" }, ""),
    svg("text", { x: 16, y: 186, class: "note left", id: "flow-cache" }, ""),
    svg("text", { x: 16, y: 206, class: "note left", id: "flow-lost" }, ""),
  ];
  byId("flow").append(svg("defs", {}, tip), ...WAYS.map(way),
    ...Object.entries(PLACES).map(([id, each]) => place(id, each)), ...notes);
  for (const [id, { name, unit }] of Object.entries(PLACES)) {
    byId("flow-list").append(html("li", {}, html("span", { id: `said-name-${id}` }, name), ": ",
      html("span", { id: `said-${id}` }, "–"), ` ${unit}`));
  }
};

let before = null;

/** Writes the numbers of now (what is lost can be told at the end only), and marks the ways on which something moved since. */
export const drawFlow = (metrics) => {
  for (const [id, { of }] of Object.entries(PLACES)) {
    say(byId(`flow-${id}`), count(of(metrics)));
    say(byId(`said-${id}`), count(of(metrics)));
  }
  const called = metrics.stand_in ? STAND_IN : PLACES.bedrock.name;
  for (const id of ["flow-name-bedrock", "said-name-bedrock"]) say(byId(id), called);
  WAYS.forEach(({ of }, n) => {
    byId(`way-${n}`).classList.toggle("moving", before !== null && of(metrics) > of(before));
  });
  say(byId("flow-throttles"), `${count(metrics.counts.throttles)} throttles`);
  say(byId("flow-cache"), `${count(metrics.counts.contents_from_cache)} contents from the cache`);
  say(byId("flow-lost"), `${count(metrics.counts.dead_letters)} dead letters, ${metrics.drained ? count(metrics.lost) : "?"} lost`);
  before = metrics;
};
