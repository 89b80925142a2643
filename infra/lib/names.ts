import { Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';

import type { Api } from './api.js';
import type { Asks } from './asks.js';
import type { AsksWorker } from './asks-worker.js';
import type { AskedOfBedrock } from './campaigns.js';
import type { Currents } from './currents.js';
import type { DeadLetters } from './dead-letters.js';
import type { Encryption } from './encryption.js';
import type { CampaignSettings } from './environments.js';
import type { EventsDoor } from './events-door.js';
import type { Ingest } from './ingest.js';
import type { ModelQuotas } from './model-quotas.js';
import type { Processor } from './processor.js';
import type { Registry } from './registry.js';
import type { Tables } from './tables.js';
import type { UserRecords } from './user-records.js';

export interface NamesProps {
  readonly api: Api;
  readonly asked: AskedOfBedrock;
  readonly asks: Asks;
  readonly asksWorker: AsksWorker;
  readonly budgets: CampaignSettings['budgets'];
  readonly currents: Currents;
  readonly deadLetters: DeadLetters;
  readonly encryption: Encryption;
  readonly eventsDoor: EventsDoor;
  readonly ingest: Ingest;
  readonly processor: Processor;
  readonly quotas: ModelQuotas;
  readonly records: UserRecords;
  readonly registry: Registry;
  readonly streamBuckets: number;
  readonly tables: Tables;
}

/** What the parts of the deployment are called, where `ops where` finds it by the stage alone. */
export class Names extends Construct {
  private readonly parameter: ssm.StringParameter;

  constructor(scope: Construct, id: string, props: NamesProps) {
    super(scope, id);
    const { currents, tables } = props;
    const stack = Stack.of(this);
    this.parameter = new ssm.StringParameter(this, 'Parameter', {
      parameterName: `/${stack.stackName}/names`,
      description: 'For ops where',
      // Queues of many models need more than the 4 KB of a standard one.
      tier: ssm.ParameterTier.INTELLIGENT_TIERING,
      stringValue: stack.toJsonString({
        ...props.registry.settings,
        API_ACCESS_LOG_GROUP: props.api.front.accessLog?.logGroupName ?? '',
        API_FUNCTION: props.api.program.function.functionName,
        API_LOG_GROUP: props.api.program.log.logGroupName,
        API_URL: props.api.front.url,
        ASKS_RULE: props.asksWorker.rule.ruleName,
        ASKS_WORKER_FUNCTION: props.asksWorker.program.function.functionName,
        ASKS_WORKER_LOG_GROUP: props.asksWorker.program.log.logGroupName,
        ASK_QUEUES: props.asks.json,
        BUDGETS: props.budgets,
        CATALOG_TABLE: tables.catalogs.tableName,
        CONTENT_KEY_ARN: props.encryption.content.keyArn,
        CONTENT_TABLE: tables.content.tableName,
        CREDENTIALS_SECRET_ARN: props.api.secret.arn,
        CURRENTS_BUCKET: currents.bucket.bucketName,
        DEAD_LETTER_QUEUE_URL: props.deadLetters.queue.queueUrl,
        EVENTS_FUNCTION: props.eventsDoor.program.function.functionName,
        EVENTS_LOG_GROUP: props.eventsDoor.program.log.logGroupName,
        EVENTS_SECRET_ARN: props.eventsDoor.secret.arn,
        GIVEN_UP_BUCKET: props.processor.givenUp.bucketName,
        GUARDRAILS: JSON.stringify(props.asked.guardrails),
        INCOMING_KEY_ARN: props.encryption.incoming.keyArn,
        INGEST_FUNCTION: props.ingest.program.function.functionName,
        INGEST_LOG_GROUP: props.ingest.program.log.logGroupName,
        MODEL_QUOTAS: props.quotas.json,
        PROCESSOR_EVENT_SOURCE: props.processor.source.eventSourceMappingId,
        PROCESSOR_FUNCTION: props.processor.program.function.functionName,
        PROCESSOR_LOG_GROUP: props.processor.program.log.logGroupName,
        STACK_NAME: stack.stackName,
        STREAM_BUCKETS: String(props.streamBuckets),
        STREAM_NAME: props.records.stream.streamName,
        UPLOADS_GIVEN_UP_QUEUE_ARN: currents.givenUp.queueArn,
        UPLOADS_GIVEN_UP_QUEUE_URL: currents.givenUp.queueUrl,
        UPLOADS_QUEUE_ARN: currents.uploads.queueArn,
        UPLOADS_QUEUE_URL: currents.uploads.queueUrl,
      }),
    });
  }

  /** Lets people find the names. */
  grantRead(role: iam.Role): void {
    role.addToPolicy(
      new iam.PolicyStatement({ actions: ['ssm:GetParameter'], resources: [this.parameter.parameterArn] }),
    );
  }
}
