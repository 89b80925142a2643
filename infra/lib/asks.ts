import { Duration, Stack } from 'aws-cdk-lib';
import type * as iam from 'aws-cdk-lib/aws-iam';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

import { type Alarms, PERIOD } from './alarms.js';
import type { AskedOfBedrock } from './campaigns.js';
import { LONGEST_RETENTION, OLD } from './dead-letters.js';
import type { Encryption } from './encryption.js';
import type { Environment } from './environments.js';
import { oldest } from './expressions.js';
import { acknowledge } from './findings.js';
import { keptIf } from './removal.js';

/** Of asks, by their campaign's priority: above 0, 0, below 0. */
export const CLASSES = ['high', 'normal', 'low'] as const;
type Class = (typeof CLASSES)[number];

/**
 * What an ask that was taken off stays hidden, in longest invocations: nobody else takes it up
 * while somebody may work on it, and one that a worker died of comes back soon.
 */
const HIDDEN_INVOCATIONS = 2;

/** Asks on `later` are seen again every quarter of an hour; one that is older was not looked at. */
const LATE_TO_BE_SEEN = Duration.hours(1);

/** Asks on `jobs` are hidden until they have gathered, for a quarter of an hour at most; then they are taken within minutes. */
const LATE_TO_BE_ASKED = Duration.hours(1);

export interface AsksProps {
  readonly production: boolean;
  readonly encryption: Encryption;
  readonly alarms: Alarms;
  /** Longest invocation of a worker. */
  readonly workerTimeout: Duration;
  /** Each has queues of its own, so that none waits behind another one's quota. */
  readonly models: readonly string[];
}

/** The models that have queues, each once: those of the campaigns, and those that they had. */
export function modelsOf(asked: AskedOfBedrock, { asks }: Pick<Environment, 'asks'>): string[] {
  return [...new Set([...asked.models, ...(asks.formerModels ?? [])])].sort();
}

/** A queue of asks whose time has come. */
export interface ReadyQueue {
  readonly model: string;
  readonly class: Class;
  readonly queue: sqs.Queue;
}

/** The queues of what cannot be answered now: nothing waits on the stream. */
export class Asks extends Construct {
  /** Of those that wait for a time. */
  readonly later: sqs.Queue;

  /** Of those that gather for a job. */
  readonly jobs: sqs.Queue;

  /** Of those whose time has come, by model and class. */
  readonly ready: readonly ReadyQueue[];

  constructor(scope: Construct, id: string, props: AsksProps) {
    super(scope, id);
    this.later = queue(this, 'Later', props);
    this.jobs = queue(this, 'Jobs', props);
    // SQS cuts names at their end, so what tells the queues of a model apart comes first.
    const scopes = CLASSES.map((each) => [each, new Construct(this, titled(each))] as const);
    this.ready = props.models.flatMap((model) =>
      scopes.map(([each, of]) => ({ model, class: each, queue: queue(of, model, props) })),
    );
    this.watch(props.alarms);
  }

  /** The addresses as the processor's setting `ASK_QUEUES`: a JSON object. */
  get json(): string {
    const models = [...new Set(this.ready.map(({ model }) => model))];
    const urls = (model: string) =>
      this.ready.filter((each) => each.model === model).map((each) => [each.class, each.queue.queueUrl]);
    return Stack.of(this).toJsonString({
      jobs: this.jobs.queueUrl,
      later: this.later.queueUrl,
      ready: Object.fromEntries(models.map((model) => [model, Object.fromEntries(urls(model))])),
    });
  }

  /** Lets a role let asks wait. */
  grantSend(role: iam.IRole): void {
    this.grant(role, 'sqs:SendMessage');
  }

  /** Lets a role take asks off, and let them wait again. */
  grantWork(role: iam.IRole): void {
    const taking = ['sqs:DeleteMessage', 'sqs:ReceiveMessage'];
    this.grant(role, 'sqs:SendMessage', ...taking);
  }

  private grant(role: iam.IRole, ...actions: string[]): void {
    for (const each of [this.later, this.jobs, ...this.ready.map(({ queue }) => queue)]) {
      each.grant(role, ...actions);
    }
  }

  private watch(alarms: Alarms): void {
    const age = (of: sqs.Queue) => of.metricApproximateAgeOfOldestMessage({ period: PERIOD });
    for (const { class: each, model, queue } of this.ready) {
      alarms.watch(this, {
        name: 'asks-late',
        of: `${each}-${model}`,
        means: `Asks of ${each} priority wait too long for ${model}.`,
        rings: 'ticket',
        metric: age(queue),
        above: Duration.hours(alarms.settings.askAgeHours).toSeconds(),
      });
    }
    for (const model of new Set(this.ready.map((each) => each.model))) {
      alarms.watch(this, {
        name: 'asks-late',
        of: `expiring-${model}`,
        means: `Asks for ${model} will soon be dropped.`,
        rings: 'page',
        metric: oldest(this.ready.filter((each) => each.model === model).map(({ queue }) => age(queue))),
        above: OLD.toSeconds(),
      });
    }
    alarms.watch(this, {
      name: 'asks-late',
      of: 'jobs',
      means: 'Nobody makes jobs of the asks that have gathered.',
      rings: 'ticket',
      metric: age(this.jobs),
      above: LATE_TO_BE_ASKED.toSeconds(),
    });
    alarms.watch(this, {
      name: 'asks-late',
      of: 'later',
      means: 'Nobody looks at the asks that wait for their time.',
      rings: 'ticket',
      metric: age(this.later),
      above: LATE_TO_BE_SEEN.toSeconds(),
    });
  }
}

function queue(scope: Construct, id: string, props: AsksProps): sqs.Queue {
  const { encryption, production, workerTimeout } = props;
  const made = new sqs.Queue(scope, id, {
    encryptionMasterKey: encryption.incoming,
    enforceSSL: true,
    removalPolicy: keptIf(production),
    retentionPeriod: LONGEST_RETENTION,
    visibilityTimeout: Duration.seconds(HIDDEN_INVOCATIONS * workerTimeout.toSeconds()),
  });
  acknowledge(
    made,
    'SQS3',
    'the program itself makes an ask that workers die of a dead letter, by how often it was received: ' +
      'with its reason, and known to redrive, which SQS could not give it',
  );
  return made;
}

function titled(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
