import { Duration, Names } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

import type { AccessLogs } from './access-logs.js';
import { HOUR, PERIOD } from './alarms.js';
import { answerer, type AnswererProps } from './answerer.js';
import type { Environment } from './environments.js';
import { share, unfollowed, without } from './expressions.js';
import { acknowledgeObjects } from './findings.js';
import { privateBucket } from './private-bucket.js';
import { measuredOfCampaign, type Program } from './program.js';
import type { UserRecords } from './user-records.js';

/** Records that the event source gave up can be looked at this long; they hold users' events. */
const GIVEN_UP_RETENTION = Duration.days(30);

/** Lambda writes them under `aws/lambda/`, but AWS documents the permission for all keys. */
const GIVEN_UP_KEYS = '*';

/**
 * How often Lambda retries a batch, the most that it takes. Records go back where tables or queues
 * cannot be reached, and those beyond what an invocation holds in memory. AWS does not say how long it
 * waits between two deliveries: if it did not wait at all, so many would still outlast an outage of some
 * hours. A record that ends the function is found by the program itself, after a few.
 */
export const RETRY_ATTEMPTS = 10_000;

/**
 * What Lambda does with the stream in the function's name, of what AWS lists for it: to list all
 * streams, or to subscribe, is not needed by a function that has no consumer of its own.
 * <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html>
 */
const READING = [
  'kinesis:DescribeStream',
  'kinesis:DescribeStreamSummary',
  'kinesis:GetRecords',
  'kinesis:GetShardIterator',
  'kinesis:ListShards',
];

/** What is left of a record's time on the stream when it is given up, to be kept elsewhere. */
const LEFT_HOURS = 1;

/** The oldest that Lambda lets a record become. */
const OLDEST_HOURS = 7 * 24;

/** When a record is given up, by how long the stream keeps it. */
export function maxRecordAgeHours(retentionDays: number): number {
  return Math.min(retentionDays * 24 - LEFT_HOURS, OLDEST_HOURS);
}

/** Calls of an hour, before they say anything of how much prompts differ: those of new campaigns do. */
const LEAST_CALLS = 1000;

/** Calls of five minutes that the service fails, before they are a rate. */
const LEAST_FAILED_CALLS = 5;

/** Work towards content: the model was asked, or what could not be done was given back. */
const TRIED = ['generations', 'calls_failed', 'events_returned', 'asks_returned'];

/** What came to nothing as its campaign had spent its budget. */
const OVER_BUDGET = ['events_skipped_over_budget', 'asks_skipped_over_budget'];

export interface ProcessorProps extends AnswererProps {
  readonly accessLogs: AccessLogs;
  readonly records: UserRecords;
}

/** Reads the stream, answers what the quota has room for, and lets asks wait for the rest. */
export class Processor extends Construct {
  readonly program: Program;

  /** Contents that either function that answers stored. */
  readonly stored: cloudwatch.Metric;

  /** Reads the stream for it. */
  readonly source: lambda.IEventSourceMapping;

  /** What the event source gave up, with its records, which a queue would not get. */
  readonly givenUp: s3.Bucket;

  constructor(scope: Construct, id: string, props: ProcessorProps) {
    super(scope, id);
    this.givenUp = privateBucket(this, 'GivenUp', {
      accessLogs: props.accessLogs,
      key: props.encryption.incoming,
      lifecycleRules: [{ expiration: GIVEN_UP_RETENTION }],
    });
    this.program = answerer(this, props, {
      name: 'processor',
      reservedConcurrency: props.environment.processor.maxInstances,
    });
    this.stored = this.program.measured('contents_stored');
    props.asks.grantSend(this.program.role);
    this.grantUsers(props);
    this.grantGivenUp(props);
    this.source = this.listen(props);
    this.watch(props);
  }

  /**
   * New users and deleted ones are told by the stream, so only who reads it begins to remember somebody,
   * beside a check that they are not deleted, and looks for all of a user.
   */
  private grantUsers({ tables }: ProcessorProps): void {
    const { role } = this.program;
    tables.content.grant(role, 'dynamodb:ConditionCheckItem', 'dynamodb:DeleteItem', 'dynamodb:Query');
  }

  private grantGivenUp({ encryption }: ProcessorProps): void {
    const { role } = this.program;
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
    encryption.grant(role, 'filesWritten');
    acknowledgeObjects(role, this.givenUp, GIVEN_UP_KEYS, 'Lambda names these objects');
  }

