import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import type { Outputs } from './deployment.js';
import type { Emulator } from './emulator.js';
import { program } from './paths.js';

/** What an operator types, with the places that the deployment printed; gives what it said. */
export async function ops(emulator: Emulator, outputs: Outputs, ...args: string[]): Promise<string> {
  const env = {
    ...emulator.environment,
    CAMPAIGNS_BUCKET: outputs.campaignsBucket,
    CONTENT_TABLE: outputs.contentTable,
    COORDINATION_TABLE: outputs.coordinationTable,
  };
  const { stdout } = await promisify(execFile)(program('ops'), args, { env });
  return stdout;
}
