// The message of a campaign as Braze renders it, and a box to try another.

import { ask, html, say } from "./dom.js";

let boxes = 0;

const rendered = async (box, userId, campaign) => {
  box.button.disabled = true;
  try {
    const message = box.text.value;
    const answer = await ask("/local/render", { user_id: userId, campaign, message });
    if (answer.complaint) throw new Error(answer.complaint);
    box.frame.srcdoc = answer.rendered;
    say(box.source, answer.rendered);
    say(box.error, "");
    box.notes.replaceChildren(...answer.notes.map((note) => html("li", {}, note)));
    say(box.said, "rendered");
    box.text.removeAttribute("aria-invalid");
  } catch (error) {
    say(box.error, error.message);
    box.notes.replaceChildren();
    say(box.said, "not rendered");
    box.text.setAttribute("aria-invalid", "true");
  }
  box.button.disabled = false;
};

/**
 * A box with the campaign's own message in it. What comes of a message is shown in a frame
 * that may do nothing: no script, no form, no window, no way to this page.
 */
export const liquidBox = (userId, campaign, message) => {
  boxes += 1;
  const id = `liquid-${boxes}`;
  const box = {
    text: html("textarea", { id, rows: 8, spellcheck: "false", maxlength: 131_072, "aria-describedby": `${id}-error` }),
    button: html("button", { type: "submit" }, "Render"),
    error: html("pre", { id: `${id}-error`, class: "error", role: "alert" }),
    said: html("span", { role: "status", class: "quiet" }),
    notes: html("ul", { class: "quiet", "aria-label": "What to look at" }),
    frame: html("iframe", { sandbox: "", title: "E-mail as Braze renders it", class: "mail" }),
    source: html("pre", { tabindex: 0, role: "region", "aria-label": "E-mail as text" }),
  };
  box.text.value = message;
  const form = html("form", {},
    html("label", { for: id }, "Message in Liquid, as it stands in Braze"), box.text,
    html("p", { class: "row" }, box.button,
      html("button", { type: "reset", class: "second" }, "Back to the campaign's"), box.said),
    box.error, box.notes);
  const render = () => rendered(box, userId, campaign);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    render();
  });
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    box.text.value = message;
    render();
  });
  box.text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  render();
  return html("div", { class: "card wide" }, html("h4", {}, "E-mail, as Braze renders it"),
    html("div", { class: "columns even" }, form,
      html("div", {}, box.frame, html("details", {}, html("summary", {}, "As text"), box.source))));
};
