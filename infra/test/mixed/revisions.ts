import {
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
  PublishVersionCommand,
  UpdateAliasCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import event from '../../../contract/golden/asks-event.json' with { type: 'json' };
import type { Emulator } from '../deployment/emulator.js';
import type { Operator } from '../deployment/ops.js';
import { program } from '../deployment/paths.js';

const MIXED = join(import.meta.dirname, '../../../target/mixed');

/** The other revision's files. */
export const TREE = join(MIXED, 'tree');

/** Of one of these each function runs: the other revision, or the one at hand. */
export type Revision = 'base' | 'today';

/** Who runs which; the clock starts workers of the processor's revision, and posts go to ingest's. */
export type Cast = Readonly<Record<'ingest' | 'processor' | 'api', Revision>>;

/** The functions of a program, as the deployment's names call them. */
const FUNCTIONS = {
  ingest: ['INGEST_FUNCTION', 'EVENTS_FUNCTION'],
  processor: ['PROCESSOR_FUNCTION', 'ASKS_WORKER_FUNCTION'],
  api: ['API_FUNCTION'],
} as const;

const PROGRAMS: Readonly<Record<Revision, string>> = {
  base: join(MIXED, 'built/debug'),
  today: dirname(program('api')),
};

/** The programs of both revisions, as they are now: whoever builds meanwhile changes nothing. */
export class Programs {
  constructor(private readonly folder: string) {}

  /** What is deployed in a program's place: it becomes the one of the revision that its version names. */
  starter(name: string): string {
    for (const [revision, programs] of Object.entries(PROGRAMS)) {
      if (!existsSync(join(programs, name))) {
        throw new Error(`${programs} has no ${name}: make mixed builds it`);
      }
      cpSync(join(programs, name), join(this.of(revision as Revision), name));
    }
    const path = join(this.folder, name);
    writeFileSync(path, `#!/bin/sh\nexec "\${PROGRAMS:-${this.of('today')}}/${name}"\n`, { mode: 0o755 });
    return path;
  }

  /** The folder of a revision's. */
  of(revision: Revision): string {
    const folder = join(this.folder, revision);
    mkdirSync(folder, { recursive: true });
    return folder;
  }
}

/** The published versions of each function, one for each revision, as after a deployment and before a rollback. */
export class Revisions {
  private constructor(
    private readonly lambda: LambdaClient,
    private readonly versions: ReadonlyMap<string, Readonly<Record<Revision, string>>>,
    private readonly named: (name: string) => string,
  ) {}

  /** Publishes them, with settings of their own beside what the deployment set. */
  static async publish(
    [emulator, operator]: [Emulator, Operator],
    programs: Programs,
    settings: Record<string, string>,
  ): Promise<Revisions> {
    const lambda = new LambdaClient(emulator.client);
    const versions = new Map<string, Record<Revision, string>>();
    const named = (name: string) => operator.named(name);
    for (const FunctionName of Object.values(FUNCTIONS).flat().map(named)) {
      const { Environment } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
      const publish = async (revision: Revision) => {
        const Variables = { ...Environment?.Variables, ...settings, PROGRAMS: programs.of(revision) };
        await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName, Environment: { Variables } }));
        const { Version } = await lambda.send(new PublishVersionCommand({ FunctionName, Description: revision }));
        return Version ?? '';
      };
      versions.set(FunctionName, { base: await publish('base'), today: await publish('today') });
    }
    return new Revisions(lambda, versions, named);
  }

  /** Lets a worker look for asks now, which the clock does once a minute. */
  async work(): Promise<void> {
    const FunctionName = this.named('ASKS_WORKER_FUNCTION');
    const Payload = JSON.stringify(event);
    await this.lambda.send(
      new InvokeCommand({ FunctionName, InvocationType: 'Event', Payload, Qualifier: 'live' }),
    );
  }

  /** From now on these run; what is under way ends in the one that began it. */
  async run(cast: Cast): Promise<void> {
    for (const program of ['ingest', 'processor', 'api'] as const) {
      for (const FunctionName of FUNCTIONS[program].map(this.named)) {
        const FunctionVersion = this.versions.get(FunctionName)?.[cast[program]];
        await this.lambda.send(new UpdateAliasCommand({ FunctionName, FunctionVersion, Name: 'live' }));
      }
    }
  }
}
