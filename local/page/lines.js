// Makes the lines that a complaint names into buttons that lead there: a box counts none.

import { html } from "./dom.js";

/** What is said of a line of the box; what is said of the subject line counts its own. */
const PLACE = /^(look at this: )?line (\d+):/;

/** Puts the cursor into a line, and shows it. */
const goTo = (box, number) => {
  const before = box.value.split("\n").slice(0, number);
  const end = before.join("\n").length;
  const start = end - before.at(-1).length;
  box.closest("details").open = true;
  // The focus moves the text to where the cursor is then.
  box.setSelectionRange(start, start);
  box.blur();
  box.focus();
  box.setSelectionRange(start, end);
};

/** A sentence about the text in a box, as nodes. */
export const placed = (sentence, box) => {
  const found = PLACE.exec(sentence);
  const number = Number(found?.[2]);
  if (!found || number < 1 || number > box.value.split("\n").length) return [sentence];
  const before = found[1] ?? "";
  const name = `line ${number}`;
  const button = html("button", { type: "button", class: "link" }, name);
  button.addEventListener("click", () => goTo(box, number));
  return [before, button, sentence.slice(before.length + name.length)];
};
