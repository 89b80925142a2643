// Starts the page: asks the machine every second, and shows what it says.

import { drawAsks } from "./asks.js";
import { drawBill } from "./bill.js";
import { drawCharts, placeCharts } from "./charts.js";
import { NoAnswer, ask, byId, html, say } from "./dom.js";
import { drawFlow, placeFlow } from "./flow.js";
import { count } from "./numbers.js";
import { Series, sampled } from "./series.js";
import { drawSilence, drawStatus } from "./status.js";
import { refreshUser, showUser } from "./user.js";
import { drawUsers, markChosen } from "./users.js";

const INTERVAL_MS = 1_000;

/** Longest wait for the figures of now: later they are none. */
const PATIENCE_MS = 5_000;

const series = new Series();
let contents = null;
let campaigns = null;

const drawCounters = (metrics) => {
  const rows = byId("counters");
  for (const [name, n] of Object.entries(metrics.counts)) {
    const id = `counter-${name}`;
    if (!byId(id)) {
      const head = html("th", { scope: "row" }, name.replaceAll("_", " "));
      rows.append(html("tr", {}, head, html("td", { id, class: "number" })));
    }
    say(byId(id), count(n));
  }
};

const draw = async () => {
  const metrics = await ask("/local/metrics", null, PATIENCE_MS);
  series.add(sampled(metrics));
  drawStatus(metrics);
  drawFlow(metrics);
  drawAsks(metrics);
  drawCharts(metrics, series);
  drawCounters(metrics);
  drawBill(metrics);
  if (campaigns !== null && campaigns !== metrics.campaigns) followFolder();
  campaigns = metrics.campaigns;
  const stored = metrics.counts.contents_stored ?? 0;
  await drawUsers(metrics, stored !== contents);
  contents = stored;
};

const again = async () => {
  try {
    if (!document.hidden || contents === null) await draw();
  } catch (error) {
    drawSilence(error instanceof NoAnswer ? "no answer from the machine" : error.message);
    // Whoever answers next may be another run.
    contents = null;
  }
  setTimeout(again, INTERVAL_MS);
};

/** Shows the chosen user anew after the folder of campaigns was edited, unless somebody types there. */
const followFolder = () => {
  const id = new URLSearchParams(location.hash.slice(1)).get("user");
  const types = document.activeElement instanceof HTMLTextAreaElement;
  if (id !== null && !types) refreshUser(id);
};

const follow = () => {
  const id = new URLSearchParams(location.hash.slice(1)).get("user");
  markChosen();
  if (id !== null) showUser(id);
};

const start = async () => {
  placeFlow();
  placeCharts();
  byId("find").addEventListener("submit", (event) => {
    event.preventDefault();
    const hash = `#${new URLSearchParams({ user: byId("find-id").value.trim() })}`;
    if (location.hash === hash) follow();
    else location.hash = hash;
  });
  window.addEventListener("hashchange", follow);
  follow();
  try {
    const { samples } = await ask("/local/samples");
    for (const metrics of samples) series.add(sampled(metrics));
  } catch {
    // The charts begin now, then.
  }
  again();
};

start();
