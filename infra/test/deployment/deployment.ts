import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { ProgramName } from '../../lib/program.js';
import { Deployed } from './deployed.js';
import type { Emulator } from './emulator.js';
import { CAMPAIGNS, CANARY, GROUNDED, INFRA, program } from './paths.js';
import { deployedStack, STACK, STAGE } from './stack.js';

const PROGRAMS: readonly ProgramName[] = ['ingest', 'processor', 'api'];

/** Longest deployment; MiniStack takes seconds, and the app a minute on a busy machine. */
const LONGEST_MS = 420_000;

/** Far more than the command line says. */
const SAID_BYTES = 16 << 20;

/** What a deployment made, and what it prints at its end, by the name of the output without its hash. */
export interface Outputs {
  /** All of it, as policies speak of it. */
  readonly deployed: Deployed;
  readonly bucket: string;
  readonly secretArn: string;
  readonly eventsSecretArn: string;
  readonly url: string;
}

/** Deploys as an operator does, but for the programs: those that the Rust tests ran, or those in their place. */
export async function deploy(emulator: Emulator, folder: string, programOf = program): Promise<Outputs> {
  const campaigns = gatherCampaigns(join(folder, 'campaigns'), [CAMPAIGNS, GROUNDED]);
  guard(join(campaigns, 'offer/campaign.toml'));
  const programs = gatherPrograms(join(folder, 'programs'), campaigns, programOf);
  const [file, assembly] = [join(folder, 'outputs.json'), join(folder, 'cdk.out')];
  const template = join(assembly, `${STACK}.template.json`);
  const from = [`programs=${programs}`, `campaigns=${campaigns}`];
  const context = [`stage=${STAGE}`, 'built=true', ...from];
  const options = [
    ...context.flatMap((each) => ['--context', each]),
    ...['--ci', '--no-notices'],
  ];
  await cdk(emulator, ['bootstrap', ...options, '--output', assembly]);
  await cdk(emulator, ['synth', '--quiet', ...options, '--output', assembly]);
  withoutMetricMath(template);
  const as = ['--require-approval', 'never', '--outputs-file', file];
  await cdk(emulator, ['deploy', '--app', assembly, '--ci', '--no-notices', ...as]);
  const deployed = new Deployed(await deployedStack(emulator, template, campaigns));
  emulator.gate.judgeBy(deployed);
  const stacks: Record<string, Record<string, string>> = JSON.parse(readFileSync(file, 'utf8'));
  const all = Object.entries(stacks[STACK] ?? {});
  const named = (start: string) => {
    const found = all.find(([name]) => name.startsWith(start));
    if (found === undefined) {
      throw new Error(`the deployment printed no ${start}: ${JSON.stringify(all)}`);
    }
    return found[1];
  };
  return {
    deployed,
    bucket: named('CurrentsBucketName'),
    secretArn: named('ApiSecretArn'),
    eventsSecretArn: named('EventsDoorSecretArn'),
    url: named('ApiUrl'),
  };
}

/**
 * The campaigns of the Rust tests, all on the same model: one that speaks of events, others of items and
 * attributes; and the canary's. What posts for that is not deployed: MiniStack's CloudFormation makes no
 * `AWS::Events::Connection`, and its Step Functions call no HTTPS.
 */
export function gatherCampaigns(folder: string, [plain, grounded]: readonly [string, string]): string {
  cpSync(plain, folder, { recursive: true });
  cpSync(grounded, folder, { recursive: true });
  cpSync(CANARY, folder, { recursive: true });
  const model = /^model_id = .*$/m;
  const [same] = readFileSync(join(folder, 'new-episode/campaign.toml'), 'utf8').match(model) ?? [];
  for (const name of readdirSync(grounded)) {
    const other = join(folder, name, 'campaign.toml');
    writeFileSync(other, readFileSync(other, 'utf8').replace(model, same ?? ''));
  }
  return folder;
}

/**
 * Lets a guardrail look at a campaign's answers, which come through a tool, and so are shown to it by
 * themselves as well; and lets the campaign be served first, so that not all asks are on one queue.
 */
function guard(file: string): void {
  const own = 'structured_output = "tool"\npriority = 1\n';
  const tool = readFileSync(file, 'utf8').replace(/^model_id = /m, `${own}$&`);
  writeFileSync(file, `${tool}\n[guardrail]\nid = "gr1234567890"\nversion = "1"\n`);
}

/** The folders that `make lambdas` would make, of programs for this machine. */
function gatherPrograms(folder: string, campaigns: string, programOf: (name: string) => string): string {
  for (const name of PROGRAMS) {
    mkdirSync(join(folder, name), { recursive: true });
    cpSync(programOf(name), join(folder, name, name));
    writeFileSync(join(folder, name, 'bootstrap'), signingAsItself(name), { mode: 0o755 });
    cpSync(campaigns, join(folder, name, 'campaigns'), { recursive: true });
  }
  return folder;
}

/** MiniStack gives all functions one access key; here each has its own, which is its name. */
function signingAsItself(name: ProgramName): string {
  return `#!/bin/sh\nAWS_ACCESS_KEY_ID="$AWS_LAMBDA_FUNCTION_NAME" exec "\${0%/*}/${name}"\n`;
}

interface Template {
  readonly Resources: Record<string, { Type: string; Properties?: AlarmProperties }>;
}

interface AlarmProperties {
  Metrics?: { MetricStat?: { Metric: object; Period: number; Stat: string } }[];
}

/** MiniStack's alarms know no metric math: there such an alarm watches the first of its metrics. */
function withoutMetricMath(file: string): void {
  const template: Template = JSON.parse(readFileSync(file, 'utf8'));
  for (const resource of Object.values(template.Resources)) {
    const stat = resource.Properties?.Metrics?.find((each) => each.MetricStat)?.MetricStat;
    if (resource.Type !== 'AWS::CloudWatch::Alarm' || stat === undefined) {
      continue;
    }
    const { Metrics: _, ...rest } = resource.Properties ?? {};
    resource.Properties = { ...rest, ...stat.Metric, Period: stat.Period, Statistic: stat.Stat } as AlarmProperties;
  }
  writeFileSync(file, JSON.stringify(template));
}

async function cdk(emulator: Emulator, args: string[]): Promise<void> {
  const cli = join(INFRA, 'node_modules/.bin/cdk');
  const options = {
    cwd: INFRA,
    env: emulator.environment,
    maxBuffer: SAID_BYTES,
    timeout: LONGEST_MS,
  };
  await promisify(execFile)(cli, args, options).catch((error) => {
    throw new Error(`cdk ${args[0]} failed:\n${error.stdout}\n${error.stderr}`);
  });
}
