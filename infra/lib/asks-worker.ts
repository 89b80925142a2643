import { Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import { Construct } from 'constructs';

import event from '../../contract/golden/asks-event.json' with { type: 'json' };
import { PERIOD } from './alarms.js';
import { answerer, type AnswererProps, ANSWERER_TIMEOUT } from './answerer.js';
import type { Program } from './program.js';

/** How often a worker is started, the shortest that EventBridge takes. */
const EVERY = Duration.minutes(1);

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
    this.watch(props);
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
  }
}
