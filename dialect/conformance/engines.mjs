// What two JavaScript engines make of the snippets: node engines.mjs snippets.json
// stdout: [{"brazejs": text or null, "liquidjs": text or null}, ...]; null where it threw.

import { readFile } from 'node:fs/promises';

process.env.TZ = 'UTC';
const NOW = Date.parse('2026-03-14T09:26:53Z');

/** A Date whose present is always the corpus's "now". */
globalThis.Date = class extends Date {
  constructor(...parts) {
    super(...(parts.length === 0 ? [NOW] : parts));
  }
  static now() {
    return NOW;
  }
};

// Loaded only now, so that both see the clock above.
const { default: BrazeJs } = (await import('brazejs')).default;
const { Liquid } = await import('liquidjs');

/** Writes `group.${name}` as `group["name"]` and a bare `${name}` as `braze_attributes["name"]`. */
function withoutBrazeNames(snippet) {
  return snippet
    .replace(/(\w+)\.\$\{([^{}]+)\}/g, '$1["$2"]')
    .replace(/\$\{([^{}]+)\}/g, 'braze_attributes["$1"]');
}

/** Renders with brazejs, which knows Braze's notation and finds attributes in the root. */
function brazejs({ snippet, values, attributes }) {
  return new BrazeJs().parseAndRender(snippet, { ...attributes, ...values });
}

/** Renders with liquidjs, which knows nothing of Braze. */
function liquidjs({ snippet, values, attributes }) {
  const context = { ...attributes, ...values, braze_attributes: attributes };
  return new Liquid().parseAndRender(withoutBrazeNames(snippet), context);
}

/** The text an engine renders, or null where it throws. */
async function textOrNull(engine, entry) {
  try {
    return String(await engine(entry));
  } catch {
    return null;
  }
}

const answers = [];
for (const entry of JSON.parse(await readFile(process.argv[2], 'utf8'))) {
  answers.push({
    brazejs: await textOrNull(brazejs, entry),
    liquidjs: await textOrNull(liquidjs, entry),
  });
}
process.stdout.write(`${JSON.stringify(answers, null, 1)}\n`);
