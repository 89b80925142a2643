import { kindOf } from '../kinds.js';
import type { Statement } from '../statements.js';
import { type Check, decide } from './evaluator.js';

/** A statement of one action on one resource. */
export interface Grant {
  readonly action: string;
  /** What the list of requests calls what it is on. */
  readonly kind: string;
  /** The same by its name in the stack, under the conditions that it has. */
  readonly on: string;
  readonly rule: Statement;
}

/** Takes the statements of a role apart, which are the same twice: by ARNs, and by names in the stack. */
export function grantsOf(byArn: readonly Statement[], byName: readonly Statement[]): Grant[] {
  return byArn.flatMap((statement, at) =>
    statement.actions.flatMap((action) =>
      statement.resources.map((resource, place) => {
        const name = byName[at]?.resources[place] ?? resource;
        const rule = { ...statement, actions: [action], resources: [resource] };
        return { action, kind: kindOfGrant(action, name, statement), on: `${name}${underConditions(byName[at])}`, rule };
      }),
    ),
  );
}

/** Grants that no check needs: each would be allowed without them. */
export function missedByNothing(grants: readonly Grant[], checks: readonly Check[]): Grant[] {
  return grants.filter((grant) => {
    const others = grants.filter((each) => each !== grant).map(({ rule }) => rule);
    const own = checks.filter((check) => decide([grant.rule], check) === 'allowed');
    return own.every((check) => decide(others, check) === 'allowed');
  });
}

/** What the list of requests calls what is Bedrock's, by its type in the ARN. */
const OF_BEDROCK: Readonly<Record<string, string>> = {
  'foundation-model': 'model',
  guardrail: 'guardrail',
  'inference-profile': 'model',
  'model-invocation-job': 'job',
};

function kindOfGrant(action: string, name: string, { conditions }: Statement): string {
  const through = Object.values(conditions).flatMap((keys) => keys['kms:ViaService'] ?? []);
  if (through.length > 0) {
    return `key through ${String(through).replace(/\..*/, '')}`;
  }
  if (/ProgramLog$/.test(name)) {
    return 'log';
  }
  if (name === '*') {
    return action === 'bedrock:ListModelInvocationJobs' ? 'every-job' : 'traces';
  }
  const [, type = ''] = /^arn:aws:bedrock:.*:([a-z-]+)\//.exec(name) ?? [];
  const ofBedrock = OF_BEDROCK[type];
  if (ofBedrock !== undefined) {
    return ofBedrock;
  }
  const found = kindOf(name.replace(/\/.*|^.*:parameter/g, ''));
  if (found === undefined) {
    throw new Error(`a role is granted something on ${name}, and nobody here knows what that is`);
  }
  return found;
}

function underConditions(statement: Statement | undefined): string {
  const conditions = Object.entries(statement?.conditions ?? {});
  return conditions.length === 0 ? '' : ` ${JSON.stringify(Object.fromEntries(conditions))}`;
}
