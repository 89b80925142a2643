import { CfnOutput } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';

import { type Alarms, PERIOD } from './alarms.js';
import type { Encryption } from './encryption.js';
import { keptIf } from './removal.js';

export interface TablesProps {
  readonly encryption: Encryption;
  readonly alarms: Alarms;
  readonly production: boolean;
}

/** What the programs remember. Items of users and of what instances share end by themselves. */
export class Tables extends Construct {
  /** Users' content, histories and tombstones. */
  readonly content: dynamodb.Table;

  /** Answers, budgets and the quota, which the processor's instances share. */
  readonly coordination: dynamodb.Table;

  /** Items of catalogs, until an import replaces them. */
  readonly catalogs: dynamodb.Table;

  constructor(scope: Construct, id: string, props: TablesProps) {
    super(scope, id);
    const kept = {
      billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
      deletionProtection: props.production,
      encryption: dynamodb.TableEncryption.CUSTOMER_MANAGED,
      encryptionKey: props.encryption.content,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      removalPolicy: keptIf(props.production),
    };
    const timeToLiveAttribute = 'expires_at';
    this.content = new dynamodb.Table(this, 'Content', {
      ...kept,
      timeToLiveAttribute,
      partitionKey: { name: 'user_id', type: dynamodb.AttributeType.STRING },
      sortKey: { name: 'item', type: dynamodb.AttributeType.STRING },
    });
    this.coordination = new dynamodb.Table(this, 'Coordination', {
      ...kept,
      timeToLiveAttribute,
      partitionKey: { name: 'key', type: dynamodb.AttributeType.STRING },
    });
    this.catalogs = new dynamodb.Table(this, 'Catalogs', {
      ...kept,
      partitionKey: { name: 'key', type: dynamodb.AttributeType.STRING },
    });
    new CfnOutput(this, 'ContentName', {
      description: 'For ops show, ask and recall',
      value: this.content.tableName,
    });
    this.watch(props.alarms, 'content', this.content);
    this.watch(props.alarms, 'coordination', this.coordination);
    this.watch(props.alarms, 'catalog', this.catalogs);
  }

  private watch(alarms: Alarms, name: string, table: dynamodb.ITable): void {
    for (const kind of ['Read', 'Write']) {
      alarms.watch(this, {
        name: `${name}-table-throttled`,
        of: kind,
        means: `DynamoDB refuses calls that ${kind.toLowerCase()} the ${name} table.`,
        rings: 'ticket',
        metric: table.metric(`${kind}ThrottleEvents`, { period: PERIOD, statistic: 'Sum' }),
        above: 0,
        periods: 3,
      });
    }
  }
}
