import { CfnOutput, Duration } from 'aws-cdk-lib';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

import { type Alarms, PERIOD } from './alarms.js';
import type { Encryption } from './encryption.js';
import { acknowledge } from './findings.js';
import { keptIf } from './removal.js';

/** The longest that SQS keeps a message. */
export const LONGEST_RETENTION = Duration.days(14);

export interface DeadLettersProps {
  readonly production: boolean;
  readonly encryption: Encryption;
  readonly alarms: Alarms;
}

/** What ingest and processor gave up, with the reason, until it is sent again or two weeks old. */
export class DeadLetters extends Construct {
  readonly queue: sqs.Queue;

  constructor(scope: Construct, id: string, props: DeadLettersProps) {
    super(scope, id);
    this.queue = new sqs.Queue(this, 'Queue', {
      encryptionMasterKey: props.encryption.key,
      enforceSSL: true,
      removalPolicy: keptIf(props.production),
      retentionPeriod: LONGEST_RETENTION,
    });
    acknowledge(this.queue, 'SQS3', 'this is itself the queue of dead letters');
    new CfnOutput(this, 'Url', { description: 'For redrive', value: this.queue.queueUrl });
    props.alarms.watch(this, {
      name: 'dead-letters',
      means: 'Events were given up.',
      metric: this.queue.metricApproximateNumberOfMessagesVisible({ period: PERIOD }),
      above: 0,
    });
  }
}
