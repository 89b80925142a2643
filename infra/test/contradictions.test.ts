import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { expect, test } from 'vitest';

import { contradictions } from '../lib/contradictions.js';
import { environment, type Environment } from '../lib/environments.js';
import { ALB, ASKED, CERTIFICATE, DEV, EVERYTHING, example, FRONTS, PROD } from './example.js';

type Part = 'currents' | 'ingest' | 'stream' | 'processor' | 'asks' | 'api' | 'alarms';

/** `DEV` with some settings of one part changed. */
function dev<P extends Part>(part: P, change: Partial<Environment[P]>): Environment {
  return { ...DEV, [part]: { ...DEV[part], ...change } };
}

const DOMAIN = { name: 'content.example.com', certificateArn: CERTIFICATE };
/** Every part behind another front, with some settings of the api changed. */
function behind(front: 'http' | 'alb' | 'url', change: Partial<Environment['api']>): Environment {
  return { ...FRONTS[front], api: { ...FRONTS[front].api, ...change } };
}

/** The same without the canary, whom networks would keep out. */
function closed(front: 'http' | 'alb' | 'url', allowedNetworks: readonly string[]): Environment {
  return { ...behind(front, { allowedNetworks }), canary: undefined };
}

const BRAZE = { accountId: '111122223333', externalId: 'from-braze' };
const KEY = 'arn:aws:kms:eu-central-1:111122223333:key/theirs';

test('settings that contradict each other are not deployed, and all are named at once', () => {
  const settings: Environment = {
    ...environment('prod'),
    stream: { retentionDays: 0 },
    processor: { ...PROD.processor, maxInstances: 2 },
  };

  expect(() => example(settings)).toThrow(/stream\.retentionDays: .*1 to 365/);
  expect(() => example(settings)).toThrow(/parallelizationFactor: 4 batches of one shard/);
});

test('production is not synthesised until somebody is told of alarms, and the error says where to name them', () => {
  expect(() => example(environment('prod'))).toThrow(
    "the stage's settings in infra/lib/environments.ts cannot be deployed:\n" +
      '  alarms.email: production needs somebody whom alarms reach: name an address that is read at night too\n',
  );
  example(PROD).template.hasResourceProperties('AWS::SNS::Subscription', { Endpoint: PROD.alarms.email });
});

test('production is not synthesised until somebody decided who may call, and either decision will do', () => {
  const who = (allowedNetworks?: readonly string[] | 'anyone') =>
    contradictions({ ...PROD, api: { ...PROD.api, allowedNetworks } }, ASKED);

  expect(who()).toEqual([expect.stringMatching(/^api\.allowedNetworks: production decides who may call: .*'anyone'$/)]);
  expect([who('anyone'), who(['192.0.2.0/24'])]).toEqual([[], []]);
  expect(contradictions(DEV, ASKED)).toEqual([]);
});

test('the stages are deployable, but for the address and the networks that only an operator knows', () => {
  expect(contradictions(DEV, ASKED)).toEqual([]);
  expect(contradictions(EVERYTHING, ASKED)).toEqual([]);
  expect(contradictions(environment('prod'), ASKED)).toEqual([
    expect.stringMatching(/^alarms\.email/),
    expect.stringMatching(/^api\.allowedNetworks/),
  ]);
});

