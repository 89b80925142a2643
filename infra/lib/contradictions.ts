import type { AskedOfBedrock } from './campaigns.js';
import { ofApi } from './contradictions/api.js';
import { ofAsks } from './contradictions/asks.js';
import { ofBucket } from './contradictions/bucket.js';
import { ofCanary } from './contradictions/canary.js';
import { ofFront } from './contradictions/front.js';
import { ofFunctions } from './contradictions/functions.js';
import { ofModels } from './contradictions/models.js';
import { ofOperations } from './contradictions/operations.js';
import { ofStream } from './contradictions/stream.js';
import type { Environment } from './environments.js';

/** What looks at one part of the settings. */
const PARTS = [ofOperations, ofBucket, ofStream, ofFunctions, ofModels, ofAsks, ofApi, ofFront, ofCanary];

/**
 * The settings of a stage that contradict each other, the campaigns or what AWS takes, each with
 * what to do. CloudFormation would find most of them too: one at a time, and after minutes.
 */
export function contradictions(settings: Environment, asked: AskedOfBedrock): string[] {
  const faults = PARTS.flatMap((part) => part(settings, asked));
  return faults.filter(([, isWrong]) => isWrong).map(([name, , remedy]) => `${name}: ${remedy}`);
}

/** Refuses settings that contradict each other, all at once. */
export function refuseContradictions(settings: Environment, asked: AskedOfBedrock): void {
  const found = contradictions(settings, asked);
  if (found.length > 0) {
    throw new Error(`the stage's settings in infra/lib/environments.ts cannot be deployed:\n  ${found.join('\n  ')}`);
  }
}
