// The message of a campaign, and a box to try another: with it, what only Braze knows.

import { ask, html, say } from "./dom.js";
import { placed } from "./lines.js";
import { Mail } from "./mail.js";

/** What the machine takes at most. */
const MAX_MESSAGE_CHARS = 131_072;
const MAX_ATTRIBUTES_CHARS = 16_384;

const EXAMPLE = '{"first_name": "Ada", "custom_attribute": {"pet": "cat"}}';

let boxes = 0;

/** The attributes that are said, as an object; nothing for none. */
const attributes = (text) => {
  if (!text.trim()) return undefined;
  let said = null;
  try {
    said = JSON.parse(text);
  } catch (error) {
    throw new Error(`what only Braze knows is no JSON: ${error.message}`);
  }
  if (said === null || typeof said !== "object" || Array.isArray(said)) {
    throw new Error(`what only Braze knows is an object, such as ${EXAMPLE}`);
  }
  return said;
};

const mark = (field, isInvalid) => {
  if (isInvalid) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
};

class Box {
  /** Renderings that were asked for: what comes of an earlier one is not shown any more. */
  #asked = 0;

  constructor(userId, campaign, message) {
    boxes += 1;
    const id = `liquid-${boxes}`;
    Object.assign(this, { userId, campaign, message });
    this.mail = new Mail(id, campaign);
    const described = { spellcheck: "false", "aria-describedby": `${id}-error` };
    this.text = html("textarea", { id, rows: 10, maxlength: MAX_MESSAGE_CHARS, ...described });
    this.known = html("textarea", { id: `${id}-known`, rows: 4, class: "low", maxlength: MAX_ATTRIBUTES_CHARS, placeholder: EXAMPLE, ...described });
    this.error = html("pre", { id: `${id}-error`, class: "error", role: "alert" });
    this.said = html("span", { role: "status", class: "quiet" });
    this.notes = html("ul", { class: "quiet notes", "aria-label": `What to look at in the message of ${campaign}` });
    this.form = html("form", {},
      html("label", { for: id }, "Message in Liquid, as it stands in Braze"), this.text,
      html("details", {}, html("summary", {}, "What only Braze knows of the user"),
        html("label", { for: `${id}-known` }, "Attributes, as JSON"), this.known),
      html("p", { class: "row" }, html("button", { type: "submit" }, "Render"),
        html("button", { type: "reset", class: "second" }, "Back to the campaign's"), this.said));
    this.element = html("div", {}, this.mail.element, this.error, this.notes,
      html("details", { class: "try" }, html("summary", {}, "Try another message"), this.form));
    this.#listen();
    this.#reset();
  }

  #listen() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#render();
    });
    this.form.addEventListener("reset", (event) => {
      event.preventDefault();
      this.#reset();
    });
    this.form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.form.requestSubmit();
    });
  }

  #reset() {
    this.text.value = this.message;
    this.known.value = "";
    this.#render();
  }

  async #render() {
    this.#asked += 1;
    const mine = this.#asked;
    let said = undefined;
    try {
      said = attributes(this.known.value);
    } catch (error) {
      this.#refuse(error.message, this.known);
      return;
    }
    try {
      const { userId: user_id, campaign } = this;
      const answer = await ask("/local/render", { user_id, campaign, message: this.text.value, attributes: said });
      if (mine !== this.#asked) return;
      if (answer.complaint) this.#refuse(answer.complaint, this.text);
      else this.#show(answer);
    } catch (error) {
      if (mine === this.#asked) this.#refuse(error.message);
    }
  }

  #show(answer) {
    this.mail.show(answer);
    say(this.error, "");
    say(this.said, answer.aborted === undefined ? "rendered" : "would not be sent");
    this.notes.replaceChildren(...(answer.notes ?? []).map((note) => html("li", {}, ...placed(note, this.text))));
    for (const field of [this.text, this.known]) mark(field, false);
  }

  /** Says what is wrong, and with which of the fields. */
  #refuse(complaint, wrong) {
    this.mail.age();
    const lines = complaint.split("\n").flatMap((line) => ["\n", ...placed(line, this.text)]);
    this.error.replaceChildren(...lines.slice(1));
    this.notes.replaceChildren();
    say(this.said, "not rendered");
    for (const field of [this.text, this.known]) mark(field, field === wrong);
    if (wrong === this.known) this.known.closest("details").open = true;
  }
}

/** The mail of a campaign, what is said of it, and the box to try another. */
export const liquidBox = (userId, campaign, message) => new Box(userId, campaign, message).element;
