import { once } from 'node:events';
import { createServer, type IncomingMessage, request as send, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { asked, type Sent, type Signature, signatureOf } from './asked.js';
import { type Caller, callers } from './callers.js';
import { checkOfAbsence, request, type Request } from './checks.js';
import type { Deployed } from './deployed.js';
import { type Check, decide } from './evaluator.js';
import { Recorded } from './recorded.js';
import { type Answer, refusal } from './refusal.js';

/** Where requests go that are let through: those to Bedrock, and all others. */
export interface Ways {
  readonly aws: string;
  readonly bedrock: string;
}

/** What the gate judges by, once it is known. */
interface Guarded {
  readonly deployed: Deployed;
  caller(accessKey: string): Caller | undefined;
}

/**
 * Stands between the programs and the emulated AWS. It lets through what the role of whoever signed a
 * request is granted, refuses the rest as AWS does, and keeps what was asked. It believes the access
 * key and does not check the signature: the programs are not hostile, and the emulator knows no keys.
 */
export class Gate {
  /** Everything that was asked, let through or not. */
  readonly recorded = new Recorded();
  /** What roles are not granted, each in a line. */
  readonly refused = new Set<string>();
  /** What nobody here could judge, and was not let through either. */
  readonly faults = new Set<string>();

  private guard!: (guarded: Guarded) => void;
  private readonly guarded = new Promise<Guarded>((resolve) => (this.guard = resolve));

  private constructor(
    private readonly server: Server,
    private readonly ways: Ways,
  ) {}

  /** Opens it on a free port of loopback; requests wait there until {@link Gate.judgeBy}. */
  static async start(ways: Ways): Promise<Gate> {
    const server = createServer();
    const gate = new Gate(server, ways);
    server.on('request', (incoming, outgoing) => {
      gate.pass(incoming, outgoing).catch((error: unknown) => {
        // Who has left before all was said has asked for nothing.
        if (incoming.complete) {
          gate.faults.add(String(error));
        }
        answer(outgoing, { status: 500, headers: {}, body: String(error) });
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return gate;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** From now on requests are judged by what was deployed. */
  judgeBy(deployed: Deployed): void {
    this.guard({ deployed, caller: callers(deployed) });
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const sent = await received(incoming);
    const { deployed, caller } = await this.guarded;
    const signature = signatureOf(sent);
    const by = caller(signature?.accessKey ?? '');
    if (signature === undefined || by === undefined) {
      throw new Error(`nobody knows who signed this: ${sent.method} ${sent.url} ${sent.headers.authorization ?? ''}`);
    }
    const of = request(asked(signature.service, sent), deployed);
    this.recorded.add(by.program, of);
    const refused = of.checks.map((check) => this.refuse(signature, by, of, check)).find((each) => each !== undefined);
    if (refused !== undefined) {
      answer(outgoing, refused);
      return;
    }
    await this.forward(signature, sent, outgoing, (status) => this.hide(status, signature, by, of));
  }

  /** Refuses what a check does not allow. */
  private refuse({ service }: Signature, by: Caller, of: Request, check: Check): Answer | undefined {
    const decision = decide(by.rules, check);
    if (decision === 'allowed') {
      return undefined;
    }
    this.refused.add(`${by.program} ${of.operation}: ${check.action} on ${check.resource} is ${decision}`);
    return refusal(service, by.role, check, decision);
  }

  /** S3 says to whoever may not list a bucket that what is not there is forbidden. */
  private hide(status: number | undefined, signature: Signature, by: Caller, of: Request): Answer | undefined {
    const check = status === 404 ? checkOfAbsence(of) : undefined;
    if (check === undefined) {
      return undefined;
    }
    this.recorded.add(by.program, { ...of, checks: [check] });
    return this.refuse(signature, by, of, check);
  }

  private async forward(
    { service }: Signature,
    { method, url, headers, body }: Sent,
    outgoing: ServerResponse,
    instead: (status: number | undefined) => Answer | undefined,
  ): Promise<void> {
    const way = service === 'bedrock' ? this.ways.bedrock : this.ways.aws;
    // A connection for each, so that none is taken up that the other side is closing.
    const onward = send(way, { agent: false, headers, method, path: url });
    // What goes wrong later is told by what came.
    onward.on('error', () => {}).end(body);
    const [incoming]: IncomingMessage[] = await once(onward, 'response').catch(() => []);
    if (incoming === undefined) {
      // Nobody answers there, and so nobody does here.
      outgoing.destroy();
      return;
    }
    const other = instead(incoming.statusCode);
    if (other !== undefined) {
      incoming.resume();
      answer(outgoing, other);
      return;
    }
    outgoing.writeHead(incoming.statusCode ?? 502, withoutHops(incoming.headers));
    incoming.pipe(outgoing);
    // Who has left needs no answer.
    outgoing.on('close', () => incoming.destroy());
    incoming.on('error', () => outgoing.destroy());
  }
}

async function received(incoming: IncomingMessage): Promise<Sent> {
  const parts: Buffer[] = [];
  for await (const part of incoming) {
    parts.push(part);
  }
  const { headers, method = '', url = '' } = incoming;
  return { headers: withoutHops(headers), method, url, body: Buffer.concat(parts) };
}

/** Without what is for one connection only. */
function withoutHops<H extends object>(headers: H): H {
  const hops = ['connection', 'expect', 'keep-alive', 'transfer-encoding'];
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hops.includes(name))) as H;
}

function answer(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  if (!outgoing.headersSent) {
    outgoing.writeHead(status, headers);
  }
  outgoing.end(body);
}
