import { Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import { Construct } from 'constructs';

import event from '../../contract/golden/asks-event.json' with { type: 'json' };
import ofJobs from '../../contract/golden/jobs-event.json' with { type: 'json' };
import { PERIOD } from './alarms.js';
import { answerer, type AnswererProps, ANSWERER_TIMEOUT } from './answerer.js';
import type { Program } from './program.js';

/** How often a worker is started, the shortest that EventBridge takes. */
const EVERY = Duration.minutes(1);

/** How often jobs are looked after. */
const LOOKS_EVERY = Duration.minutes(5);

/** As many work at a time: when the next is started, the first has ended. */
export const MOST_WORKERS = ANSWERER_TIMEOUT.toMinutes() / EVERY.toMinutes();

/**
 * Takes asks off their queues, as many as the quota has room for. It is started by the clock and
 * not by the queues: Lambda would hand over a backlog as fast as it can, and each ask would be
 * received and put back over and over, while here one that waits costs no invocation.
 */
export class AsksWorker extends Construct {
  readonly program: Program;

  /** The clock. */
  readonly rule: events.Rule;

  constructor(scope: Construct, id: string, props: AnswererProps) {
    super(scope, id);
    this.program = answerer(this, props, {
      name: 'asks-worker',
      reservedConcurrency: props.environment.asks.maxInstances,
      runsWheneverItMay: true,
    });
    props.asks.grantWork(this.program.role);
    props.jobs.grantWork(this.program.role);
    props.encryption.grant(this.program.role, 'messagesReceived');
    this.rule = new events.Rule(this, 'EveryMinute', {
      description: 'Starts a worker of asks',
      schedule: events.Schedule.rate(EVERY),
      targets: [
        new targets.LambdaFunction(this.program.live, {
          event: events.RuleTargetInput.fromObject(event),
          // The next start comes as soon.
          maxEventAge: EVERY,
          retryAttempts: 0,
        }),
      ],
    });
    this.lookAfterJobs();
    this.watch(props);
  }

  /** By the clock, and as soon as one has ended. */
  private lookAfterJobs(): void {
    const looks = () =>
      new targets.LambdaFunction(this.program.live, {
        event: events.RuleTargetInput.fromObject(ofJobs),
        // The next look comes as soon.
        maxEventAge: LOOKS_EVERY,
        retryAttempts: 0,
      });
    new events.Rule(this, 'LooksAfterJobs', {
      description: 'Looks after jobs of batch inference',
      schedule: events.Schedule.rate(LOOKS_EVERY),
      targets: [looks()],
    });
    new events.Rule(this, 'JobEnded', {
      description: 'Tells that a job of batch inference has changed',
      eventPattern: { source: ['aws.bedrock'], detailType: ['Batch Inference Job State Change'] },
      targets: [looks()],
    });
  }

  private watch({ alarms }: AnswererProps): void {
    alarms.watch(this, {
      name: 'asks-not-taken-up',
      means: 'No worker of asks has run for ten minutes.',
      rings: 'content-stops',
      metric: this.program.function.metricInvocations({ period: PERIOD }),
      below: 1,
      periods: 2,
    });
    alarms.watch(this, {
      name: 'jobs-refused',
      means: 'Bedrock takes no job of batch inference; what it was to ask is asked at the whole price.',
      rings: 'ticket',
      metric: this.program.measured('jobs_refused'),
      above: 0,
    });
  }
}
