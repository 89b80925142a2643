// The table of those who got content last.

import { ask, byId, html } from "./dom.js";
import { count, moment } from "./numbers.js";

/**
 * What a reader of the e-mail sees: content is stored with its marks escaped. What is parsed here
 * belongs to no page, so nothing in it runs or loads; only its text is taken.
 */
const read = (text) => new DOMParser().parseFromString(text, "text/html").body.textContent;

const row = (user) => {
  const hash = `#${new URLSearchParams({ user: user.user_id })}`;
  const link = html("a", { href: hash, class: "code" }, user.user_id);
  return html("tr", {},
    html("th", { scope: "row" }, link),
    html("td", {}, user.campaign),
    html("td", {}, user.says ? read(user.says) : "–"),
    html("td", { class: "number" }, count(user.events)),
    html("td", {}, moment(user.event_time)),
    html("td", {}, moment(user.generated_at)));
};

/** Asks who they are, and lists them; whoever was on a link stays on it. */
export const drawUsers = async () => {
  const { users } = await ask("/local/users");
  const table = byId("users");
  const focused = table.contains(document.activeElement) ? document.activeElement.hash : null;
  table.replaceChildren(...users.map(row));
  byId("no-users").hidden = users.length > 0;
  if (focused) [...table.querySelectorAll("a")].find((link) => link.hash === focused)?.focus();
};
