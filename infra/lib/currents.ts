import { Aws, CfnOutput, Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

import type { AccessLogs } from './access-logs.js';
import { type Alarms, HOUR, PERIOD } from './alarms.js';
import { LONGEST_RETENTION, neverEmpty } from './dead-letters.js';
import type { Encryption } from './encryption.js';
import type { CurrentsSettings } from './environments.js';
import { growth } from './expressions.js';
import { acknowledge } from './findings.js';
import { privateBucket } from './private-bucket.js';
import { keptIf } from './removal.js';

export interface CurrentsProps {
  readonly production: boolean;
  readonly settings: CurrentsSettings;
  readonly accessLogs: AccessLogs;
  readonly encryption: Encryption;
  readonly alarms: Alarms;
  /** Longest invocation of ingest. */
  readonly ingestTimeout: Duration;
}

/**
 * What a message stays hidden beyond the longest invocation that works on it. AWS advises six
 * times that time, for pollers that are throttled; these never are, because the event source has
 * a concurrency of its own. So a notification that failed comes back within two minutes.
 */
const HIDDEN_BEYOND = Duration.seconds(30);

/** Deliveries of a notification until it is given up, the most that SQS takes: more than a day. */
const MAX_DELIVERIES = 1000;

/**
 * What lies with those that were given up for so long may soon be dropped: SQS drops it 14 days after it
 * was first sent, wherever it waited, and this leaves it ten days on `uploads`.
 * <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html>
 */
const LIES_LONG = Duration.days(4);

/** A notification that waits longer makes content late; ordinary files take seconds. */
const LATE = Duration.minutes(15);

/** Where people put the files of catalogs, whatever the prefix of those of Currents. */
const CATALOGS = 'catalogs/';

/** All their keys. */
export const CATALOG_KEYS = `${CATALOGS}*`;

/** The bucket that Braze writes its files to, and the queue that tells of them. */
export class Currents extends Construct {
  readonly bucket: s3.IBucket;

  /** What the bucket is encrypted with, if it is no key of S3's. */
  readonly key: kms.IKey | undefined;

  /** Notifications of new files, and the rests of large ones. */
  readonly uploads: sqs.Queue;

  /** Notifications that were delivered too often; they can be moved back to `uploads`. */
  readonly givenUp: sqs.Queue;

  constructor(scope: Construct, id: string, props: CurrentsProps) {
    super(scope, id);
    this.givenUp = new sqs.Queue(this, 'UploadsGivenUp', {
      encryptionMasterKey: props.encryption.incoming,
      enforceSSL: true,
      removalPolicy: keptIf(props.production),
      retentionPeriod: LONGEST_RETENTION,
    });
    this.uploads = new sqs.Queue(this, 'Uploads', {
      deadLetterQueue: { queue: this.givenUp, maxReceiveCount: MAX_DELIVERIES },
      encryptionMasterKey: props.encryption.incoming,
      enforceSSL: true,
      removalPolicy: keptIf(props.production),
      retentionPeriod: LONGEST_RETENTION,
      visibilityTimeout: props.ingestTimeout.plus(HIDDEN_BEYOND),
    });
    const { existingBucket, existingBucketKeyArn } = props.settings;
    if (existingBucket === undefined) {
      this.bucket = this.ownBucket(props);
      this.key = props.encryption.incoming;
    } else {
      this.bucket = this.existingBucket(existingBucket, props);
      this.key =
        existingBucketKeyArn === undefined
          ? undefined
          : kms.Key.fromKeyArn(this, 'Key', existingBucketKeyArn);
    }
    this.watch(props.alarms);
    new CfnOutput(this, 'BucketName', {
      description: 'Bucket to name in the Currents connection',
      value: this.bucket.bucketName,
    });
  }

  private ownBucket(props: CurrentsProps): s3.IBucket {
    const bucket = privateBucket(this, 'Bucket', {
      accessLogs: props.accessLogs,
      key: props.encryption.incoming,
      lifecycleRules: [{ expiration: Duration.days(props.settings.retentionDays) }],
    });
    // S3 checks that it may send before it takes the setting, so the queue's policy comes first
    // and cannot name the bucket; it names the account.
    const allowed = this.uploads.addToResourcePolicy(
      new iam.PolicyStatement({
        principals: [new iam.ServicePrincipal('s3.amazonaws.com')],
        actions: ['sqs:SendMessage'],
        resources: [this.uploads.queueArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    );
    props.encryption.allowNotifications();
    const resource = bucket.node.defaultChild as s3.CfnBucket;
    const told = { event: s3.EventType.OBJECT_CREATED, queue: this.uploads.queueArn };
    const { prefix } = props.settings;
    resource.notificationConfiguration = {
      queueConfigurations:
        prefix === undefined
          ? [told]
          : [prefix, CATALOGS].map((value) => ({
              ...told,
              filter: { s3Key: { rules: [{ name: 'prefix', value }] } },
            })),
    };
    if (allowed.policyDependable !== undefined) {
      resource.node.addDependency(allowed.policyDependable);
    }
    return bucket;
  }

  /** A bucket's notifications are set as a whole, so those of others would be lost; a rule is not. */
  private existingBucket(name: string, props: CurrentsProps): s3.IBucket {
    const { prefix } = props.settings;
    props.encryption.allowEvents();
    new events.Rule(this, 'ObjectCreated', {
      description: `Files of Braze Currents in ${name}`,
      eventPattern: {
        source: ['aws.s3'],
        detailType: ['Object Created'],
        detail: {
          bucket: { name: [name] },
          ...(prefix !== undefined && { object: { key: [{ prefix }, { prefix: CATALOGS }] } }),
        },
      },
      // What the queue refuses for a day is given up too, and rings.
      targets: [new targets.SqsQueue(this.uploads, { deadLetterQueue: this.givenUp })],
    });
    return s3.Bucket.fromBucketName(this, 'Bucket', name);
  }

  private watch(alarms: Alarms): void {
    acknowledge(this.givenUp, 'SQS3', 'this is itself the dead-letter queue of the uploads');
    alarms.watch(this, {
      name: 'uploads-late',
      means: 'Files of Currents wait to be read.',
      rings: 'files-stop',
      metric: this.uploads.metricApproximateAgeOfOldestMessage({ period: PERIOD }),
      above: LATE.toSeconds(),
    });
    alarms.watch(this, {
      name: 'uploads-given-up',
      means: 'Files of Currents could not be read.',
      rings: 'ticket',
      // What SQS itself moves to a queue it does not count as sent there.
      metric: growth(this.givenUp.metricApproximateNumberOfMessagesVisible({ period: PERIOD })),
      above: 0,
    });
    alarms.watch(this, {
      name: 'uploads-given-up',
      of: 'old',
      means: 'Notifications of files that could not be read lie there for days, and will be dropped.',
      rings: 'ticket',
      ...neverEmpty(this.givenUp, LIES_LONG),
    });
    const { files } = alarms.settings.silenceHours;
    if (files !== undefined) {
      alarms.watch(this, {
        name: 'no-files',
        means: `No file of Currents has come for ${files} hours.`,
        rings: 'page',
        metric: this.uploads.metricNumberOfMessagesSent({ period: HOUR }),
        below: 1,
        periods: files,
      });
    }
  }
}
