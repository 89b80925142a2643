import { CfnOutput, Duration } from 'aws-cdk-lib';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

import { type Alarms, HOUR } from './alarms.js';
import type { Encryption } from './encryption.js';
import { share } from './expressions.js';
import { acknowledge } from './findings.js';
import { keptIf } from './removal.js';
import type { UserRecords } from './user-records.js';

/** The longest that SQS keeps a message. */
export const LONGEST_RETENTION = Duration.days(14);

/** What is as old, of what SQS keeps so long, has some days left for somebody to look at. */
export const OLD = Duration.days(10);

/** After so long with letters in it somebody should have looked: the longest that CloudWatch looks back. */
const NEVER_EMPTY = Duration.days(7);

/** Letters of an hour before they are a rate. */
const LEAST_LETTERS = 20;

export interface DeadLettersProps {
  readonly production: boolean;
  readonly encryption: Encryption;
  readonly alarms: Alarms;
  /** The stream, whose records the letters are compared with. */
  readonly records: UserRecords;
}

/** What ingest and processor gave up, with the reason, until it is sent again or two weeks old. */
export class DeadLetters extends Construct {
  readonly queue: sqs.Queue;

  constructor(scope: Construct, id: string, props: DeadLettersProps) {
    super(scope, id);
    this.queue = new sqs.Queue(this, 'Queue', {
      encryptionMasterKey: props.encryption.incoming,
      enforceSSL: true,
      removalPolicy: keptIf(props.production),
      retentionPeriod: LONGEST_RETENTION,
    });
    acknowledge(this.queue, 'SQS3', 'this is itself the queue of dead letters');
    new CfnOutput(this, 'Url', { description: 'For redrive', value: this.queue.queueUrl });
    this.watch(props);
  }

  /** By what comes and how old it becomes: one letter must not ring as long as it lies here. */
  private watch({ alarms, records }: DeadLettersProps): void {
    const sent = this.queue.metricNumberOfMessagesSent({ period: HOUR });
    alarms.watch(this, {
      name: 'dead-letters',
      means: 'In the last hour something was given up.',
      rings: 'ticket',
      metric: sent,
      above: 0,
    });
    alarms.watch(this, {
      name: 'dead-letters',
      of: 'many',
      means: 'In the last hour much was given up, compared with the records of the stream.',
      rings: 'page',
      metric: share({
        label: 'given up',
        bad: sent,
        all: records.stream.metricIncomingRecords({ period: HOUR, statistic: 'Sum' }),
        least: LEAST_LETTERS,
        period: HOUR,
      }),
      above: 0.05,
    });
    alarms.watch(this, {
      name: 'dead-letters',
      of: 'old',
      means: 'What was given up lies there for a week, and will be dropped after two.',
      rings: 'ticket',
      ...neverEmpty(this.queue, NEVER_EMPTY),
    });
  }
}

/**
 * Rings when a queue has had messages in it all the time. Their age would say less: SQS leaves out of it
 * what was received three times, as by who looks at it, or before it was moved here.
 * <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>
 */
export function neverEmpty(queue: sqs.Queue, time: Duration) {
  return {
    // While somebody reads it, it is empty for some minutes.
    metric: queue.metricApproximateNumberOfMessagesVisible({ period: HOUR, statistic: 'Maximum' }),
    above: 0,
    periods: time.toHours(),
  };
}
