// A message as a mail program shows it: its subject line, its first words as an inbox has
// them, and the mail in a frame that may do nothing: no script, no form, no window, no way to
// this page.

import { html, say } from "./dom.js";

/** First words that an inbox shows, in characters. */
const SNIPPET_CHARS = 110;

const OLD = "from before the error";

/** The first words of a mail. It is parsed apart from the page: nothing in it runs or loads. */
const snippet = (mail) => {
  const { body } = new DOMParser().parseFromString(mail, "text/html");
  for (const unread of body.querySelectorAll("style, script, title, template")) unread.remove();
  const words = body.textContent.replaceAll(/\s+/g, " ").trim();
  return words.length > SNIPPET_CHARS ? `${words.slice(0, SNIPPET_CHARS)} …` : words;
};

/** A place for a campaign's message; `id` tells it from others on the page. */
export class Mail {
  constructor(id, campaign) {
    this.title = `Message of ${campaign} as Braze renders it`;
    this.hasPicture = false;
    this.note = html("p", { id: `${id}-old`, class: "old-note", hidden: true }, OLD);
    this.subject = html("h4", { class: "subject", dir: "auto" });
    this.snippet = html("p", { class: "snippet quiet", dir: "auto" });
    this.verdict = html("p", { class: "verdict", hidden: true });
    this.frame = html("iframe", { sandbox: "", title: this.title, class: "mail" });
    this.source = html("pre", { tabindex: 0, role: "region", "aria-label": `Message of ${campaign} as text` });
    this.text = html("details", {}, html("summary", {}, "As text"), this.source);
    this.letter = html("div", { class: "letter" }, this.subject, this.snippet, this.frame, this.text);
    this.picture = html("div", { class: "picture" }, this.verdict, this.letter);
    this.element = html("div", {}, this.note, this.picture);
  }

  /** Shows what `/local/render` answered. */
  show({ subject, rendered, aborted }) {
    this.hasPicture = true;
    this.#mark(false);
    const isAborted = aborted !== undefined;
    this.verdict.hidden = !isAborted;
    this.letter.hidden = isAborted;
    if (isAborted) {
      say(this.verdict, `Would not be sent: ${aborted || "the message gives no reason"}`);
      return;
    }
    say(this.subject, subject || "(no subject line)");
    this.subject.classList.toggle("none", !subject);
    say(this.snippet, snippet(rendered));
    // Chromium leaves a frame blank whose mail comes before its place on the page is known.
    this.frame.getBoundingClientRect();
    // The same mail stays where its reader scrolled to.
    if (this.frame.srcdoc !== rendered) this.frame.srcdoc = rendered;
    say(this.source, rendered);
  }

  /** Leaves what there is, which is no longer what the message says. */
  age() {
    this.letter.hidden ||= !this.hasPicture;
    this.#mark(this.hasPicture);
  }

  #mark(isOld) {
    this.note.hidden = !isOld;
    this.picture.classList.toggle("old", isOld);
    for (const place of [this.frame, this.source, this.subject]) {
      if (isOld) place.setAttribute("aria-describedby", this.note.id);
      else place.removeAttribute("aria-describedby");
    }
    this.frame.title = isOld ? `${this.title}, ${OLD}` : this.title;
  }
}