  /** CDK's own event source would grant more than Lambda needs, the key without a condition too. */
  private listen({ encryption, environment, records }: ProcessorProps): lambda.IEventSourceMapping {
    const settings = environment.processor;
    const { stream } = records;
    const id = `KinesisEventSource:${Names.nodeUniqueId(stream.node)}`;
    const source = this.program.live.addEventSourceMapping(id, {
      eventSourceArn: stream.streamArn,
      startingPosition: lambda.StartingPosition.TRIM_HORIZON,
      batchSize: settings.batchSize,
      maxBatchingWindow: Duration.seconds(settings.batchWindowSeconds),
      parallelizationFactor: settings.parallelizationFactor,
      bisectBatchOnError: true,
      reportBatchItemFailures: true,
      maxRecordAge: Duration.hours(maxRecordAgeHours(environment.stream.retentionDays)),
      retryAttempts: RETRY_ATTEMPTS,
      metricsConfig: { metrics: [lambda.MetricType.EVENT_COUNT] },
      onFailure: { bind: () => ({ destination: this.givenUp.bucketArn }) },
      supportS3OnFailureDestination: true,
    });
    stream.grant(this.program.role, ...READING);
    encryption.grant(this.program.role, 'streamRead');
    return source;
  }

  /** Contents that were stored, but for the canary's: they say nothing of those of users. */
  private storedOfUsers({ canary }: Environment): cloudwatch.IMetric {
    if (canary === undefined) {
      return this.stored;
    }
    return without(this.stored, measuredOfCampaign(this, canary.campaign, 'contents_stored'));
  }

  private watch({ alarms, asked, environment, records }: ProcessorProps): void {
    alarms.watch(this, {
      name: 'events-unread',
      means: 'Records come onto the stream, and the processor is not started for them.',
      rings: 'content-stops',
      metric: unfollowed(
        records.stream.metricIncomingRecords({ period: PERIOD, statistic: 'Sum' }),
        this.program.function.metricInvocations({ period: PERIOD }),
      ),
      above: 0,
      periods: 3,
    });
    alarms.watch(this, {
      name: 'nothing-stored',
      means: 'For half an hour the model is asked, or work is given back, and no content is stored.',
      rings: 'content-stops',
      metric: unfollowed(this.program.measuredOf(TRIED), this.storedOfUsers(environment)),
      above: 0,
      periods: 6,
    });
    alarms.watch(this, {
      name: 'events-late',
      means: 'The oldest event on the stream waits too long to be taken up.',
      rings: 'content-stops',
      metric: this.program.function.metric('IteratorAge', { period: PERIOD, statistic: 'Maximum' }),
      above: Duration.minutes(alarms.settings.iteratorAgeMinutes).toMilliseconds(),
      periods: 2,
    });
    const counted = (metricName: string) =>
      new cloudwatch.Metric({
        namespace: 'AWS/Lambda',
        metricName,
        dimensionsMap: { EventSourceMappingUUID: this.source.eventSourceMappingId },
        period: PERIOD,
        statistic: 'Sum',
      });
    alarms.watch(this, {
      name: 'records-given-up',
      means: 'The event source gave records up.',
      rings: 'page',
      metric: counted('OnFailureDestinationDeliveredEventCount'),
      above: 0,
    });
    alarms.watch(this, {
      name: 'records-given-up',
      of: 'lost',
      means: 'The event source gave records up and could not keep them.',
      rings: 'page',
      metric: counted('DroppedEventCount'),
      above: 0,
    });
    alarms.watch(this, {
      name: 'budget-spent',
      means: 'A campaign has spent its budget of the day; its events get no content.',
      rings: 'ticket',
      metric: this.program.measuredOf(OVER_BUDGET),
      above: 0,
    });
    alarms.watch(this, {
      name: 'campaign-halted',
      means: 'The account may not call the model of a campaign, whose asks wait.',
      rings: 'page',
      metric: this.program.measured('campaigns_halted'),
      above: 0,
    });
    const { distinctPrompts } = alarms.settings;
    if (distinctPrompts !== undefined) {
      alarms.watch(this, {
        name: 'prompts-differ',
        means: 'More prompts differ than should: each costs a call of the model.',
        rings: 'ticket',
        metric: share({
          label: 'calls for each content',
          bad: this.program.measured('generations').with({ period: HOUR }),
          all: this.stored.with({ period: HOUR }),
          least: LEAST_CALLS,
          period: HOUR,
        }),
        above: distinctPrompts,
      });
    }
    for (const model of asked.models) {
      alarms.watch(this, {
        name: 'model-throttled',
        of: model,
        means: `Amazon Bedrock refuses calls of ${model} for reasons of quota.`,
        rings: 'ticket',
        metric: modelMetric(model, 'InvocationThrottles'),
        above: 0,
        periods: 3,
      });
      alarms.watch(this, {
        name: 'model-failing',
        of: model,
        means: `Amazon Bedrock fails more than half of the calls of ${model}.`,
        rings: 'content-stops',
        metric: share({
          label: 'failed',
          bad: modelMetric(model, 'InvocationServerErrors'),
          all: new cloudwatch.MathExpression({
            // The service counts those that worked by themselves.
            expression: 'failed + FILL(worked, 0)',
            label: 'calls',
            period: PERIOD,
            usingMetrics: {
              failed: modelMetric(model, 'InvocationServerErrors'),
              worked: modelMetric(model, 'Invocations'),
            },
          }),
          least: LEAST_FAILED_CALLS,
        }),
        above: 0.5,
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
