import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';

import { CAMPAIGNS, program } from '../deployment/paths.js';
import { Process } from '../deployment/process.js';
import { until } from '../deployment/until.js';

/** Where the stand-in for Bedrock says it is, in its first line. */
const STAND_IN = /^AWS_ENDPOINT_URL_BEDROCK_RUNTIME=(\S+)$/m;

/** The stand-in for Amazon Bedrock behind a door that counts who comes out, and can be shut. */
export class Model {
  /** What was asked and answered so far. */
  private readonly answered: string[] = [];
  private isLost = false;

  private constructor(
    private readonly standIn: Process,
    private readonly behind: URL,
    private readonly door: Server,
  ) {
    door.on('request', (asked, answer) => this.pass(asked, answer));
  }

  static async start(folder: string): Promise<Model> {
    const options = ['bedrock', '--port', '0', '--campaigns', CAMPAIGNS];
    const standIn = Process.start(program('local'), options, join(folder, 'model.log'));
    const url = await until('the stand-in for Bedrock says where it is', async () => {
      standIn.assertRunning();
      return STAND_IN.exec(standIn.said())?.[1];
    });
    const door = createServer().listen(0, '127.0.0.1');
    await once(door, 'listening');
    return new Model(standIn, new URL(url), door);
  }

  /** Where functions find it. */
  get url(): string {
    const address = this.door.address();
    return typeof address === 'object' ? `http://127.0.0.1:${address?.port}` : '';
  }

  /** Calls that were answered so far. */
  get calls(): number {
    return this.answered.length;
  }

  /** Those among them that said this. */
  callsWith(text: string): number {
    return this.answered.filter((asked) => asked.includes(text)).length;
  }

  /** From now on nobody is answered. */
  lose(): void {
    this.isLost = true;
  }

  regain(): void {
    this.isLost = false;
  }

  async stop(): Promise<void> {
    this.door.closeAllConnections();
    this.door.close();
    await this.standIn.stop();
  }

  private pass(asked: IncomingMessage, answer: ServerResponse): void {
    if (this.isLost) {
      asked.socket.destroy();
      return;
    }
    const { headers, method, url: path } = asked;
    const body: Buffer[] = [];
    asked.on('data', (some: Buffer) => body.push(some));
    const onward = request(new URL(path ?? '/', this.behind), { headers, method }, (answered) => {
      if (answered.statusCode === 200) {
        this.answered.push(Buffer.concat(body).toString());
      }
      answer.writeHead(answered.statusCode ?? 502, answered.headers);
      answered.pipe(answer);
    });
    onward.on('error', () => asked.socket.destroy());
    asked.pipe(onward);
  }
}
