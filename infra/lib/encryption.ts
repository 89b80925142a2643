import { Aws } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';

import { KEPT } from './removal.js';

/** A service that uses a key in the name of whoever calls it, by the first part of its address. */
type KeyService = 'dynamodb' | 'kinesis' | 's3' | 'secretsmanager' | 'sqs';

/** What services ask of a key in their caller's name. */
type KeyAction = 'kms:Decrypt' | 'kms:GenerateDataKey';

/** The keys of the stack, by what is read with each. */
type KeyName = 'incoming' | 'content';

/** What a role does with what is encrypted: with which key, through which service, and what that asks of the key. */
const USES = {
  filesRead: ['incoming', 's3', 'kms:Decrypt'],
  filesWritten: ['incoming', 's3', 'kms:GenerateDataKey'],
  /** S3 reads back the parts of an upload that comes in parts. */
  filesWrittenInParts: ['incoming', 's3', 'kms:Decrypt', 'kms:GenerateDataKey'],
  messagesReceived: ['incoming', 'sqs', 'kms:Decrypt'],
  messagesSent: ['incoming', 'sqs', 'kms:Decrypt', 'kms:GenerateDataKey'],
  streamRead: ['incoming', 'kinesis', 'kms:Decrypt'],
  streamWritten: ['incoming', 'kinesis', 'kms:GenerateDataKey'],
  secretsRead: ['content', 'secretsmanager', 'kms:Decrypt'],
  /**
   * Reads and writes alike: DynamoDB decrypts the table's own key in the caller's name, and makes
   * and keeps it by the grant of whoever made the table.
   * <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html>
   */
  tables: ['content', 'dynamodb', 'kms:Decrypt'],
  /** Of campaigns. */
  versionsRead: ['content', 's3', 'kms:Decrypt'],
  versionsWritten: ['content', 's3', 'kms:GenerateDataKey'],
} as const satisfies Record<string, readonly [KeyName, KeyService, ...KeyAction[]]>;

export type KeyUse = keyof typeof USES;

/** What a service of AWS needs that hands something to an encrypted queue. */
const KEY_TO_SEND: KeyAction[] = ['kms:Decrypt', 'kms:GenerateDataKey'];

/**
 * The keys of everything that can hold a user's events or content: one of what comes in (files, queues,
 * the stream), which Braze, S3 and EventBridge use too, and one of what is served and who may ask for it
 * (tables, campaigns, secrets). They stay when the stack goes, because the buckets stay.
 */
export class Encryption extends Construct {
  /** Of files, queues and the stream. */
  readonly incoming: kms.Key;

  /** Of tables, campaigns and secrets. */
  readonly content: kms.Key;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.incoming = this.key('Incoming', 'Events of Braze Currents on their way');
    this.content = this.key('Content', 'Content written from events, campaigns and secrets');
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

  /** Lets a role use the stack's keys, for what is named. */
  grant(role: iam.IRole, ...uses: KeyUse[]): void {
    for (const use of uses) {
      Encryption.grantUse(this[USES[use][0]], role, use);
    }
  }

  /** Lets a role use a key through the services that this takes, and never by itself. */
  static grantUse(key: kms.IKey, role: iam.IRole, ...uses: KeyUse[]): void {
    for (const use of uses) {
      const [, service, ...actions] = USES[use];
      role.addToPrincipalPolicy(
        new iam.PolicyStatement({
          actions,
          resources: [key.keyArn],
          conditions: { StringEquals: { 'kms:ViaService': `${service}.${Aws.REGION}.amazonaws.com` } },
        }),
      );
    }
  }

  private key(id: string, description: string): kms.Key {
    return new kms.Key(this, id, { description, enableKeyRotation: true, removalPolicy: KEPT });
  }

  private allow(service: string): void {
    this.incoming.addToResourcePolicy(
      new iam.PolicyStatement({
        principals: [new iam.ServicePrincipal(service)],
        actions: KEY_TO_SEND,
        // In a key's policy the asterisk stands for that key.
        resources: ['*'],
      }),
    );
  }
}
