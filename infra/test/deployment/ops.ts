import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import type { Emulator } from './emulator.js';
import { program } from './paths.js';

/** An operator's shell, which knows what the deployment's parts are called. */
export class Operator {
  private constructor(private readonly environment: NodeJS.ProcessEnv) {}

  /** Asks the deployment for the names, as `eval "$(ops where)"` does. */
  static async of(emulator: Emulator): Promise<Operator> {
    const { names } = JSON.parse(await run(emulator.environment, ['where', '--json']));
    return new Operator({ ...emulator.environment, ...names });
  }

  /** Types a command, and gives what it said. */
  async ops(...args: string[]): Promise<string> {
    return run(this.environment, args);
  }
}

async function run(env: NodeJS.ProcessEnv, args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program('ops'), args, { env });
  return stdout;
}
