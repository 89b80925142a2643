// Says how the run is: the status line, what is waited for, and that the machine is silent.

import { byId, html, say } from "./dom.js";
import { clockTime, count, duration } from "./numbers.js";

/** What the machine's figures are drawn in: each with the note that says they are old. */
const FIGURES = [["flow-card", "flow-old"], ["asks-card", "asks-old"], ["charts", "charts-old"], ["counters-card", "charts-old"], ["bill-card", "charts-old"]];

/** When the figures on the page were told. */
let toldAt = null;
let spoken = "";

/**
 * Speaks where the run has come to something else. Numbers alone change every second, and
 * whoever listens would hear nothing but them.
 */
const speak = (text) => {
  const kind = text.replaceAll(/\d[\d.,]*/g, "#");
  if (kind === spoken) return;
  spoken = kind;
  say(byId("spoken"), text);
};

const drawWaiting = (sentences) => {
  const list = byId("waiting");
  list.hidden = sentences.length === 0;
  const shown = [...list.children].map((item) => item.textContent);
  if (shown.join("\n") === sentences.join("\n")) return;
  list.replaceChildren(...sentences.map((sentence) => html("li", {}, sentence)));
};

/** Marks all figures as old, or as those of now. */
const markOld = (note) => {
  for (const [figure, place] of FIGURES) {
    byId(figure).classList.toggle("old", note !== "");
    say(byId(place), note);
    byId(place).hidden = note === "";
  }
};

/** Says what the run does, and what it waits for. */
export const drawStatus = (metrics) => {
  toldAt = Date.now();
  markOld("");
  const status = byId("status");
  const rest = metrics.backlog.asks > 0 ? "all done that can be; serving" : "all done; serving";
  const text = metrics.drained ? rest : "working";
  const waiting = Array.isArray(metrics.waiting) ? metrics.waiting.map(String) : [];
  status.classList.remove("silent");
  status.classList.toggle("busy", !metrics.drained);
  status.title = `since ${duration(metrics.uptime_ms)}`;
  say(status, text);
  drawWaiting(waiting);
  speak([text, ...waiting].join("; "));
  byId("writer").hidden = !metrics.stand_in;
};

/** Says that nothing is known of now, and why. */
export const drawSilence = (reason) => {
  const status = byId("status");
  const text = `${reason}; trying again`;
  status.classList.add("busy", "silent");
  say(status, text);
  drawWaiting([]);
  speak(text);
  if (toldAt !== null) markOld(`These are the figures of ${clockTime(toldAt)}: ${reason}.`);
};

/** What is still to happen where nothing is stored. */
export const awaited = ({ objects, backlog, drained }) => {
  if (backlog.objects > 0) return `Nothing is stored yet: ${count(backlog.objects)} of ${count(objects.notified)} files are still to be read.`;
  if (backlog.records > 0) return `Nothing is stored yet: the events are read, and ${count(backlog.records)} stream records wait for the processor, which takes them in batches and asks the model.`;
  if (backlog.asks > 0) return `Nothing is stored yet: ${count(backlog.asks)} asks wait for their content, below.`;
  if (!drained || objects.uploaded === 0) return "Nothing is stored yet: the first Currents files are awaited.";
  return "Everything is done, and nothing is stored: no event asked for content, or what was asked for was given up. All counters, below, say what became of the events.";
};
