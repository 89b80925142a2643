import { LambdaClient } from '@aws-sdk/client-lambda';
import { SSMClient } from '@aws-sdk/client-ssm';
import { parseArgs } from 'node:util';

import { environment } from '../lib/environments.js';
import { functionsOf, running, take } from '../lib/live-functions.js';
import { back, forward, told } from '../lib/rollback.js';

// Lets the functions of a stage run the version before the last deployment; docs/runbook.md says what
// that does not bring back.
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    stage: { type: 'string', default: 'dev' },
    'dry-run': { type: 'boolean', default: false },
    forward: { type: 'boolean', default: false },
  },
});
const { region } = environment(values.stage);
const settings = region === undefined ? {} : { region };
const lambda = new LambdaClient(settings);
const functions = await functionsOf(new SSMClient(settings), `BrazeContent-${values.stage}`);

const unknown = positionals.filter((name) => !(name in functions));
if (unknown.length > 0) {
  throw new Error(`there is no function ${unknown.join(', ')}; there are ${Object.keys(functions).join(', ')}`);
}
const chosen = positionals.length > 0 ? positionals : Object.keys(functions);
const all = await Promise.all(chosen.map((name) => running(lambda, name, functions[name] ?? name)));
const steps = values.forward ? forward(all) : back(all);

// One that fails must not keep the others from what is right for them.
const results = values['dry-run']
  ? []
  : await Promise.allSettled(steps.map((step) => take(lambda, step, functions)));
for (const [at, step] of steps.entries()) {
  const result = results[at];
  console.log(result?.status === 'rejected' ? `${step.name} FAILED: ${result.reason}` : told(step));
}
process.exitCode = results.some(({ status }) => status === 'rejected') ? 1 : 0;
