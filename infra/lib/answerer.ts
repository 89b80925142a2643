import { Duration } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

import type { Alarms } from './alarms.js';
import type { Asks } from './asks.js';
import { type BedrockAccess, grantBedrock } from './bedrock-access.js';
import type { AskedOfBedrock } from './campaigns.js';
import type { DeadLetters } from './dead-letters.js';
import type { Encryption } from './encryption.js';
import type { Environment } from './environments.js';
import type { Jobs } from './jobs.js';
import type { ModelQuotas } from './model-quotas.js';
import { Program, type ProgramProps } from './program.js';
import type { Registry } from './registry.js';
import type { Tables } from './tables.js';

/** An invocation stops asking the model in time before it ends. */
export const ANSWERER_TIMEOUT = Duration.minutes(5);

/** What whoever asks the model and stores its answers needs, events or asks being its reason. */
export interface AnswererProps {
  readonly codePath: string;
  readonly environment: Environment;
  readonly alarms: Alarms;
  readonly encryption: Encryption;
  readonly tables: Tables;
  readonly deadLetters: DeadLetters;
  readonly asks: Asks;
  readonly asked: AskedOfBedrock;
  readonly quotas: ModelQuotas;
  readonly registry: Registry;
  readonly jobs: Jobs;
}

/** In what the functions of the program `processor` differ. */
type Own = Pick<ProgramProps, 'name' | 'reservedConcurrency' | 'runsWheneverItMay'>;

/** One function of the program `processor`, with the settings and permissions that all have. */
export function answerer(scope: Construct, props: AnswererProps, own: Own): Program {
  const { alarms, asks, codePath, deadLetters, environment, quotas, tables } = props;
  const settings = environment.processor;
  const program = new Program(scope, 'Program', {
    ...own,
    program: 'processor',
    failureRings: 'content-stops',
    alarms,
    codePath,
    environment,
    memoryMiB: settings.memoryMiB,
    timeout: ANSWERER_TIMEOUT,
    settings: {
      ...props.registry.settings,
      ...props.jobs.settings,
      ASK_QUEUES: asks.json,
      CATALOG_TABLE: tables.catalogs.tableName,
      CONTENT_FORM: settings.contentForm,
      CONTENT_TABLE: tables.content.tableName,
      DEAD_LETTER_QUEUE_URL: deadLetters.queue.queueUrl,
      MAX_CONCURRENT_GENERATIONS: String(settings.maxConcurrentGenerations),
      GUARDRAILS: JSON.stringify(props.asked.guardrails),
      // While the table of the quota is out of reach, each instance of either function keeps to
      // its share of it.
      MAX_INSTANCES: String(settings.maxInstances + environment.asks.maxInstances),
      MODEL_QUOTAS: quotas.json,
    },
  });
  grant(program, props);
  return program;
}

function grant({ role }: Program, props: AnswererProps): void {
  const { asked, deadLetters, encryption, environment, tables } = props;
  tables.content.grant(role, 'dynamodb:BatchGetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem');
  tables.coordination.grant(
    role,
    'dynamodb:BatchGetItem',
    'dynamodb:DeleteItem',
    'dynamodb:GetItem',
    'dynamodb:PutItem',
    'dynamodb:UpdateItem',
  );
  tables.catalogs.grant(role, 'dynamodb:BatchGetItem');
  props.registry.grantVersions(role);
  deadLetters.queue.grant(role, 'sqs:SendMessage');
  encryption.grant(role, 'tables', 'messagesSent');
  grantBedrock(role, bedrockAccess(asked, environment));
}

/** What a stage asks of Bedrock. */
export function bedrockAccess(asked: AskedOfBedrock, { processor }: Environment): BedrockAccess {
  return {
    ...asked,
    profileRegions: processor.profileRegions,
    furtherModelArns: processor.furtherModelArns,
    guardrailKeyArns: processor.guardrailKeyArns,
    guardrailProfileArns: processor.guardrailProfileArns,
  };
}
