import { ROLES } from '../kinds.js';
import { byName, type Statement } from '../statements.js';
import type { Deployed } from './deployed.js';

/** Access keys of what an operator runs: `ops`, and `make rollback`, which is no program of its own. */
export const OPERATORS_KEYS = { ops: 'ops', rollback: 'rollback' };

/** Who signs requests: a program, with the permissions of its role. */
export interface Caller {
  readonly program: string;
  readonly role: string;
  /** By their ARNs. */
  readonly rules: readonly Statement[];
}

/** Tells who signs with an access key: that of a function is its name. */
export function callers(deployed: Deployed): (accessKey: string) => Caller | undefined {
  const { byArn } = deployed.statements();
  return (accessKey) => {
    const found = program(accessKey, deployed);
    const role = found === 'rollback' ? ROLES['ops'] : ROLES[found ?? ''];
    return found && role ? { program: found, role, rules: ofRole(byArn, role) } : undefined;
  };
}

/** The statements of a role's policies. */
export function ofRole(all: readonly Statement[], role: string): Statement[] {
  return all.filter(({ roles }) => roles.some((id) => byName(id, '') === role));
}

function program(accessKey: string, deployed: Deployed): string | undefined {
  const operators = Object.entries(OPERATORS_KEYS).find(([, key]) => key === accessKey);
  const name = deployed.functionOf(accessKey)?.replace(/Function$/, 'Role');
  return operators?.[0] ?? Object.keys(ROLES).find((each) => ROLES[each] === name);
}