/** Each with one fault. */
const FAULTY: [string, Environment][] = [
  ['account', { ...DEV, account: '1234' }],
  ['region', { ...DEV, region: 'Frankfurt' }],
  ['architecture', { ...DEV, architecture: 'arm' as 'arm64' }],
  ['logRetentionDays', { ...DEV, logRetentionDays: 8 as RetentionDays }],
  ['currents.existingBucket', dev('currents', { existingBucket: 'arn:aws:s3:::theirs' })],
  ['currents.existingBucket', dev('currents', { existingBucket: 's3://theirs' })],
  ['currents.existingBucketKeyArn', dev('currents', { existingBucketKeyArn: KEY })],
  [
    'currents.existingBucketKeyArn',
    dev('currents', { existingBucket: 'theirs', existingBucketKeyArn: 'alias/theirs' }),
  ],
  [
    'currents.existingBucketKeyArn',
    {
      ...dev('currents', { existingBucket: 'theirs', existingBucketKeyArn: KEY }),
      region: 'us-east-1',
    },
  ],
  ['currents.prefix', dev('currents', { prefix: '/exports' })],
  ['currents.prefix', dev('currents', { prefix: 'exports/*' })],
  ['currents.retentionDays', dev('currents', { retentionDays: 0 })],
  ['currents.retentionDays', dev('currents', { retentionDays: 1 })],
  ['currents.retentionDays', dev('currents', { retentionDays: 2.5 })],
  ['currents.braze', dev('currents', { braze: { ...BRAZE, accountId: '1111-2222-3333' } })],
  ['currents.braze', dev('currents', { braze: { ...BRAZE, externalId: '' } })],
  ['ingest.memoryMiB', dev('ingest', { memoryMiB: 10_241 })],
  ['ingest.maxConcurrency', dev('ingest', { maxConcurrency: 1 })],
  ['ingest.maxConcurrency', dev('ingest', { maxConcurrency: 1001 })],
  ['ingest.streamBuckets', dev('ingest', { streamBuckets: 0 })],
  ['ingest.streamBuckets', dev('ingest', { streamBuckets: 65_536 })],
  ['ingest.streamBuckets', dev('ingest', { streamBuckets: 3 })],
  ['ingest.streamFormat', dev('ingest', { streamFormat: 'gzip' as 'kpl' })],
  ['ingest.maxBlockMiB', dev('ingest', { maxBlockMiB: 0 })],
  ['ingest.maxBlockMiB', dev('ingest', { maxBlockMiB: 256 })],
  ['stream.shards', dev('stream', { shards: 0 })],
  ['stream.shards', dev('stream', { shards: 1.5 })],
  ['stream.retentionDays', dev('stream', { retentionDays: 366 })],
  ['stream.retentionDays', dev('stream', { retentionDays: 0 })],
  ['processor.memoryMiB', dev('processor', { memoryMiB: 1769.5 })],
  ['processor.maxInstances', dev('processor', { maxInstances: 0 })],
  ['processor.maxInstances', dev('processor', { maxInstances: Number.NaN })],
  ['processor.maxConcurrentGenerations', dev('processor', { maxConcurrentGenerations: 0 })],
  ['processor.contentForm', dev('processor', { contentForm: 'packed' as 'plain' })],
  ['processor.parallelizationFactor', dev('processor', { parallelizationFactor: 11, maxInstances: 100 })],
  ['processor.parallelizationFactor', dev('processor', { parallelizationFactor: 2 })],
  ['processor.parallelizationFactor', dev('stream', { shards: 5 })],
  ['processor.batchSize', dev('processor', { batchSize: 20_000 })],
  ['processor.batchWindowSeconds', dev('processor', { batchWindowSeconds: 301 })],
  ['asks.maxInstances', dev('asks', { maxInstances: 0 })],
  ['asks.maxInstances', dev('asks', { maxInstances: 6 })],
  ['asks.formerModels', dev('asks', { maxInstances: 1, formerModels: [''] })],
  ['processor.modelQuotas', dev('processor', { modelQuotas: {} })],
  ['processor.modelQuotas', dev('processor', { modelQuotas: { other: { tokensPerMinute: 1 } } })],
  ['processor.modelQuotas', dev('processor', { modelQuotas: { '*': { tokensPerMinute: 0 } } })],
  ['processor.modelQuotas', dev('processor', { modelQuotas: { '*': { tokensPerMinute: 4.5 } } })],
  [
    'processor.modelQuotas',
    dev('processor', { modelQuotas: { '*': { tokensPerMinute: { quotaCode: 'L-12' } } } }),
  ],
  [
    'processor.modelQuotas',
    dev('processor', { modelQuotas: { '*': { tokensPerMinute: 9, requestsPerMinute: -1 } } }),
  ],
  [
    'processor.modelQuotas',
    dev('processor', { modelQuotas: { '*': { tokensPerMinute: 9, tokensPerDay: 8 } } }),
  ],
  [
    'processor.modelQuotas',
    dev('processor', { modelQuotas: { '*': { tokensPerMinute: 9, outputBurndown: 0 } } }),
  ],
  ['processor.profileRegions', dev('processor', { profileRegions: { us: [] } })],
  ['processor.profileRegions', dev('processor', { profileRegions: { us: ['Virginia'] } })],
  ['processor.furtherModelArns', dev('processor', { furtherModelArns: ['a.model'] })],
  ['processor.guardrailKeyArns', dev('processor', { guardrailKeyArns: ['alias/guardrails'] })],
  ['processor.guardrailKeyArns', dev('processor', { guardrailKeyArns: [KEY.replace('theirs', '*')] })],
  [
    'processor.guardrailKeyArns',
    { ...dev('processor', { guardrailKeyArns: [KEY] }), region: 'us-east-1' },
  ],
  ['processor.guardrailProfileArns', dev('processor', { guardrailProfileArns: ['us.guardrail.v1:0'] })],
  ['api.memoryMiB', dev('api', { memoryMiB: 64 })],
  ['api.unknownUser', dev('api', { unknownUser: 'notfound' as 'not-found' })],
  ['api.cacheSeconds', dev('api', { cacheSeconds: 3601 })],
  ['api.cacheSeconds', dev('api', { cacheSeconds: -1 })],
  ['api.throttle', dev('api', { throttle: { rate: 0, burst: 0 } })],
  ['api.throttle', dev('api', { throttle: { rate: 100, burst: 0 } })],
  ['api.throttle', { ...PROD, api: { ...PROD.api, throttle: { rate: 5001, burst: 5000 } } }],
  ['api.throttle', { ...PROD, api: { ...PROD.api, throttle: { rate: 5000, burst: 5001 } } }],
  ['api.maxInstances', { ...PROD, api: { ...PROD.api, maxInstances: undefined } }],
  ['api.maxInstances', dev('api', { maxInstances: 0 })],
  ['api.allowedNetworks', dev('api', { allowedNetworks: [] })],
  ['api.allowedNetworks', dev('api', { allowedNetworks: ['192.0.2.0/24', 'braze.com'] })],
  ['api.allowedNetworks', dev('api', { allowedNetworks: ['192.0.2.0/33'] })],
  ['api.allowedNetworks', dev('api', { allowedNetworks: ['10.1.0.0/16'] })],
  ['api.allowedNetworks', dev('api', { allowedNetworks: ['192.0.2.0/24', '0.0.0.0/0'] })],
  ['api.perAddress', dev('api', { perAddress: { calls: 3000, except: ['192.0.2.0/24'] } })],
  ['api.perAddress', dev('api', { webAcl: true, perAddress: { calls: 9, except: ['192.0.2.0/24'] } })],
  ['api.perAddress', dev('api', { webAcl: true, perAddress: { calls: 3000, except: [] } })],
  ['api.perAddress', dev('api', { webAcl: true, perAddress: { calls: 3000, except: ['braze.com'] } })],
  ['api.perAddress', dev('api', { webAcl: true, perAddress: { calls: 3000, except: ['192.0.2.0/0'] } })],
  ['api.domain', dev('api', { domain: { ...DOMAIN, name: 'https://content.example.com' } })],
  ['api.domain', dev('api', { domain: { ...DOMAIN, certificateArn: 'content.example.com' } })],
  ['api.domain', dev('api', { domain: { ...DOMAIN, basePath: '/personal' } })],
  ['api.domain', dev('api', { domain: { ...DOMAIN, basePath: '' } })],
  ['api.domain', dev('api', { domain: { ...DOMAIN, basePath: 'ping' } })],
  ['api.domain', { ...dev('api', { domain: DOMAIN }), region: 'us-east-1' }],
  ['api.accountLogsRole', dev('api', { accountLogsRole: 'none' as 'exists' })],
  ['api.accountLogsRole', dev('api', { accountLogsRole: undefined })],
  ['api.accountLogsRole', behind('http', { accountLogsRole: 'create' })],
  ['api.accountLogsRole', behind('url', { accountLogsRole: 'exists' })],
  ['api.front', dev('api', { front: 'cloudfront' as 'rest' })],
  ['api.alb', dev('api', { alb: ALB })],
  ['api.alb', behind('url', { alb: ALB })],
  ['api.alb', behind('alb', { alb: undefined })],
  ['api.alb', behind('alb', { alb: { ...ALB, vpcId: 'default' } })],
  ['api.alb', behind('alb', { alb: { ...ALB, subnetIds: ALB.subnetIds.slice(1) } })],
  ['api.alb', behind('alb', { alb: { ...ALB, subnetIds: ['subnet-01', 'subnet-01'] } })],
  ['api.alb', behind('alb', { alb: { ...ALB, subnetIds: ['subnet-01', 'eu-central-1a'] } })],
  ['api.alb', behind('alb', { alb: { ...ALB, hostName: 'https://content.example.com/' } })],
  ['api.alb', behind('alb', { alb: { ...ALB, certificateArn: 'content.example.com' } })],
  ['api.alb', { ...behind('alb', {}), processor: PROD.processor, region: 'us-east-1' }],
  ['api.throttle', dev('api', { throttle: undefined })],
  ['api.throttle', behind('http', { throttle: undefined })],
  ['api.throttle', behind('http', { throttle: { rate: 5001, burst: 5000 } })],
  ['api.throttle', behind('alb', { throttle: { rate: 100, burst: 100 } })],
  ['api.throttle', behind('url', { throttle: { rate: 100, burst: 100 } })],
  ['api.maxInstances', { ...behind('alb', { maxInstances: undefined }), production: false }],
  ['api.maxInstances', { ...behind('url', { maxInstances: undefined }), production: false }],
  ['api.maxInstances', behind('url', { maxInstances: undefined })],
  ['api.webAcl', behind('http', { webAcl: true })],
  ['api.webAcl', behind('url', { webAcl: true })],
  ['api.domain', behind('alb', { domain: DOMAIN })],
  ['api.domain', behind('url', { domain: DOMAIN })],
  ['api.allowedNetworks', closed('http', ['192.0.2.0/24'])],
  ['api.allowedNetworks', closed('url', ['192.0.2.0/24'])],
  ['api.allowedNetworks', closed('alb', ['192.0.2.0/24', '2001:db8::/32'])],
  ['api.allowedNetworks', closed('alb', Array.from({ length: 61 }, (_, n) => `192.0.2.${n}`))],
  ['alarms.email', { ...PROD, alarms: { ...PROD.alarms, email: undefined }, budget: undefined }],
  ['alarms.email', dev('alarms', { email: 'on-call' })],
  ['alarms.email', dev('alarms', { email: '' })],
  ['alarms.runbookUrl', dev('alarms', { runbookUrl: '' })],
  ['alarms.iteratorAgeMinutes', dev('alarms', { iteratorAgeMinutes: 0 })],
  ['alarms.iteratorAgeMinutes', dev('alarms', { iteratorAgeMinutes: 167 * 60 })],
  [
    'alarms.iteratorAgeMinutes',
    { ...dev('alarms', { iteratorAgeMinutes: 23 * 60 }), stream: { retentionDays: 1 } },
  ],
  ['alarms.distinctPrompts', dev('alarms', { distinctPrompts: 0 })],
  ['alarms.distinctPrompts', dev('alarms', { distinctPrompts: 1 })],
  ['alarms.askAgeHours', dev('alarms', { askAgeHours: 0 })],
  ['alarms.askAgeHours', dev('alarms', { askAgeHours: 10 * 24 })],
  [
    'alarms.iteratorAgeMinutes',
    {
      ...dev('alarms', { iteratorAgeMinutes: 5 }),
      processor: { ...DEV.processor, batchWindowSeconds: 300 },
    },
  ],
  ['alarms.lookUpMillis', dev('alarms', { lookUpMillis: 2500 })],
  ['alarms.ticketEmail', dev('alarms', { email: 'on-call@example.com', ticketEmail: 'team' })],
  ['alarms.ticketEmail', dev('alarms', { ticketEmail: 'team@example.com' })],
  ['alarms.silenceHours.files', dev('alarms', { silenceHours: { files: 0 } })],
  ['alarms.silenceHours.posts', dev('alarms', { silenceHours: { posts: 169 } })],
  ['canary', { ...dev('api', { allowedNetworks: ['192.0.2.0/24'] }), canary: { campaign: 'canary' } }],
  ['canary.campaign', { ...DEV, canary: { campaign: 'canry' } }],
  ['budget', { ...DEV, budget: { monthlyUsd: 100, of: 'stack' } }],
  ['budget.monthlyUsd', { ...PROD, budget: { monthlyUsd: 0, of: 'stack' } }],
  ['budget.monthlyUsd', { ...PROD, budget: { monthlyUsd: NaN, of: 'account' } }],
  ['budget.of', { ...PROD, budget: { monthlyUsd: 1, of: 'team' as 'stack' } }],
];

