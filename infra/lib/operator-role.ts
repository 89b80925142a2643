import { CfnOutput, Duration } from 'aws-cdk-lib';
import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';

import campaigns from '../../contract/golden/campaigns.json' with { type: 'json' };
import type { Asks } from './asks.js';
import type { Currents } from './currents.js';
import type { DeadLetters } from './dead-letters.js';
import type { Encryption } from './encryption.js';
import { acknowledgeObjects } from './findings.js';
import type { Names } from './names.js';
import type { Processor } from './processor.js';
import type { Program } from './program.js';
import type { Registry } from './registry.js';
import type { Tables } from './tables.js';
import type { UserRecords } from './user-records.js';

/** A night's work; whoever needs more takes it up again. */
const LONGEST_SESSION = Duration.hours(4);

export interface OperatorRoleProps {
  /** ARNs of those who may take it up. */
  readonly principals: readonly string[];
  /** Those that may be rolled back. */
  readonly programs: readonly Program[];
  readonly asks: Asks;
  readonly currents: Currents;
  readonly deadLetters: DeadLetters;
  readonly encryption: Encryption;
  readonly names: Names;
  readonly processor: Processor;
  readonly records: UserRecords;
  readonly registry: Registry;
  readonly tables: Tables;
}

/** What `ops` needs, and nothing else: it reads users' content, so each session is a person's. */
export class OperatorRole extends Construct {
  constructor(scope: Construct, id: string, props: OperatorRoleProps) {
    super(scope, id);
    const role = new iam.Role(this, 'Role', {
      assumedBy: new iam.CompositePrincipal(...props.principals.map((arn) => new iam.ArnPrincipal(arn))),
      description: 'What ops may do',
      maxSessionDuration: LONGEST_SESSION,
    });
    this.grantTables(role, props);
    this.grantQueues(role, props);
    this.grantBuckets(role, props);
    this.grantRollback(role, props);
    props.names.grantRead(role);
    // What is sent again, and deletions.
    props.records.stream.grant(role, 'kinesis:PutRecords');
    props.encryption.grant(
      role,
      'filesRead',
      'messagesReceived',
      'messagesSent',
      'streamWritten',
      'tables',
      'versionsRead',
      'versionsWritten',
    );
    new CfnOutput(this, 'Arn', { description: 'Role of who runs ops', value: role.roleArn });
  }

  /** To the versions that were deployed, and to no other: a new one is a deployment. */
  private grantRollback(role: iam.Role, { programs }: OperatorRoleProps): void {
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ['lambda:GetAlias', 'lambda:ListVersionsByFunction', 'lambda:UpdateAlias'],
        resources: programs.map((each) => each.function.functionArn),
      }),
    );
  }

  private grantTables(role: iam.Role, { tables }: OperatorRoleProps): void {
    const { catalogs, content, coordination } = tables;
    // Look at users, and at all of a campaign.
    content.grant(role, 'dynamodb:BatchGetItem', 'dynamodb:DescribeTable', 'dynamodb:Query', 'dynamodb:Scan');
    // What an ask for what happened must find remembered.
    content.grant(role, 'dynamodb:ConditionCheckItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem');
    catalogs.grant(
      role,
      'dynamodb:BatchGetItem',
      'dynamodb:DeleteItem',
      'dynamodb:GetItem',
      'dynamodb:PutItem',
      'dynamodb:Scan',
      'dynamodb:UpdateItem',
    );
    // Which prompts are answered already.
    coordination.grant(role, 'dynamodb:BatchGetItem');
    // What holds of the campaigns; answers that are recalled. Nobody's budget and no quota.
    this.allow(role, coordination, ['dynamodb:GetItem', 'dynamodb:PutItem'], campaigns.head);
    this.allow(role, coordination, ['dynamodb:DeleteItem'], 'answer#*');
  }

  private allow(role: iam.Role, table: dynamodb.ITable, actions: string[], keys: string): void {
    role.addToPolicy(
      new iam.PolicyStatement({
        actions,
        resources: [table.tableArn],
        conditions: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [keys] } },
      }),
    );
  }

  private grantQueues(role: iam.Role, { asks, currents, deadLetters }: OperatorRoleProps): void {
    asks.grantSend(role);
    currents.uploads.grant(role, 'sqs:SendMessage');
    deadLetters.queue.grant(
      role,
      'sqs:ChangeMessageVisibility',
      'sqs:DeleteMessage',
      'sqs:ReceiveMessage',
    );
  }

  private grantBuckets(role: iam.Role, { currents, processor, registry }: OperatorRoleProps): void {
    const { givenUp } = processor;
    const versions = `${campaigns.versions}*`;
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ['s3:ListBucket'],
        resources: [currents.bucket.bucketArn, givenUp.bucketArn],
      }),
    );
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ['s3:DeleteObject', 's3:GetObject'],
        resources: [givenUp.arnForObjects('*')],
      }),
    );
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ['s3:GetObject', 's3:PutObject'],
        resources: [registry.bucket.arnForObjects(versions)],
      }),
    );
    acknowledgeObjects(role, givenUp, '*', 'Lambda names these objects');
    acknowledgeObjects(role, registry.bucket, versions, 'people publish versions');
  }
}
