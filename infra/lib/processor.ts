import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as sources from 'aws-cdk-lib/aws-lambda-event-sources';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

import type { AccessLogs } from './access-logs.js';
import { type Alarms, PERIOD } from './alarms.js';
import { grantBedrock } from './bedrock-access.js';
import type { AskedOfBedrock } from './campaigns.js';
import type { DeadLetters } from './dead-letters.js';
import type { Encryption } from './encryption.js';
import type { Environment } from './environments.js';
import { acknowledgeObjects } from './findings.js';
import { ModelQuotas } from './model-quotas.js';
import { privateBucket } from './private-bucket.js';
import { Program } from './program.js';
import type { Tables } from './tables.js';
import type { UserRecords } from './user-records.js';

/** An invocation stops asking the model in time before it ends. */
const TIMEOUT = Duration.minutes(5);

/** Records that the event source gave up can be looked at this long; they hold users' events. */
const GIVEN_UP_RETENTION = Duration.days(30);

/** Lambda writes them under `aws/lambda/`, but AWS documents the permission for all keys. */
const GIVEN_UP_KEYS = '*';

export interface ProcessorProps {
  readonly accessLogs: AccessLogs;
  readonly codePath: string;
  readonly environment: Environment;
  readonly alarms: Alarms;
  readonly encryption: Encryption;
  readonly records: UserRecords;
  readonly tables: Tables;
  readonly deadLetters: DeadLetters;
  readonly asked: AskedOfBedrock;
}

/** Reads the stream, asks the model within its quota, writes the content table. */
export class Processor extends Construct {
  readonly program: Program;

  /** What the event source gave up, with its records, which a queue would not get. */
  readonly givenUp: s3.Bucket;

  constructor(scope: Construct, id: string, props: ProcessorProps) {
    super(scope, id);
    const settings = props.environment.processor;
    const quotas = new ModelQuotas(this, 'ModelQuotas', {
      quotas: settings.modelQuotas,
      settings: props.environment,
    });
    this.givenUp = privateBucket(this, 'GivenUp', {
      accessLogs: props.accessLogs,
      encryption: props.encryption,
      lifecycleRules: [{ expiration: GIVEN_UP_RETENTION }],
    });
    this.program = new Program(this, 'Program', {
      name: 'processor',
      codePath: props.codePath,
      environment: props.environment,
      alarms: props.alarms,
      memoryMiB: settings.memoryMiB,
      timeout: TIMEOUT,
      // While the table of the quota is out of reach, each instance keeps to its share of it.
      reservedConcurrency: settings.maxInstances,
      settings: {
        CONTENT_TABLE: props.tables.content.tableName,
        COORDINATION_TABLE: props.tables.coordination.tableName,
        DEAD_LETTER_QUEUE_URL: props.deadLetters.queue.queueUrl,
        MAX_CONCURRENT_GENERATIONS: String(settings.maxConcurrentGenerations),
        MAX_INSTANCES: String(settings.maxInstances),
        MODEL_QUOTAS: quotas.json,
      },
    });
    this.grant(props);
    this.watch(props, this.listen(props));
  }

  private grant({ asked, deadLetters, encryption, environment, tables }: ProcessorProps): void {
    const { role } = this.program;
    tables.content.grant(
      role,
      'dynamodb:BatchGetItem',
      'dynamodb:ConditionCheckItem',
      'dynamodb:DeleteItem',
      'dynamodb:PutItem',
      'dynamodb:Query',
      'dynamodb:UpdateItem',
    );
    tables.coordination.grant(
      role,
      'dynamodb:BatchGetItem',
      'dynamodb:DeleteItem',
      'dynamodb:GetItem',
      'dynamodb:PutItem',
      'dynamodb:UpdateItem',
    );
    deadLetters.queue.grant(role, 'sqs:SendMessage');
    encryption.grantTableWrite(role);
    grantBedrock(role, {
      ...asked,
      profileRegions: environment.processor.profileRegions,
      furtherModelArns: environment.processor.furtherModelArns,
      guardrailProfileArns: environment.processor.guardrailProfileArns,
    });
    // The event source writes what it gave up in the function's name.
    role.addToPrincipalPolicy(
      new iam.PolicyStatement({
        actions: ['s3:ListBucket'],
        resources: [this.givenUp.bucketArn],
      }),
    );
    role.addToPrincipalPolicy(
      new iam.PolicyStatement({
        actions: ['s3:PutObject'],
        resources: [this.givenUp.arnForObjects(GIVEN_UP_KEYS)],
      }),
    );
    acknowledgeObjects(role, this.givenUp, GIVEN_UP_KEYS, 'Lambda names these objects');
  }

  private listen({ environment, records }: ProcessorProps): sources.KinesisEventSource {
    const settings = environment.processor;
    const source = new sources.KinesisEventSource(records.stream, {
      startingPosition: lambda.StartingPosition.TRIM_HORIZON,
      batchSize: settings.batchSize,
      maxBatchingWindow: Duration.seconds(settings.batchWindowSeconds),
      parallelizationFactor: settings.parallelizationFactor,
      bisectBatchOnError: true,
      reportBatchItemFailures: true,
      maxRecordAge: Duration.hours(settings.maxRecordAgeHours),
      // What waits for the quota is delivered again and again, so that only age decides by default.
      ...(settings.retryAttempts !== undefined && { retryAttempts: settings.retryAttempts }),
      metricsConfig: { metrics: [lambda.MetricType.EVENT_COUNT] },
      onFailure: { bind: () => ({ destination: this.givenUp.bucketArn }) },
    });
    this.program.function.addEventSource(source);
    return source;
  }

  private watch({ alarms, asked }: ProcessorProps, source: sources.KinesisEventSource): void {
    alarms.watch(this, {
      name: 'events-late',
      means: 'The oldest event on the stream waits too long for its content.',
      metric: this.program.function.metric('IteratorAge', { period: PERIOD, statistic: 'Maximum' }),
      above: Duration.minutes(alarms.settings.iteratorAgeMinutes).toMilliseconds(),
      periods: 2,
    });
    const counted = (metricName: string) =>
      new cloudwatch.Metric({
        namespace: 'AWS/Lambda',
        metricName,
        dimensionsMap: { EventSourceMappingUUID: source.eventSourceMappingId },
        period: PERIOD,
        statistic: 'Sum',
      });
    alarms.watch(this, {
      name: 'records-given-up',
      means: 'The event source gave records up.',
      metric: counted('OnFailureDestinationDeliveredEventCount'),
      above: 0,
    });
    alarms.watch(this, {
      name: 'records-given-up',
      of: 'lost',
      means: 'The event source gave records up and could not keep them.',
      metric: counted('DroppedEventCount'),
      above: 0,
    });
    alarms.watch(this, {
      name: 'budget-spent',
      means: 'A campaign has spent its budget of the day; its events get no content.',
      metric: this.program.count('InvocationsOverBudget', 'events_skipped_over_budget'),
      above: 0,
    });
    for (const model of asked.models) {
      alarms.watch(this, {
        name: 'model-throttled',
        of: model,
        means: `Amazon Bedrock refuses calls of ${model} for reasons of quota.`,
        metric: modelMetric(model, 'InvocationThrottles'),
        above: 0,
        periods: 3,
      });
    }
  }
}

/** A metric of Amazon Bedrock about a model or profile. */
export function modelMetric(model: string, metricName: string): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: 'AWS/Bedrock',
    metricName,
    dimensionsMap: { ModelId: model },
    period: PERIOD,
    statistic: 'Sum',
  });
}
