import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { expect, test } from 'vitest';

import { contradictions } from '../lib/contradictions.js';
import { environment, type Environment } from '../lib/environments.js';
import { DEV, EVERYTHING, example, PROD } from './example.js';

test('settings that contradict each other are not deployed, and all are named at once', () => {
  const settings: Environment = {
    ...environment('prod'),
    stream: { retentionDays: 1 },
    processor: { ...PROD.processor, maxInstances: 2 },
  };

  expect(() => example(settings)).toThrow(/stream\.retentionDays: .*24 h/);
  expect(() => example(settings)).toThrow(/parallelizationFactor: 4 batches of one shard/);
  expect(() => example(settings)).toThrow(/alarms\.email: production needs somebody/);
});

test('the stages are deployable, but for the address that only an operator knows', () => {
  expect(contradictions(DEV)).toEqual([]);
  expect(contradictions(EVERYTHING)).toEqual([]);
  expect(contradictions(environment('prod'))).toEqual([expect.stringMatching(/^alarms\.email/)]);
});

test.each<[string, (dev: Environment) => Environment]>([
  ['stream.shards', (dev) => ({ ...dev, stream: { ...dev.stream, shards: 0 } })],
  ['ingest.streamBuckets', (dev) => ({ ...dev, stream: { ...dev.stream, shards: 200 } })],
  ['alarms.iteratorAgeMinutes', (dev) => ({ ...dev, alarms: { ...dev.alarms, iteratorAgeMinutes: 1440 } })],
  ['alarms.email', (dev) => ({ ...dev, alarms: { ...dev.alarms, email: 'on-call' } })],
  ['alarms.lookUpMillis', (dev) => ({ ...dev, alarms: { ...dev.alarms, lookUpMillis: 2500 } })],
  ['logRetentionDays', (dev) => ({ ...dev, logRetentionDays: 8 as RetentionDays })],
  ['api.memoryMiB', (dev) => ({ ...dev, api: { ...dev.api, memoryMiB: 64 } })],
  ['api.throttle', (dev) => ({ ...dev, api: { ...dev.api, throttle: { rate: 0, burst: 0 } } })],
  ['api.allowedNetworks', (dev) => ({ ...dev, api: { ...dev.api, allowedNetworks: [] } })],
  ['ingest.maxConcurrency', (dev) => ({ ...dev, ingest: { ...dev.ingest, maxConcurrency: 1 } })],
  ['ingest.maxBlockMiB', (dev) => ({ ...dev, ingest: { ...dev.ingest, maxBlockMiB: 400 } })],
  ['processor.batchWindowSeconds', (dev) => ({ ...dev, processor: { ...dev.processor, batchWindowSeconds: 301 } })],
  ['processor.batchSize', (dev) => ({ ...dev, processor: { ...dev.processor, batchSize: 20_000 } })],
  ['processor.maxRecordAgeHours', (dev) => ({ ...dev, stream: { retentionDays: 30 }, processor: { ...dev.processor, maxRecordAgeHours: 200 } })],
  ['processor.modelQuotas', (dev) => ({ ...dev, processor: { ...dev.processor, modelQuotas: {} } })],
  ['currents.existingBucketKeyArn', (dev) => ({ ...dev, currents: { ...dev.currents, existingBucketKeyArn: 'arn:aws:kms:here:1:key/k' } })],
  ['currents.prefix', (dev) => ({ ...dev, currents: { ...dev.currents, prefix: '/exports' } })],
])('%s that cannot be is refused', (name, change) => {
  expect(contradictions(change(DEV))).toEqual([expect.stringContaining(`${name}: `)]);
});
