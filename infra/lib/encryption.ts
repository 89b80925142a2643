import { Aws } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';

import { KEPT } from './removal.js';

/** A service that uses a key in the name of whoever calls it, by the first part of its address. */
type KeyService = 'dynamodb' | 'kinesis' | 's3' | 'secretsmanager' | 'sqs';

/** What services ask of a key in their caller's name. */
type KeyAction = 'kms:Decrypt' | 'kms:GenerateDataKey';

/** What a role does with what is encrypted, and what is asked of the key for it. */
const USES = {
  objectsRead: ['s3', 'kms:Decrypt'],
  objectsWritten: ['s3', 'kms:GenerateDataKey'],
  /** S3 reads back the parts of an upload that comes in parts. */
  objectsWrittenInParts: ['s3', 'kms:Decrypt', 'kms:GenerateDataKey'],
  secretsRead: ['secretsmanager', 'kms:Decrypt'],
  messagesReceived: ['sqs', 'kms:Decrypt'],
  messagesSent: ['sqs', 'kms:Decrypt', 'kms:GenerateDataKey'],
  streamRead: ['kinesis', 'kms:Decrypt'],
  streamWritten: ['kinesis', 'kms:GenerateDataKey'],
  /**
   * Reads and writes alike: DynamoDB decrypts the table's own key in the caller's name, and makes
   * and keeps it by the grant of whoever made the table.
   * <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html>
   */
  tables: ['dynamodb', 'kms:Decrypt'],
} as const satisfies Record<string, readonly [KeyService, ...KeyAction[]]>;

export type KeyUse = keyof typeof USES;

/** What a service of AWS needs that hands something to an encrypted queue. */
const KEY_TO_SEND: KeyAction[] = ['kms:Decrypt', 'kms:GenerateDataKey'];

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
    this.allow('s3.amazonaws.com');
  }

  /** The same for EventBridge; for its topics AWS says that such a condition does not hold. */
  allowEvents(): void {
    this.allow('events.amazonaws.com');
  }

  /** Lets a role use the stack's key, for what is named. */
  grant(role: iam.IRole, ...uses: KeyUse[]): void {
    Encryption.grantUse(this.key, role, ...uses);
  }

  /** Lets a role use a key through the services that this takes, and never by itself. */
  static grantUse(key: kms.IKey, role: iam.IRole, ...uses: KeyUse[]): void {
    for (const use of uses) {
      const [service, ...actions] = USES[use];
      role.addToPrincipalPolicy(
        new iam.PolicyStatement({
          actions,
          resources: [key.keyArn],
          conditions: { StringEquals: { 'kms:ViaService': `${service}.${Aws.REGION}.amazonaws.com` } },
        }),
      );
    }
  }

  private allow(service: string): void {
    this.key.addToResourcePolicy(
      new iam.PolicyStatement({
        principals: [new iam.ServicePrincipal(service)],
        actions: KEY_TO_SEND,
        // In a key's policy the asterisk stands for that key.
        resources: ['*'],
      }),
    );
  }
}
