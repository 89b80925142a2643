/** One rule about a setting: whether it is broken, and what to do then. */
export type Fault = readonly [setting: string, isWrong: boolean, remedy: string];

/** Name of a region, as the settings and ARNs have it. */
export const REGION = /^[a-z]{2,}(-[a-z]+)+-\d+$/;

/** ARN of a key in AWS KMS, with nothing that means something else in a policy. */
export const KEY_ARN = /^arn:[^:]+:kms:[^:]+:\d{12}:key\/[\w-]+$/;

/** Tells whether a whole number lies between two others. */
export function within(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

/** A rule about a setting that is one of a few words: the types are not looked at when it runs. */
export function oneOf(setting: string, value: string, words: readonly string[]): Fault {
  return [setting, !words.includes(value), `is ${words.join(' or ')}`];
}

/** Tells whether an ARN names another region than the one that is deployed to, if that is known. */
export function isElsewhere(arn: string, region: string | undefined): boolean {
  return region !== undefined && arn.split(':')[3] !== region;
}
