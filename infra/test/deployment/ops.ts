import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import type { Emulator } from './emulator.js';
import { INFRA, program } from './paths.js';

/** An operator's shell, which knows what the deployment's parts are called. */
export class Operator {
  private constructor(
    private readonly environment: NodeJS.ProcessEnv,
    private readonly names: Readonly<Record<string, string>>,
  ) {}

  /** Asks the deployment for the names, as `eval "$(ops where)"` does. */
  static async of(emulator: Emulator): Promise<Operator> {
    const { names } = JSON.parse(await run(emulator.environment, ['where', '--json']));
    return new Operator({ ...emulator.environment, ...names }, names);
  }

  /** What a part of the deployment is called. */
  named(name: string): string {
    return this.names[name] ?? '';
  }

  /** Types a command, and gives what it said. */
  async ops(...args: string[]): Promise<string> {
    return run(this.environment, args);
  }
}

/** What `make rollback` runs. */
export async function rollback(emulator: Emulator, ...args: string[]): Promise<string> {
  const options = { cwd: INFRA, env: emulator.environment };
  const { stdout } = await promisify(execFile)('node_modules/.bin/tsx', ['bin/rollback.ts', ...args], options);
  return stdout;
}

async function run(env: NodeJS.ProcessEnv, args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program('ops'), args, { env });
  return stdout;
}
