import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';

import { Gate } from './gate.js';
import { CAMPAIGNS, miniStack, program } from './paths.js';
import type { Place } from '../statements.js';
import { Process } from './process.js';
import { until } from './until.js';

/** Where it is, for whoever asks. */
export const PLACE: Place = { account: '000000000000', region: 'us-east-1' };

/** As much as a person reads of a log. */
const SAID_CHARS = 8_000;

/** Where the stand-in for Bedrock says it is, in its first line. */
const STAND_IN = /^AWS_ENDPOINT_URL_BEDROCK_RUNTIME=(\S+)$/m;

/**
 * An AWS on this machine: MiniStack, which runs the functions as processes, and the project's
 * own stand-in for Amazon Bedrock, because MiniStack's answers in no schema. Programs reach both
 * through the gate only.
 */
export class Emulator {
  private constructor(
    readonly endpoint: string,
    private readonly folder: string,
    private model: StandIn,
    readonly gate: Gate,
    private readonly processes: Process[],
  ) {}

  /** Starts both on free ports of loopback, with their files in `folder`. */
  static async start(folder: string): Promise<Emulator> {
    const model = await StandIn.start(folder, '0');
    const processes: Process[] = [];
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    const gate = await Gate.start({ aws: endpoint, bedrock: model.url });
    try {
      const emulator = new Emulator(endpoint, folder, model, gate, processes);
      const aws = Process.start(miniStack(), [], join(folder, 'ministack.log'), {
        cwd: folder,
        env: {
          // Functions inherit it.
          ...emulator.environmentOf('test'),
          BIND_HOST: '127.0.0.1',
          GATEWAY_PORT: new URL(endpoint).port,
          TMPDIR: folder,
        },
      });
      processes.push(aws);
      await until('MiniStack answers', async () => {
        aws.assertRunning();
        const health = await fetch(`${emulator.endpoint}/_ministack/health`).catch(() => undefined);
        return health?.ok === true ? true : undefined;
      });
      return emulator;
    } catch (error) {
      await Promise.all([stopAll([model.process, ...processes]), gate.stop()]);
      throw error;
    }
  }

  /** What whoever deploys must have in the environment to find this AWS and no other. */
  get environment(): NodeJS.ProcessEnv {
    return {
      // No profile of whoever runs the test.
      HOME: this.folder,
      PATH: process.env['PATH'],
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_ENDPOINT_URL: this.endpoint,
      AWS_REGION: PLACE.region,
    };
  }

  /** What a program must have there that signs with this access key. */
  environmentOf(accessKey: string): NodeJS.ProcessEnv {
    return { ...this.environment, AWS_ACCESS_KEY_ID: accessKey, AWS_ENDPOINT_URL: this.gate.url };
  }

  /** What whoever deploys gives to a client of the SDK. */
  get client() {
    return {
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      endpoint: this.endpoint,
      region: PLACE.region,
    };
  }

  /** What both said last, the functions' logs among it, and what the gate did not let through. */
  said(): string {
    const logs = [this.model.process, ...this.processes].map((each) => each.said().slice(-SAID_CHARS));
    return [...logs, ...this.gate.faults, ...this.gate.refused].join('\n');
  }

  /** From now on nobody answers where Amazon Bedrock should be. */
  async loseModel(): Promise<void> {
    await this.model.process.stop();
  }

  /** From now on it answers again, where it did. */
  async regainModel(): Promise<void> {
    this.model = await StandIn.start(this.folder, new URL(this.model.url).port);
  }

  async stop(): Promise<void> {
    await stopAll([this.model.process, ...this.processes]);
    await this.gate.stop();
  }
}

/** The stand-in for Amazon Bedrock, and where it is. */
class StandIn {
  private constructor(
    readonly process: Process,
    readonly url: string,
  ) {}

  /** Starts it on a port, or on a free one if that is 0. */
  static async start(folder: string, port: string): Promise<StandIn> {
    const options = ['bedrock', '--port', port, '--campaigns', CAMPAIGNS];
    const process = Process.start(program('local'), options, join(folder, 'bedrock.log'));
    try {
      const url = await until('the stand-in for Bedrock says where it is', async () => {
        process.assertRunning();
        return STAND_IN.exec(process.said())?.[1];
      });
      return new StandIn(process, url);
    } catch (error) {
      await process.stop();
      throw error;
    }
  }
}

async function stopAll(processes: Process[]): Promise<void> {
  await Promise.all(processes.map((each) => each.stop()));
}

/** Another program could take it meanwhile; MiniStack says so then and ends. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') {
    throw new Error('a port was asked for, and is none');
  }
  return address.port;
}