test.each(FAULTY)('%s that cannot be is refused, and only that', (name, settings) => {
  expect(contradictions(settings, ASKED)).toEqual([expect.stringContaining(`${name}: `)]);
});

test('what a front cannot keep is refused with the front and what to choose', () => {
  const throttle = { rate: 1, burst: 1 };
  const { api } = closed('url', ['192.0.2.0/24']);
  const settings = behind('url', { ...api, domain: DOMAIN, throttle, webAcl: true });

  expect(contradictions({ ...settings, canary: undefined }, ASKED)).toEqual([
    "api.allowedNetworks: api.front is url: nobody is refused by network: say 'anyone', or choose rest or alb",
    'api.domain: api.front is url: has no such address: leave it out (alb has its hostName), or choose rest or http',
    'api.throttle: api.front is url: nothing counts calls: leave it out, and let api.maxInstances limit them, or choose rest or http',
    'api.webAcl: api.front is url: AWS WAF cannot stand before it: say false, or choose rest or alb',
  ]);
});

test.each(Object.entries(FRONTS))('every part can be had behind %s, but for what it cannot keep', (_, settings) => {
  expect(contradictions(settings, ASKED)).toEqual([]);
});

test('a model behind a profile of the account must be named, as the campaigns ask for it', () => {
  const profile = 'arn:aws:bedrock:eu-central-1:111122223333:application-inference-profile/abc';
  const asked = { ...ASKED, models: [profile], guardrails: [] };

  expect(contradictions(DEV, asked)).toEqual([
    expect.stringMatching(/^processor\.furtherModelArns: .*abc/),
  ]);
});

