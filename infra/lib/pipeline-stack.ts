import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kinesis from 'aws-cdk-lib/aws-kinesis';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as sources from 'aws-cdk-lib/aws-lambda-event-sources';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as notifications from 'aws-cdk-lib/aws-s3-notifications';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';

import { type ModelQuota, ModelQuotas } from './model-quotas.js';

/** Invocations of ingest run this long at most; its messages stay hidden six times as long. */
const INGEST_TIMEOUT = Duration.minutes(5);

/** Records that the event source gave up can be looked at this long; they hold users' events. */
const GIVEN_UP_RETENTION = Duration.days(30);

export interface PipelineStackProps extends StackProps {
  /** Folder of a program's `bootstrap`; tests pass an empty one, so that synth never runs cargo. */
  readonly codePath: (program: Program) => string;
  /** What the account allows, by model or inference profile; `*` stands for every other. */
  readonly modelQuotas: Readonly<Record<string, ModelQuota>>;
  /** Most instances of the processor at a time. */
  readonly maxProcessors: number;
  /** Models and inference profiles that the campaigns name. */
  readonly modelArns: readonly string[];
  /** Guardrails that the campaigns name. */
  readonly guardrailArns: readonly string[];
}

export type Program = 'ingest' | 'processor' | 'api';

/** Bucket, stream, table and the three functions between them. */
export class PipelineStack extends Stack {
  constructor(scope: Construct, id: string, props: PipelineStackProps) {
    super(scope, id, props);

    const deadLetters = new sqs.Queue(this, 'DeadLetters', {
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    const uploads = new sqs.Queue(this, 'Uploads', {
      enforceSSL: true,
      visibilityTimeout: Duration.seconds(INGEST_TIMEOUT.toSeconds() * 6),
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: 5 },
    });
    const bucket = new s3.Bucket(this, 'Currents', {
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    bucket.addEventNotification(
      s3.EventType.OBJECT_CREATED,
      new notifications.SqsDestination(uploads),
    );
    // What the event source gave up, with its records, which a queue would not get.
    const givenUp = new s3.Bucket(this, 'GivenUp', {
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      lifecycleRules: [{ expiration: GIVEN_UP_RETENTION }],
      removalPolicy: RemovalPolicy.RETAIN,
    });
    const stream = new kinesis.Stream(this, 'UserRecords', {
      streamMode: kinesis.StreamMode.ON_DEMAND,
      // Far longer than the processor tries, so that what it gives up can still be fetched.
      retentionPeriod: Duration.days(7),
    });
    const table = new dynamodb.TableV2(this, 'Content', {
      partitionKey: { name: 'user_id', type: dynamodb.AttributeType.STRING },
      sortKey: { name: 'item', type: dynamodb.AttributeType.STRING },
      timeToLiveAttribute: 'expires_at',
      removalPolicy: RemovalPolicy.RETAIN,
    });

    // Answers and budgets that the processor's instances share; all of it ends by itself.
    const coordination = new dynamodb.TableV2(this, 'Coordination', {
      partitionKey: { name: 'key', type: dynamodb.AttributeType.STRING },
      timeToLiveAttribute: 'expires_at',
      removalPolicy: RemovalPolicy.DESTROY,
    });

    const ingest = this.program('ingest', props, INGEST_TIMEOUT, {
      CONTINUATION_QUEUE_URL: uploads.queueUrl,
      DEAD_LETTER_QUEUE_URL: deadLetters.queueUrl,
      MAX_BLOCK_MIB: '64',
      STREAM_BUCKETS: '128',
      STREAM_NAME: stream.streamName,
    });
    // What an invocation has no time for goes back to the queue it came from.
    uploads.grantSendMessages(ingest);
    bucket.grantRead(ingest);
    stream.grantWrite(ingest);
    deadLetters.grantSendMessages(ingest);
    ingest.addEventSource(
      new sources.SqsEventSource(uploads, { batchSize: 1, reportBatchItemFailures: true }),
    );

    const quotas = new ModelQuotas(this, 'ModelQuotas', {
      quotas: props.modelQuotas,
      settings: props,
    });
    const processor = this.program('processor', props, Duration.minutes(5), {
      CONTENT_TABLE: table.tableName,
      COORDINATION_TABLE: coordination.tableName,
      DEAD_LETTER_QUEUE_URL: deadLetters.queueUrl,
      MAX_CONCURRENT_GENERATIONS: '32',
      MAX_INSTANCES: String(props.maxProcessors),
      MODEL_QUOTAS: quotas.json,
    });
    // While the table of the quota is out of reach, each instance keeps to its share of it.
    (processor.node.defaultChild as lambda.CfnFunction).reservedConcurrentExecutions =
      props.maxProcessors;
    table.grant(
      processor,
      'dynamodb:BatchGetItem',
      'dynamodb:ConditionCheckItem',
      'dynamodb:DeleteItem',
      'dynamodb:PutItem',
      'dynamodb:Query',
      'dynamodb:UpdateItem',
    );
    coordination.grant(
      processor,
      'dynamodb:BatchGetItem',
      'dynamodb:DeleteItem',
      'dynamodb:GetItem',
      'dynamodb:PutItem',
      'dynamodb:UpdateItem',
    );
    deadLetters.grantSendMessages(processor);
    if (props.modelArns.length > 0) {
      processor.addToRolePolicy(
        new iam.PolicyStatement({
          actions: ['bedrock:InvokeModel'],
          resources: [...props.modelArns],
        }),
      );
    }
    if (props.guardrailArns.length > 0) {
      processor.addToRolePolicy(
        new iam.PolicyStatement({
          actions: ['bedrock:ApplyGuardrail'],
          resources: [...props.guardrailArns],
        }),
      );
    }
    processor.addEventSource(
      new sources.KinesisEventSource(stream, {
        startingPosition: lambda.StartingPosition.TRIM_HORIZON,
        batchSize: 500,
        maxBatchingWindow: Duration.seconds(5),
        bisectBatchOnError: true,
        reportBatchItemFailures: true,
        maxRecordAge: Duration.hours(24),
        onFailure: new sources.S3OnFailureDestination(givenUp),
      }),
    );

    // What Braze sends, in `:basic_auth` or as a bearer token; its version before stays valid.
    const credentials = new secretsmanager.Secret(this, 'ApiCredentials', {
      generateSecretString: {
        excludePunctuation: true,
        generateStringKey: 'password',
        passwordLength: 40,
        secretStringTemplate: JSON.stringify({ username: 'braze' }),
      },
    });
    const api = this.program('api', props, Duration.seconds(5), {
      CACHE_SECS: '0',
      CONTENT_TABLE: table.tableName,
      CREDENTIALS_SECRET_ARN: credentials.secretArn,
      UNKNOWN_USER: 'fallback',
    });
    table.grant(api, 'dynamodb:BatchGetItem', 'dynamodb:GetItem');
    credentials.grantRead(api);
  }

  private program(
    name: Program,
    props: PipelineStackProps,
    timeout: Duration,
    environment: Record<string, string>,
  ): lambda.Function {
    return new lambda.Function(this, name, {
      architecture: lambda.Architecture.X86_64,
      code: lambda.Code.fromAsset(props.codePath(name)),
      environment: { CAMPAIGNS_DIR: 'campaigns', ...environment },
      handler: 'bootstrap',
      memorySize: 512,
      runtime: lambda.Runtime.PROVIDED_AL2023,
      timeout,
    });
  }
}
