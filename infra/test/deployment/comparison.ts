import { ROLES } from '../kinds.js';
import { checksOf, EXCUSES } from '../operations.js';
import { ofRole } from './callers.js';
import type { Deployed } from './deployed.js';
import { NEVER_SEEN, NOT_MISSED, SELDOM_SEEN } from './excuses.js';
import { type Grant, grantsOf, missedByNothing } from './grants.js';
import { type Listed, lines, type Recorded } from './recorded.js';

/** What was seen and is not listed. What rolls back is no program with a list of its own. */
export function unlisted(seen: Listed, listed: Listed): string[] {
  const { rollback: _, ...programs } = seen;
  return lines(programs).filter((line) => !lines(listed).includes(line));
}

/** What is listed, and neither seen nor excused. */
export function unseen(seen: Listed, listed: Listed): string[] {
  const excused = [...NEVER_SEEN, ...SELDOM_SEEN].map(line);
  return lines(listed).filter((each) => !lines(seen).includes(each) && !excused.includes(each));
}

/** Excuses for what was seen, or is not listed at all. */
export function needless(seen: Listed, listed: Listed): string[] {
  const never = NEVER_SEEN.map(line).filter((each) => lines(seen).includes(each));
  return [...never, ...[...NEVER_SEEN, ...SELDOM_SEEN].map(line).filter((each) => !lines(listed).includes(each))];
}

/** Grants that nothing misses when they are left out, each alone, and that no reason is given for. */
export function superfluous(recorded: Recorded, deployed: Deployed): string[] {
  return Object.keys(ROLES).flatMap((program) => {
    const own = NOT_MISSED.filter(([programs]) => programs.includes(program));
    const reasons = [
      ...own.map(([, action, kind]) => `${action} ${kind}`),
      // Grants of a key are told apart by the service that uses it.
      ...(EXCUSES[program] ?? []).map(([action, kind]) => `${action} ${kind.replace(/^key of .* through/, 'key through')}`),
      ...neededUnseen(program),
    ];
    return unmissed(program, recorded, deployed)
      .filter(({ action, kind }) => !reasons.includes(`${action} ${kind}`))
      .map(({ action, on }) => `${program} ${action} ${on}`);
  });
}

/** Reasons for grants that something misses. */
export function needlessReasons(recorded: Recorded, deployed: Deployed): string[] {
  return NOT_MISSED.flatMap(([programs, action, kind]) => {
    const idle = programs.filter((program) =>
      unmissed(program, recorded, deployed).every((grant) => grant.action !== action || grant.kind !== kind),
    );
    return idle.map((program) => `${program} ${action} ${kind}`);
  });
}

function unmissed(program: string, recorded: Recorded, deployed: Deployed): Grant[] {
  const { byArn, byName } = deployed.statements();
  const own = ofRole(byArn, ROLES[program] ?? program);
  const grants = grantsOf(own, own.map((statement) => byName[byArn.indexOf(statement)] ?? statement));
  const checks = [...recorded.checksOf(program), ...(program === 'ops' ? recorded.checksOf('rollback') : [])];
  return missedByNothing(grants, checks);
}

/** What requests need that are excused because they are not seen. */
function neededUnseen(program: string): string[] {
  const own = [...NEVER_SEEN, ...SELDOM_SEEN].filter(([of]) => of === program);
  return own.flatMap(([, operation, kind]) => {
    const { actions, key = [] } = checksOf(operation, kind, program);
    const through = `key through ${operation.replace(/:.*/, '')}`;
    return [...actions.map((action) => `${action} ${kind}`), ...key.map((action) => `${action} ${through}`)];
  });
}

function line([program, operation, kind]: readonly [string, string, string, string]): string {
  return `${program} ${operation} ${kind}`;
}
