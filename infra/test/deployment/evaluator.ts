import type { Conditions } from '../statements.js';

/** What a statement of a policy says, with everything in it as text. */
export interface Rule {
  readonly effect: 'Allow' | 'Deny';
  readonly actions?: readonly string[];
  readonly notActions?: readonly string[];
  readonly resources?: readonly string[];
  readonly notResources?: readonly string[];
  readonly conditions: Conditions;
}

/** One thing that AWS asks a role's policies about a request. */
export interface Check {
  readonly action: string;
  readonly resource: string;
  /**
   * What conditions may ask of the request, by key: no value where it has none. Of a key that is not
   * here nobody worked it out.
   */
  readonly context: Readonly<Record<string, readonly string[]>>;
}

export type Decision = 'allowed' | 'denied' | 'not granted';

/**
 * Decides as IAM does of the policies of one role: what is denied is denied, whatever allows it, and
 * what nothing allows is not granted. It throws where it does not know what AWS would do.
 * <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html>
 */
export function decide(rules: readonly Rule[], check: Check): Decision {
  const holding = rules.filter((rule) => holds(rule, check));
  if (holding.some(({ effect }) => effect === 'Deny')) {
    return 'denied';
  }
  return holding.length > 0 ? 'allowed' : 'not granted';
}

function holds(rule: Rule, check: Check): boolean {
  return (
    // IAM tells no capital letters of actions apart.
    means(rule.actions?.map(lower), rule.notActions?.map(lower), lower(check.action)) &&
    means(rule.resources, rule.notResources, check.resource) &&
    Object.entries(rule.conditions).every(([operator, keys]) =>
      Object.entries(keys).every(([key, values]) => isMet(operator, valuesOf(key, check), [values].flat().map(String))),
    )
  );
}

function means(some: readonly string[] | undefined, allBut: readonly string[] | undefined, text: string): boolean {
  if ((some === undefined) === (allBut === undefined)) {
    throw new Error('a statement says either what it is for or what it is not for');
  }
  const named = some ?? allBut ?? [];
  return named.some((pattern) => isLike(text, pattern)) === (some !== undefined);
}

function valuesOf(key: string, { action, context }: Check): readonly string[] {
  const values = context[key];
  if (values === undefined) {
    throw new Error(`a condition asks for ${key} of ${action}, and nobody here works that out`);
  }
  return values;
}

type Test = (text: string, pattern: string) => boolean;

const TESTS: Readonly<Record<string, Test>> = {
  StringEquals: (text, pattern) => text === plain(pattern),
  StringLike: isLike,
};

/** Tells whether the request's values are as one condition wants them. */
function isMet(operator: string, found: readonly string[], wanted: readonly string[]): boolean {
  const [, every, name = ''] = /^(ForAllValues:)?(\w+)$/.exec(operator) ?? [];
  const test = TESTS[name];
  if (test === undefined) {
    throw new Error(`a condition compares by ${operator}, which nobody here knows`);
  }
  const isWanted = (text: string) => wanted.some((pattern) => test(text, pattern));
  if (every !== undefined) {
    // AWS takes this for met where the request has no value at all.
    return found.every(isWanted);
  }
  if (found.length > 1) {
    throw new Error(`a condition compares several values by ${operator}: ${found.join(', ')}`);
  }
  return found.some(isWanted);
}

/** An asterisk stands for any characters, a question mark for one. */
function isLike(text: string, pattern: string): boolean {
  const parts = plain(pattern).split(/([*?])/).map((part) => WILD[part] ?? part.replace(/[\\^$.|+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${parts.join('')}$`).test(text);
}

const WILD: Readonly<Record<string, string>> = { '*': '[^]*', '?': '[^]' };

function plain(text: string): string {
  if (text.includes('${')) {
    throw new Error(`a policy has a variable, and nobody here puts a value for it: ${text}`);
  }
  return text;
}

function lower(text: string): string {
  return text.toLowerCase();
}
