import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { Emulator } from '../emulator.js';
import { awsCli, program, ROOT } from '../paths.js';

/** Longest command; those that wait for the functions take a minute. */
const LONGEST_MS = 420_000;

/** What a command said, on either stream, and how it ended. */
export interface Said {
  readonly code: number;
  readonly text: string;
}

/**
 * An operator's shell at the top of the project: what one command exports, the next one finds. Its
 * `make` and `aws` are the real ones; `cargo run` starts what is built already.
 */
export class Shell {
  private constructor(
    private readonly environment: NodeJS.ProcessEnv,
    private readonly state: string,
  ) {}

  /** Opens one in which some variables are set, and keeps its own files in `folder`. */
  static open(emulator: Emulator, folder: string, variables: Record<string, string>): Shell {
    const bin = join(folder, 'bin');
    mkdirSync(bin, { recursive: true });
    // Version 1 would take SQS of us-east-1 for the real one if it were not told otherwise.
    executable(join(bin, 'aws'), `exec ${awsCli()} --endpoint-url "$AWS_ENDPOINT_URL" "$@"`);
    executable(join(bin, 'cargo'), CARGO);
    const environment = {
      ...emulator.environment,
      ...variables,
      // Version 1 of the AWS CLI knows no other.
      AWS_DEFAULT_REGION: emulator.environment['AWS_REGION'],
      OPS: program('ops'),
      PATH: `${bin}:${emulator.environment['PATH']}`,
    };
    return new Shell(environment, join(folder, 'state'));
  }

  /** Types a script, and agrees where `ops` asks whether to go on. */
  async type(script: string, agree = false): Promise<Said> {
    const before = existsSync(this.state) ? `. ${this.state}` : ':';
    const agreed = `export AGREE=${agree ? '--yes' : ''}`;
    const lines = [before, agreed, `trap 'export -p > ${this.state}' EXIT`, 'set -aeuo pipefail', 'exec 2>&1', script];
    const options = {
      cwd: ROOT,
      env: this.environment,
      maxBuffer: 16 << 20,
      timeout: LONGEST_MS,
    };
    try {
      const { stdout } = await promisify(execFile)('bash', ['-c', lines.join('\n')], options);
      return { code: 0, text: stdout };
    } catch (error) {
      const { code, stdout } = error as { code?: number; stdout?: string };
      return { code: code ?? -1, text: stdout ?? String(error) };
    }
  }

  /** Types what must succeed, and gives what it said. */
  async must(script: string, agree = false): Promise<string> {
    const { code, text } = await this.type(script, agree);
    if (code !== 0) {
      throw new Error(`${script}\nended with ${code}:\n${text}`);
    }
    return text;
  }
}

/** In place of `cargo run ... --bin ops -- ARGS`. */
const CARGO = `
while [ "$1" != --bin ]; do shift; done
[ "$2" = ops ] || { echo "no $2 here" >&2; exit 1; }
shift 3
case "$*" in *--dry-run*|*--list*) AGREE= ;; esac
exec "$OPS" "$@" $AGREE`;

function executable(path: string, script: string): void {
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}
