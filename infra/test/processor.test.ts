import { Match } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';

import mapping from '../../contract/golden/event-source.json' with { type: 'json' };
import { DEV, example } from './example.js';

const { template } = example();

/** The event source that reads the stream. */
const FROM_STREAM = {
  EventSourceArn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^UserRecords'), 'Arn'] },
};

test('a poison record cannot stall its shard', () => {
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    ...FROM_STREAM,
    BisectBatchOnFunctionError: true,
    DestinationConfig: { OnFailure: { Destination: Match.anyValue() } },
    FunctionResponseTypes: ['ReportBatchItemFailures'],
    MaximumRecordAgeInSeconds: (7 * 24 - 1) * 3600,
  });
});

test('a run on one machine has the mapping that is deployed', () => {
  const { Timeout, ...source } = mapping;

  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', { ...FROM_STREAM, ...source });
  template.hasResourceProperties('AWS::Lambda::Function', {
    Environment: { Variables: Match.objectLike({ MODEL_QUOTAS: Match.anyValue() }) },
    Timeout,
  });
});

// https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html
test('deliveries end some time, but not before an outage of some hours does', () => {
  const [mapping] = Object.values(template.findResources('AWS::Lambda::EventSourceMapping', { Properties: FROM_STREAM }));
  const retries = mapping?.Properties.MaximumRetryAttempts;
  // Were they to follow each other at once, with as little as two seconds for the SDK's attempts.
  const hours = (retries * 2) / 3600;

  expect(retries).toBeLessThanOrEqual(10_000);
  expect(hours).toBeGreaterThan(5);
});

test('an operator says how batches are made', () => {
  const processor = {
    ...DEV.processor,
    batchSize: 100,
    batchWindowSeconds: 1,
    maxInstances: 40,
    parallelizationFactor: 10,
  };
  const { template } = example({ ...DEV, processor });

  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    ...FROM_STREAM,
    BatchSize: 100,
    MaximumBatchingWindowInSeconds: 1,
    ParallelizationFactor: 10,
  });
});

test('what the event source gives up is kept with its records, in private, for thirty days', () => {
  const buckets = template.findResources('AWS::S3::Bucket', {
    Properties: {
      LifecycleConfiguration: {
        Rules: Match.arrayWith([{ ExpirationInDays: 30, Status: 'Enabled' }]),
      },
    },
  });
  const bucket = Object.keys(buckets).find((id) => id.startsWith('ProcessorGivenUp'));

  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': [bucket, 'Arn'] } } },
  });
});

test.each([1, 2, 7, 30])('a record is kept elsewhere before the stream of %i days drops it', (retentionDays) => {
  const { template } = example({ ...DEV, stream: { retentionDays } });
  const [mapping] = Object.values(template.findResources('AWS::Lambda::EventSourceMapping', { Properties: FROM_STREAM }));
  const hours = mapping?.Properties.MaximumRecordAgeInSeconds / 3600;

  template.hasResourceProperties('AWS::Kinesis::Stream', { RetentionPeriodHours: retentionDays * 24 });
  expect(hours).toBeLessThan(retentionDays * 24);
  expect(hours).toBeGreaterThanOrEqual(Math.min(retentionDays * 24 - 1, 7 * 24));
});

test('the stream grows by itself, or has the shards that an operator names', () => {
  template.hasResourceProperties('AWS::Kinesis::Stream', {
    ShardCount: Match.absent(),
    StreamModeDetails: { StreamMode: 'ON_DEMAND' },
  });
  const provisioned = example({
    ...DEV,
    processor: { ...DEV.processor, maxInstances: 8 },
    stream: { ...DEV.stream, shards: 8 },
  });
  provisioned.template.hasResourceProperties('AWS::Kinesis::Stream', {
    ShardCount: 8,
    StreamModeDetails: { StreamMode: 'PROVISIONED' },
  });
});

test('every function writes one log that ends, is traced unless it is called often, and runs on the processors asked for', () => {
  const { template } = example({ ...DEV, architecture: 'arm64' });
  for (const [name, isCalledOften] of [['Ingest'], ['Processor'], ['AsksWorker'], ['Api', true]] as const) {
    template.hasResourceProperties('AWS::Lambda::Function', {
      Architectures: ['arm64'],
      LoggingConfig: {
        LogGroup: { Ref: Match.stringLikeRegexp(`^${name}ProgramLog`) },
        SystemLogLevel: isCalledOften ? 'WARN' : Match.absent(),
      },
      Runtime: 'provided.al2023',
      TracingConfig: isCalledOften ? Match.absent() : { Mode: 'Active' },
    });
  }
  template.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: Match.anyValue() });
});
