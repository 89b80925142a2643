// One user: for each campaign the message, why it is so, and what is behind it.

import { ask, byId, html, say } from "./dom.js";
import { liquidBox } from "./liquid.js";
import { moment } from "./numbers.js";
import { answerBlock, eventsBlock, promptBlock } from "./stored.js";
import { isFallback, whyBlock } from "./why.js";

/** Above the message: who wrote it, so that nobody takes a stand-in's text for a model's. */
const byline = (user, of) => {
  if (user.is_refused) return "None: the api refuses this id";
  if (isFallback(of)) return "The campaign's fallback content";
  return of.why.writer ? `Written by ${of.why.writer}` : "Written for this user";
};

const mailBlock = (user, of) => {
  const name = html("h4", { class: "label" }, "Message, as Braze renders it");
  const none = "The campaign's folder has no message.liquid that can be read: write one, or a message below, to see it.";
  const said = of.message === null ? none : byline(user, of);
  return html("div", { class: "card" }, name, html("p", { class: "byline quiet" }, said),
    liquidBox(user.user_id, of.campaign, of.message ?? ""));
};

const campaign = (user, of) => {
  // Of a campaign that knows nothing of the user there is nothing behind the message to see.
  const behind = of.events.length || of.content ? [eventsBlock(of), promptBlock(of)] : [];
  return html("section", { "data-campaign": of.campaign },
    html("h3", {}, `Campaign ${of.campaign}`),
    html("div", { class: "columns" }, mailBlock(user, of), whyBlock(of, user), ...behind,
      html("div", { class: "wide" }, answerBlock(of))));
};

const headline = (user) => {
  const isKnown = user.campaigns.some((of) => of.content || of.events.length);
  if (isKnown) return user.deleted_at ? `Deleted at ${moment(user.deleted_at)}; what is here comes of later events.` : "";
  const deleted = user.deleted_at ? `Deleted at ${moment(user.deleted_at)}. ` : "";
  const served = user.is_refused ? "and the api refuses such an id" : "the api serves fallback content";
  return `${deleted}Nothing is stored of this user: ${served}.`;
};

let asked = 0;

/** Shows a user, and takes the reader there. */
export const showUser = async (id) => {
  byId("user").hidden = false;
  byId("user-campaigns").replaceChildren();
  say(byId("user-name"), `User ${id}`);
  say(byId("user-said"), "looking …");
  if (await refreshUser(id)) byId("user-name").focus();
};

/** Shows what is known of a user now; tells whether nobody else was chosen meanwhile. */
export const refreshUser = async (id) => {
  asked += 1;
  const mine = asked;
  let found = null;
  let said = "";
  try {
    found = await ask(`/local/users/${encodeURIComponent(id)}`);
    said = headline(found);
  } catch (error) {
    said = error.message;
  }
  // Another user may have been chosen meanwhile.
  if (mine !== asked) return false;
  say(byId("user-said"), said);
  byId("user-campaigns").replaceChildren(...(found?.campaigns ?? []).map((of) => campaign(found, of)));
  return true;
};
