// One user: events, prompt, what is stored, and the message that Braze makes of it.

import { ask, byId, html, say } from "./dom.js";
import { liquidBox } from "./liquid.js";
import { count, moment } from "./numbers.js";

const block = (name, ...children) => html("div", { class: "card" }, html("h4", {}, name), ...children);

/** Text as it is, in a box that scrolls. */
const verbatim = (text, label) => html("pre", { tabindex: 0, role: "region", "aria-label": label }, text);

const json = (value) => JSON.stringify(value, null, 2);

const events = (list) => {
  const head = ["When", "Event", "What is remembered"].map((name) => html("th", { scope: "col" }, name));
  const rows = list.toReversed().map((event) =>
    html("tr", {},
      html("td", {}, moment(event.time)),
      html("td", {}, event.type, html("br"), html("span", { class: "code quiet" }, event.id)),
      html("td", { class: "code" }, JSON.stringify(event.fields))));
  const table = html("table", {},
    html("caption", { class: "unseen" }, "Events that are remembered, the latest first"),
    html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...rows));
  const name = `Events (${count(list.length)} remembered)`;
  return block(name, html("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": name }, table));
};

const promptNote = (prompt) => {
  if (prompt.is_of_content === true) return "Prompts are not stored. This is what the events give now, and by its hash the one that the content was written from.";
  if (prompt.is_of_content === false) return "Prompts are not stored. This is what the events give now; the content was written from an earlier one.";
  return "Prompts are not stored. This is what the events give now; nothing was written from it yet.";
};

const prompt = (said) => {
  if (!said) return block("Prompt", html("p", { class: "quiet" }, "The campaign is not there any more, or no event is remembered."));
  if (said.error) return block("Prompt", html("p", { class: "quiet" }, said.error));
  return block("Prompt",
    html("p", { class: "quiet" }, promptNote(said)),
    verbatim(said.text.trim(), "Prompt"),
    html("details", {}, html("summary", {}, "Standing instructions"), verbatim(said.system.trim(), "Standing instructions")));
};

const content = (of) => {
  if (!of.content) return block("Answer", html("p", { class: "quiet" }, "No content is stored: the api serves the campaign's fallback."));
  const item = of.item;
  const facts = [
    ["written", moment(item.generated_at)],
    ["for the event", item.event_id],
    ["by", item.model_id],
    ["tokens", `${count(item.input_tokens)} in, ${count(item.output_tokens)} out`],
    ["served until", moment(item.expires_at)],
    ["prompt's hash", item.prompt_hash],
  ].flatMap(([name, value]) => [html("dt", {}, name), html("dd", { class: "code" }, value ?? "–")]);
  return block("Answer, as it is stored",
    html("p", { class: "quiet" }, "What the model said, after it was checked and made safe for an e-mail."),
    verbatim(json(of.content), "Content as it is stored"),
    html("dl", {}, ...facts),
    html("details", {}, html("summary", {}, "As Braze gets it"), verbatim(json(of.api), "The api's answer")));
};

const campaign = (userId, of) =>
  html("section", { "data-campaign": of.campaign },
    html("h3", {}, `Campaign ${of.campaign}`),
    html("div", { class: "columns" }, events(of.events), prompt(of.prompt), content(of),
      liquidBox(userId, of.campaign, of.message ?? "")));

let asked = 0;

/** Shows a user, and takes the reader there. */
export const showUser = async (id) => {
  asked += 1;
  const mine = asked;
  byId("user").hidden = false;
  byId("user-campaigns").replaceChildren();
  say(byId("user-name"), `User ${id}`);
  say(byId("user-said"), "looking …");
  let found = null;
  let said = "";
  try {
    found = await ask(`/local/users/${encodeURIComponent(id)}`);
    if (found.deleted_at) said = `Deleted at ${moment(found.deleted_at)}.`;
    if (!found.campaigns.length) said = `Nothing is stored of this user. ${said}`;
  } catch (error) {
    said = error.message;
  }
  // Another user may have been chosen meanwhile.
  if (mine !== asked) return;
  say(byId("user-said"), said);
  byId("user-campaigns").replaceChildren(...(found?.campaigns ?? []).map((of) => campaign(id, of)));
  byId("user-name").focus();
};
