// What is behind a mail: the user's events, the prompt that they give, and the answer.

import { html } from "./dom.js";
import { count, moment } from "./numbers.js";

const block = (name, ...children) => html("div", { class: "card" }, html("h4", {}, name), ...children);

/** Text as it is, in a box that scrolls. */
const verbatim = (text, label) => html("pre", { tabindex: 0, role: "region", "aria-label": label }, text);

const json = (value) => JSON.stringify(value, null, 2);

/** The events that are remembered, the latest first. */
export const eventsBlock = ({ campaign, events: list }) => {
  const name = `Events (${count(list.length)} remembered)`;
  if (!list.length) return block(name, html("p", { class: "quiet" }, "No event that triggers this campaign."));
  const head = ["When", "Event", "What is remembered"].map((text) => html("th", { scope: "col" }, text));
  const rows = list.toReversed().map((event) =>
    html("tr", {},
      html("td", {}, moment(event.time)),
      html("td", {}, event.type, html("br"), html("span", { class: "code quiet" }, event.id)),
      html("td", { class: "code" }, JSON.stringify(event.fields))));
  const table = html("table", {},
    html("caption", { class: "unseen" }, "Events that are remembered, the latest first"),
    html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...rows));
  return block(name, html("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": `${name} for ${campaign}` }, table));
};

const promptNote = (prompt) => {
  if (prompt.is_kept) return "The prompt that the content was written from, as the campaign keeps it (keep_prompts_days).";
  if (prompt.is_of_content === true) return "Prompts are not stored. This is what events, attributes and items give now, and by its hash the one that the content was written from.";
  if (prompt.is_of_content === false) return "Prompts are not stored. This is what events, attributes and items give now; the content was written from an earlier one.";
  return "Prompts are not stored. This is what the events give now; nothing was written from it yet.";
};

/** The prompt that the events give. */
export const promptBlock = ({ campaign, prompt: said }) => {
  if (!said) return block("Prompt", html("p", { class: "quiet" }, "The campaign is not there any more, or no event is remembered."));
  if (said.error) return block("Prompt", html("p", { class: "quiet" }, said.error));
  return block("Prompt",
    html("p", { class: "quiet" }, promptNote(said)),
    verbatim(said.text.trim(), `Prompt of ${campaign}`),
    html("details", {}, html("summary", {}, "Standing instructions"), verbatim(said.system.trim(), `Standing instructions of ${campaign}`)));
};

/** The answer as it is stored, and as Braze gets it. */
export const answerBlock = (of) => {
  const served = of.api && html("details", {}, html("summary", {}, "As Braze gets it"), verbatim(json(of.api), `The api's answer for ${of.campaign}`));
  if (!of.content) {
    return block("Answer", html("p", { class: "quiet" }, "No content is stored: the api serves the campaign's fallback."), served);
  }
  const item = of.item;
  const facts = [
    ["by", of.why.writer],
    ["tokens", `${count(item.input_tokens)} in, ${count(item.output_tokens)} out`],
    ["for the event", item.event_id],
    ["prompt's hash", item.prompt_hash],
  ].flatMap(([name, value]) => [html("dt", {}, name), html("dd", { class: "code" }, value ?? "–")]);
  return block("Answer, as it is stored",
    html("p", { class: "quiet" }, "What was answered, after it was checked and made safe for its place."),
    verbatim(json(of.content), `Content of ${of.campaign} as it is stored`), html("dl", {}, ...facts), served);
};
