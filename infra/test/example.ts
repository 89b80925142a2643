import { App, Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { join } from 'node:path';

import cdk from '../cdk.json' with { type: 'json' };
import type { AskedOfBedrock } from '../lib/campaigns.js';
import { type ApiSettings, type Environment, environment, type FrontName } from '../lib/environments.js';
import { PipelineStack } from '../lib/pipeline-stack.js';

/** A stack as a deployment makes it, but for the programs, which are placeholders. */
export interface Example {
  readonly app: App;
  readonly stack: PipelineStack;
  readonly template: Template;
}

export const ASKED: AskedOfBedrock = {
  campaigns: ['canary', 'new-episode'],
  models: ['us.anthropic.claude-haiku-4-5-20251001-v1:0'],
  guardrails: ['gr1234567890'],
};

export const DEV = environment('dev');
/** With the address and the networks that production needs, and the budget that it should have. */
export const PROD: Environment = {
  ...environment('prod'),
  alarms: { ...environment('prod').alarms, email: 'on-call@example.com' },
  api: { ...environment('prod').api, allowedNetworks: ['192.0.2.0/24'] },
  budget: { monthlyUsd: 2000, of: 'stack' },
};

export const CERTIFICATE =
  'arn:aws:acm:eu-central-1:111122223333:certificate/12345678-1234-1234-1234-123456789012';

export const GUARDRAIL_KEY =
  'arn:aws:kms:eu-central-1:111122223333:key/87654321-4321-4321-4321-210987654321';

/** Every part that a setting can add, but for networks, which keep the canary out. */
export const EVERYTHING: Environment = {
  ...PROD,
  currents: {
    ...PROD.currents,
    braze: { accountId: '111122223333', externalId: 'from-braze' },
    prefix: 'currents-export/',
  },
  alarms: {
    ...PROD.alarms,
    silenceHours: { ...PROD.alarms.silenceHours, posts: 12 },
    ticketEmail: 'team@example.com',
  },
  canary: { campaign: 'canary' },
  operators: ['arn:aws:iam::111122223333:role/on-call'],
  processor: {
    ...PROD.processor,
    guardrailKeyArns: [GUARDRAIL_KEY],
    modelQuotas: { '*': { tokensPerMinute: { quotaCode: 'L-0123ABCD' } } },
  },
  api: {
    ...PROD.api,
    allowedNetworks: 'anyone',
    domain: { name: 'content.example.com', certificateArn: CERTIFICATE, basePath: 'personal' },
    webAcl: true,
    perAddress: { calls: 3000, except: ['192.0.2.0/24', '198.51.100.7', '2001:db8::/32'] },
  },
};

/** Nobody else may call. */
export const CLOSED: Environment = { ...DEV, api: { ...DEV.api, allowedNetworks: ['192.0.2.0/24'] } };

/** What the front `alb` stands in. */
export const ALB = {
  certificateArn: CERTIFICATE,
  hostName: 'content.example.com',
  subnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
  vpcId: 'vpc-0123456789abcdef0',
};

/** What a stage must leave out for other fronts than `rest`. */
const LESS = {
  accountLogsRole: undefined,
  domain: undefined,
  perAddress: undefined,
  throttle: undefined,
  webAcl: false,
};

/** Every part behind another front, and of the api all that this front can keep. */
function behind(front: FrontName, kept: Partial<ApiSettings>): Environment {
  return { ...EVERYTHING, api: { ...EVERYTHING.api, ...LESS, ...kept, front } };
}

const { domain, perAddress, throttle } = EVERYTHING.api;

/** Every part behind each front. */
export const FRONTS: Readonly<Record<FrontName, Environment>> = {
  rest: EVERYTHING,
  http: behind('http', { domain, throttle }),
  alb: behind('alb', { alb: ALB, perAddress, webAcl: true }),
  url: behind('url', {}),
};

const EXISTING: Environment = { ...DEV, currents: { ...DEV.currents, existingBucket: 'theirs' } };

/** What templates differ by, for tests of all of them. */
export const VARIANTS: Readonly<Record<string, Environment>> = {
  dev: DEV,
  prod: PROD,
  everything: EVERYTHING,
  'networks that may call': CLOSED,
  'anyone may call': {
    ...PROD,
    api: { ...PROD.api, allowedNetworks: 'anyone', webAcl: true, perAddress: { calls: 3000, except: ['192.0.2.7'] } },
  },
  'an HTTP API': FRONTS.http,
  'an HTTP API without a domain': { ...DEV, api: { ...DEV.api, ...LESS, front: 'http', throttle } },
  'a load balancer': FRONTS.alb,
  'a load balancer for some networks': {
    ...DEV,
    api: {
      ...DEV.api,
      ...LESS,
      alb: ALB,
      allowedNetworks: ['192.0.2.0/24', '198.51.100.7'],
      front: 'alb',
      maxInstances: 10,
    },
  },
  'URLs of functions': FRONTS.url,
  'URLs of functions, and users who are not found': {
    ...DEV,
    api: { ...DEV.api, ...LESS, front: 'url', maxInstances: 10, unknownUser: 'not-found' },
  },
  provisioned: { ...DEV, stream: { ...DEV.stream, shards: 2 } },
  'an existing bucket': EXISTING,
  'an existing bucket with a key': {
    ...EVERYTHING,
    currents: {
      ...EVERYTHING.currents,
      existingBucket: 'theirs',
      existingBucketKeyArn: 'arn:aws:kms:eu-central-1:111122223333:key/theirs',
    },
  },
  'guardrails that run in several regions': {
    ...DEV,
    processor: {
      ...DEV.processor,
      guardrailProfileArns: ['arn:aws:bedrock:eu-west-1:111122223333:guardrail-profile/eu.guardrail.v1:0'],
    },
  },
};

/** Synthesises the stack with the flags that the command line gives it. */
export function example(settings: Environment = DEV, asked = ASKED): Example {
  const app = new App({ context: cdk.context });
  const stack = new PipelineStack(app, 'Test', {
    asked,
    codePath: () => join(import.meta.dirname, 'fixtures/bootstrap'),
    environment: settings,
  });
  return { app, stack, template: Template.fromStack(stack) };
}

/** The same, judged by cdk-nag when it is synthesised. */
export function judged(settings: Environment): App {
  const app = new App({ context: cdk.context });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  new PipelineStack(app, 'Test', {
    asked: ASKED,
    codePath: () => join(import.meta.dirname, 'fixtures/bootstrap'),
    env: { account: settings.account, region: settings.region },
    environment: settings,
  });
  return app;
}
