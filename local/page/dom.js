// Makes elements. Text goes in as text only: what users and models wrote is never markup.

const SVG = "http://www.w3.org/2000/svg";

const filled = (element, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};

/** An element of HTML; children are elements or texts. */
export const html = (tag, attributes = {}, ...children) =>
  filled(document.createElement(tag), attributes, children);

/** An element of SVG. */
export const svg = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS(SVG, tag), attributes, children);

export const byId = (id) => document.getElementById(id);

/** Sets a text, without touching the page where it stands already. */
export const say = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

/** Nobody answered: what is shown is as old as the last answer. */
export class NoAnswer extends Error {
  constructor(cause) {
    super("the machine does not answer: is the run still going?", { cause });
  }
}

/** Longest wait for an answer: a message takes ten seconds at most, once it is its turn. */
const PATIENCE_MS = 30_000;

/** Asks this machine for JSON; an error says what was wrong. */
export const ask = async (path, body, patience = PATIENCE_MS) => {
  const post = body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  let response = null;
  let answer = null;
  try {
    response = await fetch(path, { ...post, signal: AbortSignal.timeout(patience) });
    answer = await response.json();
  } catch (error) {
    throw new NoAnswer(error);
  }
  if (!response.ok) throw new Error(answer.error?.message ?? `status ${response.status}`);
  return answer;
};
