// Why a user gets this message: the event that made it, what the campaign's condition saw in it,
// who wrote it and when. And, where nothing was written, how to find out why.

import { html } from "./dom.js";
import { count, moment } from "./numbers.js";

/** What a shell takes for one word and nothing else: ids come from outside. */
const WORD = /^\w[\w.-]{0,127}$/;

const facts = (pairs) => {
  const kept = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return html("dl", {}, ...kept.flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, value)]));
};

const code = (text) => html("span", { class: "code" }, text);

const lines = (sentences) => html("ul", { class: "plain" }, ...sentences.map((sentence) => html("li", {}, sentence)));

/** What an event says, as it is remembered: `properties.show` and its value, each on a line. */
const remembered = (fields, path = "") =>
  Object.entries(fields).flatMap(([name, value]) => {
    const whole = path ? `${path}.${name}` : name;
    const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
    return isObject ? remembered(value, whole) : [`${whole}: ${typeof value === "string" ? value : JSON.stringify(value)}`];
  });

const known = (fields) => {
  const all = remembered(fields);
  return all.length ? lines(all) : "no field that the prompt may see";
};

/** The event that the content was written for. */
const event = ({ why, item }) => {
  if (!why.event) {
    return [["event", code(item.event_id ?? "–")], ["happened", moment(item.event_time)],
      ["what it said", "It is not among the remembered events any more."]];
  }
  return [["event", why.event.type], ["happened", moment(why.event.time)], ["id", code(why.event.id)],
    ["what is remembered", known(why.event.fields)]];
};

const trigger = ({ why }) => {
  const types = why.event_types?.join(", ");
  return [["campaign looks at", types], ["condition", why.condition && code(why.condition)]];
};

const written = (of) => [
  facts([
    ...event(of), ...trigger(of).slice(1),
    ["what it saw", of.why.seen?.length ? lines(of.why.seen) : null],
    ["written", moment(of.item.generated_at)],
    ["by", of.why.writer],
    ["served until", moment(of.item.expires_at)],
  ]),
];

const reason = (of, user) => {
  if (of.content) return `What was written was served until ${moment(of.item.expires_at)}.`;
  if (user.deleted_at) return `The user was deleted at ${moment(user.deleted_at)}, and content with them.`;
  if (of.events.length) return `${count(of.events.length)} events of the user are remembered, and nothing is stored: it is under way, or was given up, or the events came too soon.`;
  return "No event of the user that asks for content is known.";
};

const command = (userId) => {
  const user = WORD.test(userId) ? userId : "USER";
  return `make ops ARGS="campaigns why ${user} --events FILE"`;
};

const fallback = (of, user) => [
  html("p", {}, reason(of, user)),
  facts(trigger(of)),
  html("p", {}, "To see what becomes of each of the user's events in each campaign, and why, name the Currents file that holds them:"),
  html("pre", { tabindex: 0, role: "region", "aria-label": `Command that says why, for ${of.campaign}` }, command(user.user_id)),
];

/** Tells whether what is served was not written for this user. */
export const isFallback = (of) => of.api?.Item?.source?.S === "fallback" || (!of.api && !of.content);

const served = (of, user) => {
  if (user.is_refused) return "The api refuses this id, so Braze inserts nothing.";
  if (isFallback(of)) return "It is the campaign's fallback content, written for nobody in particular.";
  if (!of.api) return "It was written for this user. The campaign is not there any more, so nothing is served.";
  return "It was written for this user, because of one event.";
};

/** What is known of why. */
export const whyBlock = (of, user) => {
  const isOwn = of.content && !isFallback(of);
  return html("div", { class: "card why" }, html("h4", {}, "Why this message"), html("p", {}, served(of, user)),
    ...(isOwn ? written(of) : fallback(of, user)));
};