test('a canary without its campaign is refused with where to find one', () => {
  const settings: Environment = { ...DEV, canary: { campaign: 'canary' } };

  expect(contradictions(settings, { ...ASKED, campaigns: ['new-episode'] })).toEqual([
    'canary.campaign: is none of new-episode: copy examples/canary/campaigns/canary to your campaigns, or leave canary out',
  ]);
});

test('a key of guardrails is refused where no campaign names one', () => {
  const settings = dev('processor', { guardrailKeyArns: [KEY] });

  expect(contradictions(settings, { ...ASKED, guardrails: [] })).toEqual([
    expect.stringMatching(/^processor\.guardrailKeyArns: .*leave it out/),
  ]);
  expect(contradictions(settings, ASKED)).toEqual([]);
});

test('more models than have room in the environment of a function are refused with how many have', () => {
  const models = (count: number) =>
    Array.from({ length: count }, (_, n) => `us.anthropic.claude-haiku-4-5-2025100${n}-v1:0`);
  const found = (count: number) => contradictions(DEV, { ...ASKED, models: models(count), guardrails: [] });
  const most = [1, 2, 3, 4, 5, 6, 7, 8, 9].filter((count) => found(count).length === 0);

  expect(most).toEqual([1, 2, 3, 4, 5, 6]);
  expect(found(9)).toEqual([
    expect.stringMatching(/^asks: .* of 9 models, .* of which Lambda takes 4096; 6 models find room: /),
  ]);
});

