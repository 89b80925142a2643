import { CfnOutput } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

import campaigns from '../../contract/golden/campaigns.json' with { type: 'json' };
import type { AccessLogs } from './access-logs.js';
import type { Alarms } from './alarms.js';
import type { Encryption } from './encryption.js';
import type { Environment } from './environments.js';
import { sum } from './expressions.js';
import { acknowledgeObjects } from './findings.js';
import { privateBucket } from './private-bucket.js';
import type { Program } from './program.js';
import type { Tables } from './tables.js';

/** Keys of the versions. */
const VERSION_KEYS = `${campaigns.versions}*`;

export interface RegistryProps {
  readonly accessLogs: AccessLogs;
  readonly encryption: Encryption;
  readonly environment: Environment;
  readonly tables: Tables;
}

/** Published campaigns: their versions in a bucket, and one item that says which of them holds. */
export class Registry extends Construct {
  readonly bucket: s3.Bucket;

  /** What programs read that follow it. */
  readonly settings: Readonly<Record<string, string>>;

  private readonly encryption: Encryption;
  private readonly tables: Tables;

  constructor(scope: Construct, id: string, props: RegistryProps) {
    super(scope, id);
    this.encryption = props.encryption;
    this.tables = props.tables;
    // Versions never change and none is ever removed: each is some kilobytes.
    this.bucket = privateBucket(this, 'Versions', {
      accessLogs: props.accessLogs,
      key: props.encryption.content,
      lifecycleRules: [],
    });
    this.settings = {
      CAMPAIGNS_BUCKET: this.bucket.bucketName,
      CAMPAIGNS_FOLLOW_SECS: String(props.environment.campaigns.followSeconds),
      COORDINATION_TABLE: props.tables.coordination.tableName,
    };
    new CfnOutput(this, 'Bucket', { description: 'For ops campaigns', value: this.bucket.bucketName });
    new CfnOutput(this, 'Table', {
      description: 'For ops campaigns',
      value: props.tables.coordination.tableName,
    });
  }

  /** Lets a program follow, and nothing else: of the table it sees the one item. */
  grantFollow(role: iam.Role): void {
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ['dynamodb:GetItem'],
        resources: [this.tables.coordination.tableArn],
        conditions: { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': [campaigns.head] } },
      }),
    );
    this.encryption.grant(role, 'tables');
    this.grantVersions(role);
  }

  /** The same for a program that reads all of the table anyway. */
  grantVersions(role: iam.Role): void {
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ['s3:GetObject'],
        resources: [this.bucket.arnForObjects(VERSION_KEYS)],
      }),
    );
    this.encryption.grant(role, 'versionsRead');
    acknowledgeObjects(role, this.bucket, VERSION_KEYS, 'people publish versions');
  }

  /** Rings where one of the programs cannot take over what is published. */
  watch(alarms: Alarms, programs: readonly Program[]): void {
    alarms.watch(this, {
      name: 'campaigns-refused',
      means: 'A published version of the campaigns cannot be taken over; the one before holds.',
      rings: 'ticket',
      metric: sum(programs.map((each) => each.measured('campaigns_refused'))),
      above: 0,
    });
  }
}
