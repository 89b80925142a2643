import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { OPERATORS_KEYS } from './callers.js';
import type { Emulator } from './emulator.js';
import { awsCli, INFRA, program } from './paths.js';

/** An operator's shell, which knows what the deployment's parts are called. */
export class Operator {
  private constructor(
    private readonly environment: NodeJS.ProcessEnv,
    private readonly names: Readonly<Record<string, string>>,
    /** Of whoever deployed, who may read logs, which operators' role may not. */
    private readonly deployer: NodeJS.ProcessEnv,
  ) {}

  /** Asks the deployment for the names, as `eval "$(ops where)"` does. */
  static async of(emulator: Emulator): Promise<Operator> {
    const environment = emulator.environmentOf(OPERATORS_KEYS.ops);
    const { names } = JSON.parse(await run(environment, ['where', '--json']));
    return new Operator({ ...environment, ...names }, names, emulator.environment);
  }

  /** What a part of the deployment is called. */
  named(name: string): string {
    return this.names[name] ?? '';
  }

  /** The lines of a log that are JSON with such a value. */
  async lines(logGroup: string, field: string, value: string): Promise<Record<string, unknown>[]> {
    const which = ['--log-group-name', this.named(logGroup), '--query', 'events[].message', '--output', 'json'];
    const endpoint = ['--endpoint-url', this.deployer['AWS_ENDPOINT_URL'] ?? '', '--region', this.deployer['AWS_REGION'] ?? ''];
    const options = { env: this.deployer, maxBuffer: 64 << 20 };
    const { stdout } = await promisify(execFile)(awsCli(), [...endpoint, 'logs', 'filter-log-events', ...which], options);
    const messages: string[] = JSON.parse(stdout) ?? [];
    return messages
      .filter((message) => message.includes(`"${field}":"${value}"`))
      .map((message) => JSON.parse(message));
  }

  /** Types a command, and gives what it said. */
  async ops(...args: string[]): Promise<string> {
    return run(this.environment, args);
  }
}

/** What `make rollback` runs. */
export async function rollback(emulator: Emulator, ...args: string[]): Promise<string> {
  const options = { cwd: INFRA, env: emulator.environmentOf(OPERATORS_KEYS.rollback) };
  const { stdout } = await promisify(execFile)('node_modules/.bin/tsx', ['bin/rollback.ts', ...args], options);
  return stdout;
}

async function run(env: NodeJS.ProcessEnv, args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program('ops'), args, { env });
  return stdout;
}
