import { checksOf } from '../operations.js';
import type { Asked } from './asked.js';
import type { Deployed, Found } from './deployed.js';
import type { Check } from './evaluator.js';

/** A request, as the list of requests and policies speak of it. */
export interface Request {
  readonly operation: string;
  readonly kinds: readonly string[];
  /** All that AWS asks the caller's policies about it. */
  readonly checks: readonly Check[];
}

/** Works out what AWS checks of whoever asks this. */
export function request({ operation, about }: Asked, deployed: Deployed): Request {
  const all = about.flatMap((thing) => deployed.find(thing).map((found) => ({ thing, found })));
  return {
    operation,
    kinds: [...new Set(all.map(({ found }) => found.kind))].sort(),
    checks: all.flatMap(({ thing, found }) => [
      ...ofThing(operation, thing.action, found),
      ...ofKey(operation, found, deployed.stack.place.region),
    ]),
  };
}

/** The check that decides whether S3 says that an object is not there, or that it is forbidden. */
export function checkOfAbsence(of: Request): Check | undefined {
  const [check] = of.checks;
  if (of.operation !== 's3:GetObject' || check === undefined) {
    return undefined;
  }
  return { action: 's3:ListBucket', resource: check.resource.replace(/\/.*/, ''), context: {} };
}

function ofThing(operation: string, action: string | undefined, { arn, context, kind }: Found): Check[] {
  const actions = action === undefined ? checksOf(operation, kind).actions : [action];
  return actions.map((each) => ({ action: each, resource: arn, context }));
}

/** What the service asks of the key in the caller's name, of what is encrypted with one. */
function ofKey(operation: string, { key, kind }: Found, region: string): Check[] {
  if (key === undefined) {
    return [];
  }
  const through = `${operation.replace(/:.*/, '')}.${region}.amazonaws.com`;
  const actions = checksOf(operation, kind).key ?? [];
  return actions.map((action) => ({ action, resource: key, context: { 'kms:ViaService': [through] } }));
}
