import { Aws } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';

import { KEPT } from './removal.js';

/** What reading encrypted data takes. */
export const KEY_TO_READ = ['kms:Decrypt'];

/** What writing takes: S3, SQS and Kinesis ask for a data key, and S3 reads back parts of uploads. */
export const KEY_TO_WRITE = ['kms:Decrypt', 'kms:GenerateDataKey'];

/** What DynamoDB does in the name of whoever reads a table. */
const TABLE_READ = ['kms:Decrypt', 'kms:DescribeKey'];

/** The same for whoever writes one. */
const TABLE_WRITE = [
  ...TABLE_READ,
  'kms:Encrypt',
  'kms:GenerateDataKey',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
];

/**
 * The key of everything that can hold a user's events or content: buckets, stream, queues,
 * tables and secrets. It stays when the stack goes, because the buckets stay.
 */
export class Encryption extends Construct {
  readonly key: kms.Key;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.key = new kms.Key(this, 'Key', {
      description: 'Events of Braze Currents and the content written from them',
      enableKeyRotation: true,
      removalPolicy: KEPT,
    });
  }

  /**
   * Lets S3 notify an encrypted queue. AWS documents no condition for it; that the notification
   * comes from this account is a condition of the queue.
   */
  allowNotifications(): void {
    this.allow('s3.amazonaws.com', {});
  }

  /** The same for EventBridge; for its topics AWS says that such a condition does not hold. */
  allowEvents(): void {
    this.allow('events.amazonaws.com', {});
  }

  grantRead(grantee: iam.IGrantable): void {
    this.key.grant(grantee, ...KEY_TO_READ);
  }

  grantWrite(grantee: iam.IGrantable): void {
    this.key.grant(grantee, ...KEY_TO_WRITE);
  }

  /**
   * Lets a role use a key through S3, and for nothing else: a role outside of the account, or a
   * key of somebody else's. Roles of the stack need its key for queue and stream as well, where
   * what reads them grants it without a condition.
   */
  static grantThroughS3(key: kms.IKey, role: iam.Role, actions: string[]): void {
    role.addToPolicy(
      new iam.PolicyStatement({
        actions,
        resources: [key.keyArn],
        conditions: { StringEquals: { 'kms:ViaService': `s3.${Aws.REGION}.amazonaws.com` } },
      }),
    );
  }

  grantTableRead(grantee: iam.IGrantable): void {
    this.key.grant(grantee, ...TABLE_READ);
  }

  grantTableWrite(grantee: iam.IGrantable): void {
    this.key.grant(grantee, ...TABLE_WRITE);
  }

  private allow(service: string, conditions: Record<string, unknown>): void {
    this.key.addToResourcePolicy(
      new iam.PolicyStatement({
        principals: [new iam.ServicePrincipal(service)],
        actions: KEY_TO_WRITE,
        // In a key's policy the asterisk stands for that key.
        resources: ['*'],
        conditions,
      }),
    );
  }
}
