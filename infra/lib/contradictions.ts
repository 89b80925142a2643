import { RetentionDays } from 'aws-cdk-lib/aws-logs';

import type { Environment } from './environments.js';

/** One setting that cannot be as it is, and what to do. */
type Fault = readonly [setting: string, isWrong: boolean, remedy: string];

/** Lambda takes no other time. */
const MAX_BATCH_WINDOW_SECONDS = 300;

/** SQS polls for so many instances at least and at most. */
const CONCURRENCY = [2, 1000] as const;

/** The settings of a stage that contradict each other or what AWS takes, each with what to do. */
export function contradictions(settings: Environment): string[] {
  const faults = [...ofStream(settings), ...ofFunctions(settings), ...ofTheRest(settings)];
  return faults.filter(([, isWrong]) => isWrong).map(([name, , remedy]) => `${name}: ${remedy}`);
}

/** Refuses settings that contradict each other, all at once. */
export function refuseContradictions(settings: Environment): void {
  const found = contradictions(settings);
  if (found.length > 0) {
    throw new Error(`the stage's settings cannot be deployed:\n  ${found.join('\n  ')}`);
  }
}

function ofStream({ alarms, ingest, processor, stream }: Environment): Fault[] {
  const retentionHours = stream.retentionDays * 24;
  const batches = (stream.shards ?? 1) * processor.parallelizationFactor;
  return [
    [
      'stream.retentionDays',
      retentionHours <= processor.maxRecordAgeHours,
      `records leave the stream after ${retentionHours} h, and processor.maxRecordAgeHours keeps trying for ${processor.maxRecordAgeHours} h: keep them longer, or give up sooner`,
    ],
    ['stream.retentionDays', !within(stream.retentionDays, 1, 365), 'Kinesis keeps records 1 to 365 days'],
    [
      'stream.shards',
      stream.shards !== undefined && !within(stream.shards, 1, 10_000),
      'a stream has at least one shard; leave it out for an on-demand stream',
    ],
    [
      'ingest.streamBuckets',
      !within(ingest.streamBuckets, 1, 65_535) || ingest.streamBuckets < batches,
      `${ingest.streamBuckets} groups of users cannot fill ${batches} batches at a time: set it to ${batches} or more, 65535 at most`,
    ],
    [
      'alarms.iteratorAgeMinutes',
      alarms.iteratorAgeMinutes >= processor.maxRecordAgeHours * 60,
      `it would ring when records are given up already, after processor.maxRecordAgeHours (${processor.maxRecordAgeHours} h): set it lower`,
    ],
  ];
}

function ofFunctions({ api, ingest, processor }: Environment): Fault[] {
  const memory = Object.entries({ ingest, processor, api }).map(
    ([name, { memoryMiB }]): Fault => [
      `${name}.memoryMiB`,
      !within(memoryMiB, 128, 10_240),
      'a function has 128 to 10240 MiB',
    ],
  );
  return [
    ...memory,
    [
      'processor.parallelizationFactor',
      !within(processor.parallelizationFactor, 1, 10),
      'Lambda works on 1 to 10 batches of a shard at a time',
    ],
    [
      'processor.parallelizationFactor',
      processor.parallelizationFactor > processor.maxInstances,
      `${processor.parallelizationFactor} batches of one shard need as many instances, and processor.maxInstances is ${processor.maxInstances}: lower it, or raise maxInstances`,
    ],
    ['processor.batchSize', !within(processor.batchSize, 1, 10_000), 'a batch has 1 to 10000 records'],
    [
      'processor.batchWindowSeconds',
      !within(processor.batchWindowSeconds, 0, MAX_BATCH_WINDOW_SECONDS),
      `Lambda waits 0 to ${MAX_BATCH_WINDOW_SECONDS} seconds for a batch`,
    ],
    [
      'processor.maxRecordAgeHours',
      !within(processor.maxRecordAgeHours, 1, 168),
      'Lambda takes an age of up to 168 hours',
    ],
    [
      'processor.retryAttempts',
      processor.retryAttempts !== undefined && !within(processor.retryAttempts, 0, 10_000),
      'Lambda takes 0 to 10000; leave it out to let the age alone decide',
    ],
    ['processor.maxInstances', processor.maxInstances < 1, 'at least one instance must run'],
    [
      'processor.modelQuotas',
      Object.keys(processor.modelQuotas).length === 0,
      "give the account's quota of each model, or of '*' for every other",
    ],
    [
      'ingest.maxConcurrency',
      !within(ingest.maxConcurrency, ...CONCURRENCY),
      `SQS takes ${CONCURRENCY[0]} to ${CONCURRENCY[1]}`,
    ],
    [
      'ingest.maxBlockMiB',
      ingest.memoryMiB < 2 * ingest.maxBlockMiB,
      `an instance holds two blocks: raise ingest.memoryMiB to ${2 * ingest.maxBlockMiB} and more, or lower it`,
    ],
  ];
}

function ofTheRest({ alarms, api, currents, logRetentionDays, production }: Environment): Fault[] {
  const kept = Object.values(RetentionDays).filter((days) => typeof days === 'number');
  return [
    [
      'alarms.email',
      production && !alarms.email,
      'production needs somebody who is told: name an address that is read at night too',
    ],
    [
      'alarms.email',
      alarms.email !== undefined && !/^[^@\s]+@[^@\s]+$/.test(alarms.email),
      'is no address',
    ],
    [
      'alarms.lookUpMillis',
      !within(alarms.lookUpMillis, 1, 2000),
      'Braze gives up after 2000 ms, so a later alarm is none',
    ],
    [
      'logRetentionDays',
      !kept.includes(logRetentionDays),
      `CloudWatch keeps logs ${kept.filter((days) => days < 9999).join(', ')} days`,
    ],
    [
      'currents.existingBucketKeyArn',
      currents.existingBucketKeyArn !== undefined && currents.existingBucket === undefined,
      'is of an existing bucket, and none is named: name existingBucket, or leave it out',
    ],
    [
      'currents.existingBucketKeyArn',
      currents.existingBucketKeyArn !== undefined && !/^arn:[^:]+:kms:/.test(currents.existingBucketKeyArn),
      'is the ARN of a key in AWS KMS',
    ],
    ['currents.retentionDays', currents.retentionDays < 1, 'files must stay for a day at least'],
    [
      'currents.prefix',
      currents.prefix?.startsWith('/') === true,
      'keys of objects do not begin with a slash',
    ],
    [
      'currents.braze',
      currents.braze !== undefined && !/^\d{12}$/.test(currents.braze.accountId),
      "accountId has twelve digits, as Braze's page shows it",
    ],
    ['api.cacheSeconds', !within(api.cacheSeconds, 0, 3600), 'is 0 to 3600'],
    [
      'api.throttle',
      api.throttle.rate < 1 || api.throttle.burst < 1,
      'lets no look-up through: give rate and burst',
    ],
    [
      'api.allowedNetworks',
      api.allowedNetworks?.length === 0,
      'lets nobody in: name networks, or leave it out for everybody with the credentials',
    ],
  ];
}

function within(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
