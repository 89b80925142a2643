import { Duration, Names } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';

import type { Alarms } from './alarms.js';
import { CATALOG_KEYS, type Currents } from './currents.js';
import type { DeadLetters } from './dead-letters.js';
import { Encryption } from './encryption.js';
import type { Environment } from './environments.js';
import { acknowledgeObjects } from './findings.js';
import { Program } from './program.js';
import type { Registry } from './registry.js';
import type { Tables } from './tables.js';
import type { UserRecords } from './user-records.js';

/**
 * What one object takes at most; the rest of a larger one is left to the next invocation. Files
 * of Currents take seconds, and a notification that failed comes back that much sooner.
 */
export const INGEST_TIMEOUT = Duration.seconds(90);

/**
 * What Lambda does with the queue in the function's name.
 * <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>
 */
const TAKING = ['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'];

export interface IngestProps {
  readonly codePath: string;
  readonly environment: Environment;
  readonly alarms: Alarms;
  readonly encryption: Encryption;
  readonly currents: Currents;
  readonly records: UserRecords;
  readonly deadLetters: DeadLetters;
  readonly registry: Registry;
  readonly tables: Tables;
}

/** What the program reads, for the function that takes files; the one that takes posts has its own queue and secret. */
export function settingsOf(props: IngestProps): Record<string, string> {
  const settings = props.environment.ingest;
  return {
    ...props.registry.settings,
    CATALOG_TABLE: props.tables.catalogs.tableName,
    CONTINUATION_QUEUE_URL: props.currents.uploads.queueUrl,
    DEAD_LETTER_QUEUE_URL: props.deadLetters.queue.queueUrl,
    EVENTS_SECRET_ARN: '',
    MAX_BLOCK_MIB: String(settings.maxBlockMiB),
    STREAM_BUCKETS: String(settings.streamBuckets),
    STREAM_FORMAT: settings.streamFormat,
    UNMARKED_FIELDS: settings.unmarkedFields,
    STREAM_NAME: props.records.stream.streamName,
  };
}

/** Reads the objects that the queue tells of, writes user records to the stream. */
export class Ingest extends Construct {
  readonly program: Program;

  constructor(scope: Construct, id: string, props: IngestProps) {
    super(scope, id);
    const settings = props.environment.ingest;
    this.program = new Program(this, 'Program', {
      name: 'ingest',
      program: 'ingest',
      failureRings: 'files-stop',
      codePath: props.codePath,
      environment: props.environment,
      alarms: props.alarms,
      memoryMiB: settings.memoryMiB,
      timeout: INGEST_TIMEOUT,
      // It leaves the rest of a large object to itself, which Lambda would take for a loop after
      // sixteen rounds; each round gets further, so it ends.
      recursiveLoop: lambda.RecursiveLoop.ALLOW,
      settings: settingsOf(props),
    });
    this.grant(props);
    this.watch(props.alarms);
    this.listen(props);
  }

  /** CDK's own event source would grant more than Lambda needs, the key without a condition too. */
  private listen({ currents, encryption, environment }: IngestProps): void {
    const { uploads } = currents;
    this.program.live.addEventSourceMapping(`SqsEventSource:${Names.nodeUniqueId(uploads.node)}`, {
      eventSourceArn: uploads.queueArn,
      // Each object is a file of thousands of events.
      batchSize: 1,
      maxConcurrency: environment.ingest.maxConcurrency,
      reportBatchItemFailures: true,
    });
    uploads.grant(this.program.role, ...TAKING);
    encryption.grant(this.program.role, 'messagesReceived');
  }

  /**
   * A file that could not be fetched fails no invocation, and its age does not show: SQS leaves
   * messages that were delivered three times out of the age of the oldest.
   * <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>
   */
  private watch(alarms: Alarms): void {
    alarms.watch(this, {
      name: 'uploads-late',
      of: 'returned',
      means: 'Files of Currents cannot be read now, and are tried again and again.',
      rings: 'files-stop',
      metric: this.program.measured('notifications_returned'),
      above: 0,
      periods: 3,
    });
  }

  private grant(props: IngestProps): void {
    const { currents, deadLetters, encryption, environment, records, tables } = props;
    const { role } = this.program;
    const { bucket } = currents;
    const { prefix } = environment.currents;
    const ofCurrents = `${prefix ?? ''}*`;
    const keys = prefix === undefined ? [ofCurrents] : [ofCurrents, CATALOG_KEYS];
    role.addToPrincipalPolicy(
      new iam.PolicyStatement({
        actions: ['s3:GetObject', 's3:GetObjectVersion'],
        resources: keys.map((each) => bucket.arnForObjects(each)),
      }),
    );
    // Without it S3 says of an object that is gone that it is forbidden, and it is tried again.
    role.addToPrincipalPolicy(
      new iam.PolicyStatement({
        actions: ['s3:ListBucket'],
        resources: [bucket.bucketArn],
      }),
    );
    props.registry.grantFollow(role);
    records.stream.grant(role, 'kinesis:PutRecords');
    // What an invocation has no time for goes back to the queue it came from.
    currents.uploads.grant(role, 'sqs:SendMessage');
    deadLetters.queue.grant(role, 'sqs:SendMessage');
    // Items are put one by one, under a condition; what is gone is looked for and deleted.
    tables.catalogs.grant(
      role,
      'dynamodb:DeleteItem',
      'dynamodb:GetItem',
      'dynamodb:PutItem',
      'dynamodb:Scan',
      'dynamodb:UpdateItem',
    );
    encryption.grant(role, 'tables', 'messagesSent', 'streamWritten');
    if (currents.key !== undefined) {
      Encryption.grantUse(currents.key, role, 'filesRead');
    }
    acknowledgeObjects(role, bucket, ofCurrents, 'Braze names the objects; all begin with the prefix');
    if (prefix !== undefined) {
      acknowledgeObjects(role, bucket, CATALOG_KEYS, "people name the catalogs' files");
    }
  }
}
