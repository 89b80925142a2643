// Shows what waits, by campaign and by what it waits for.

import { byId, html } from "./dom.js";
import { count, moment } from "./numbers.js";

let shown = "";

const row = ({ campaign, waits_for: waitsFor, asks, due, next_due_secs: next }) =>
  html("tr", {},
    html("th", { scope: "row" }, campaign),
    html("td", {}, waitsFor),
    html("td", { class: "number" }, count(asks)),
    html("td", { class: "number" }, count(due)),
    html("td", { class: "moment" }, moment(next)));

/** Writes who waits now. */
export const drawAsks = ({ asks }) => {
  byId("asks").hidden = asks.waiting.length === 0;
  const said = JSON.stringify(asks.waiting);
  if (said === shown) return;
  shown = said;
  byId("asks-rows").replaceChildren(...asks.waiting.map(row));
};
