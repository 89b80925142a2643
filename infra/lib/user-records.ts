import { CfnOutput, Duration } from 'aws-cdk-lib';
import * as kinesis from 'aws-cdk-lib/aws-kinesis';
import { Construct } from 'constructs';

import { type Alarms, PERIOD } from './alarms.js';
import type { Encryption } from './encryption.js';
import type { StreamSettings } from './environments.js';
import { acknowledge } from './findings.js';
import { keptIf } from './removal.js';

export interface UserRecordsProps {
  readonly production: boolean;
  readonly settings: StreamSettings;
  readonly encryption: Encryption;
  readonly alarms: Alarms;
}

/** The stream of user records between ingest and processor. */
export class UserRecords extends Construct {
  readonly stream: kinesis.Stream;

  constructor(scope: Construct, id: string, props: UserRecordsProps) {
    super(scope, id);
    const { alarms, encryption, production, settings } = props;
    this.stream = new kinesis.Stream(this, 'Stream', {
      encryption: kinesis.StreamEncryption.KMS,
      encryptionKey: encryption.incoming,
      removalPolicy: keptIf(production),
      retentionPeriod: Duration.days(settings.retentionDays),
      ...(settings.shards === undefined
        ? { streamMode: kinesis.StreamMode.ON_DEMAND }
        : { streamMode: kinesis.StreamMode.PROVISIONED, shardCount: settings.shards }),
    });
    acknowledge(this.stream, 'KDS3', "the stack's own key says who may read; AWS's cannot");
    new CfnOutput(this, 'Name', { description: 'For redrive', value: this.stream.streamName });
    // Lambda asks each shard every second, whether anything is there or not.
    alarms.watch(this, {
      name: 'stream-unread',
      means: 'Nobody reads the stream.',
      rings: 'content-stops',
      metric: this.stream.metricGetRecordsSuccess({ period: PERIOD, statistic: 'Sum' }),
      below: 1,
      periods: 2,
    });
    alarms.watch(this, {
      name: 'stream-throttled',
      means: 'The stream refuses records: it has too few shards.',
      rings: 'ticket',
      metric: this.stream.metricWriteProvisionedThroughputExceeded({
        period: PERIOD,
        statistic: 'Sum',
      }),
      above: 0,
      periods: 3,
    });
  }
}