test('models that the campaigns had take room as well', () => {
  const formerModels = Array.from({ length: 9 }, (_, n) => `former.model-${n}`);

  expect(contradictions(dev('asks', { formerModels }), ASKED)).toEqual([
    expect.stringMatching(/of 10 models, 9 of them in asks\.formerModels/),
  ]);
});

test.each<[string, Environment]>([
  ['the largest of everything', {
    ...DEV,
    ingest: {
      ...DEV.ingest,
      memoryMiB: 10_240,
      maxConcurrency: 1000,
      streamBuckets: 65_535,
      maxBlockMiB: 5056,
    },
    stream: { shards: 200, retentionDays: 365 },
    processor: {
      ...DEV.processor,
      batchSize: 10_000,
      batchWindowSeconds: 300,
      maxInstances: 2000,
      parallelizationFactor: 10,
    },
    asks: { maxInstances: 5 },
    alarms: { ...DEV.alarms, askAgeHours: 239, iteratorAgeMinutes: 167 * 60 },
  }],
  ['the smallest of everything', {
    ...DEV,
    logRetentionDays: 1,
    currents: { retentionDays: 2 },
    ingest: { doorMemoryMiB: 128, doorMaxInstances: 1, memoryMiB: 130, maxConcurrency: 2, streamBuckets: 1, streamFormat: 'zstd', unmarkedFields: 'pass', maxBlockMiB: 1 },
    stream: { shards: 1, retentionDays: 1 },
    processor: {
      ...DEV.processor,
      batchSize: 1,
      batchWindowSeconds: 0,
      contentForm: 'compact',
      maxInstances: 1,
    },
    asks: { maxInstances: 1, formerModels: [] },
    alarms: { ...DEV.alarms, askAgeHours: 1, iteratorAgeMinutes: 1, lookUpMillis: 1 },
  }],
  ['a canary', { ...DEV, canary: { campaign: 'canary' } }],
  ['networks of the sixth version', dev('api', { allowedNetworks: ['2001:db8::/32', '192.0.2.7/32'] })],
  ['networks that a load balancer lets in', closed('alb', Array.from({ length: 60 }, (_, n) => `192.0.2.${n}`))],
  ['logs that never end', { ...DEV, logRetentionDays: 9999 }],
  ['regions of other partitions', { ...DEV, region: 'us-gov-west-1' }],
])('what AWS takes is taken: %s', (_, settings) => {
  expect(contradictions(settings, ASKED)).toEqual([]);
});
