// The table of those who got content last; or, while there is nobody, what is waited for.

import { ask, byId, html, say } from "./dom.js";
import { moment } from "./numbers.js";
import { awaited } from "./status.js";

/**
 * What a reader of the e-mail sees: content is stored with its marks escaped. What is parsed here
 * belongs to no page, so nothing in it runs or loads; only its text is taken.
 */
const read = (text) => new DOMParser().parseFromString(text, "text/html").body.textContent;

const row = (user) => {
  const hash = `#${new URLSearchParams({ user: user.user_id })}`;
  const link = html("a", { href: hash, class: "code" }, user.user_id);
  const says = user.says ? read(user.says) : "–";
  return html("tr", {},
    html("th", { scope: "row" }, link),
    // A subject line is no HTML: mail programs show it as it reads.
    user.subject ? html("td", { class: "strong", dir: "auto" }, user.subject) : html("td", { dir: "auto" }, says),
    html("td", {}, user.campaign),
    html("td", { class: "moment" }, moment(user.generated_at)));
};

/** Marks whom the page shows. */
export const markChosen = () => {
  for (const link of byId("users").querySelectorAll("a")) {
    if (link.hash === location.hash) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
};

/** Asks who they are, and lists them; whoever was on a link stays on it. */
const list = async () => {
  const { users } = await ask("/local/users");
  const table = byId("users");
  const focused = table.contains(document.activeElement) ? document.activeElement.hash : null;
  table.replaceChildren(...users.map(row));
  markChosen();
  if (focused) [...table.querySelectorAll("a")].find((link) => link.hash === focused)?.focus();
};

/** Draws the table, anew if `hasChanged`. */
export const drawUsers = async (metrics, hasChanged) => {
  if (hasChanged) await list();
  const isEmpty = byId("users").childElementCount === 0;
  byId("no-users").hidden = !isEmpty;
  byId("users-card").hidden = isEmpty;
  if (isEmpty) say(byId("no-users"), awaited(metrics));
};
