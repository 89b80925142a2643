// A double of Braze: renders one message with liquidjs and performs its Connected Content
// calls as Braze documents them. Limits: 2 seconds and 1 MB, no redirects; above status 300
// nothing is saved or inserted; a JSON object gets `__http_status_code__`; answers are kept for
// the rendering, as Braze keeps them for at least five minutes. Stored credentials by name.
//
// stdin:  {"message", "attributes", "credentials": {name: "user:password"}, "timeout_ms"?}
// stdout: {"text", "calls"}: what was rendered, and how many requests were sent

import { text as all } from 'node:stream/consumers';
import { Liquid, Tag } from 'liquidjs';

const TIMEOUT_MS = 2_000;
const MAX_BYTES = 1_000_000;

const input = JSON.parse(await all(process.stdin));
const kept = new Map();
let calls = 0;

/** Gets an answer, or undefined where Braze inserts nothing. */
async function get(url, headers) {
  calls += 1;
  try {
    const signal = AbortSignal.timeout(input.timeout_ms ?? TIMEOUT_MS);
    const answer = await fetch(url, { headers, redirect: 'manual', signal });
    const body = await answer.text();
    if (answer.status > 300 || body.length > MAX_BYTES) return undefined;
    return { body, status: answer.status };
  } catch {
    return undefined;
  }
}

function parsed({ body, status }) {
  try {
    const value = JSON.parse(body);
    const isObject = value !== null && typeof value === 'object' && !Array.isArray(value);
    return isObject ? { ...value, __http_status_code__: status } : value;
  } catch {
    return body;
  }
}

class ConnectedContent extends Tag {
  constructor(token, remaining, liquid) {
    super(token, remaining, liquid);
    const [, url, options] = /^\s*(\S+)\s*(.*)$/s.exec(token.args) ?? [];
    this.url = url;
    this.options = new Map();
    const words = options.split(/\s+/).filter((word) => word !== '');
    for (const [n, word] of words.entries()) {
      if (!word.startsWith(':')) continue;
      if (![':save', ':basic_auth', ':no_cache', ':cache_max_age', ':retry'].includes(word)) {
        throw new Error(`unknown option ${word}`);
      }
      this.options.set(word, words[n + 1]);
    }
  }

  *render(context, emitter) {
    const url = yield this.liquid.parseAndRender(this.url, context.getAll());
    const headers = { 'User-Agent': 'Braze Sender double' };
    const name = this.options.get(':basic_auth');
    if (name !== undefined) {
      headers.Authorization = `Basic ${Buffer.from(input.credentials[name]).toString('base64')}`;
    }
    const key = `${url} ${name}`;
    const known = kept.get(key);
    const answer = known ?? (yield get(url, headers));
    if (answer === undefined) return;
    if (!this.options.has(':no_cache')) kept.set(key, answer);
    const variable = this.options.get(':save');
    if (variable === undefined) emitter.write(answer.body);
    else context.bottom()[variable] = parsed(answer);
  }
}

const liquid = new Liquid();
liquid.registerTag('connected_content', ConnectedContent);
// Braze's own names of attributes, `${first_name}`, are not Liquid.
const message = input.message.replace(/\$\{(\w+)\}/g, 'braze_attributes.$1');
const text = await liquid.parseAndRender(message, { braze_attributes: input.attributes });
process.stdout.write(JSON.stringify({ text, calls }));
