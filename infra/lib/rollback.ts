/**
 * Which version each function runs next when a deployment turns out wrong, or when the newest is to run
 * again. It moves aliases and nothing else: tables, queues, permissions and published campaigns stay.
 */

/** Name of what callers call: a deployment moves it to a new version, and a rollback to the one before. */
export const LIVE = 'live';

/** A published version of a function. */
export interface Version {
  readonly number: number;
  /** Which build it is. */
  readonly description: string;
  /** When it was deployed, in milliseconds since 1970. */
  readonly deployedAt: number;
}

/** What runs of a function. */
export interface Running {
  readonly name: string;
  readonly live: number;
  /** A deployment moves calls to another version right now. */
  readonly shifting: boolean;
  readonly versions: readonly Version[];
}

/** What is to be done with a function: its version is moved, or stays for a reason. */
export type Step =
  | { readonly name: string; readonly from: Version; readonly to: Version }
  | { readonly name: string; readonly stays: string };

/** What was deployed so long before the last one belongs to another deployment; the longest takes half of it. */
const SAME_DEPLOYMENT_MS = 60 * 60 * 1000;

/** Lets functions that the last deployment changed run what they ran before it. */
export function back(functions: readonly Running[]): Step[] {
  const lives = functions.flatMap((each) => find(each, each.live) ?? []);
  const last = Math.max(...lives.map(({ deployedAt }) => deployedAt));
  return functions.map((each) => {
    const live = find(each, each.live);
    if (live !== undefined && last - live.deployedAt > SAME_DEPLOYMENT_MS) {
      return { name: each.name, stays: 'the last deployment did not change it' };
    }
    const before = each.versions.filter(({ number }) => number < each.live);
    return move(each, newest(before), 'there is no version before it');
  });
}

/** Lets all functions run what was deployed last, as a deployment expects it. */
export function forward(functions: readonly Running[]): Step[] {
  return functions.map((each) => {
    const after = each.versions.filter(({ number }) => number > each.live);
    return move(each, newest(after), 'it runs the newest version');
  });
}

function move(each: Running, to: Version | undefined, otherwise: string): Step {
  const { name } = each;
  const from = find(each, each.live);
  if (each.shifting) {
    return { name, stays: 'a deployment moves it right now: stop that one first (aws deploy stop-deployment)' };
  }
  return from === undefined || to === undefined ? { name, stays: otherwise } : { name, from, to };
}

function find({ versions }: Running, number: number): Version | undefined {
  return versions.find((each) => each.number === number);
}

function newest(versions: readonly Version[]): Version | undefined {
  return versions.reduce<Version | undefined>(
    (found, each) => (found === undefined || each.number > found.number ? each : found),
    undefined,
  );
}

/** One line for a person. */
export function told(step: Step): string {
  return 'stays' in step
    ? `${step.name} stays: ${step.stays}`
    : `${step.name}: ${step.from.number} (${step.from.description}) -> ${step.to.number} (${step.to.description})`;
}
