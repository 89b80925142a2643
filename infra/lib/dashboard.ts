import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Stack } from 'aws-cdk-lib';
import { Construct } from 'constructs';

import { type Alarms, PERIOD } from './alarms.js';
import type { Api } from './api.js';
import type { AsksWorker } from './asks-worker.js';
import type { Asks } from './asks.js';
import type { AskedOfBedrock } from './campaigns.js';
import type { Currents } from './currents.js';
import type { DeadLetters } from './dead-letters.js';
import type { EventsDoor } from './events-door.js';
import type { Ingest } from './ingest.js';
import { modelMetric, type Processor } from './processor.js';
import type { Program } from './program.js';
import type { UserRecords } from './user-records.js';

export interface DashboardProps {
  readonly alarms: Alarms;
  readonly api: Api;
  readonly asked: AskedOfBedrock;
  readonly asks: Asks;
  readonly asksWorker: AsksWorker;
  readonly currents: Currents;
  readonly deadLetters: DeadLetters;
  readonly eventsDoor: EventsDoor;
  readonly ingest: Ingest;
  readonly processor: Processor;
  readonly records: UserRecords;
}

/** Columns of a dashboard, and of what shares a row. */
const WIDTH = 24;
const HALF = WIDTH / 2;
const THIRD = WIDTH / 3;

/** Counters of the processor that say what became of the events. */
const FATES = ['events_received', 'events_stored', 'events_parked', 'events_returned', 'events_dead_lettered'];

/** The same about the asks. */
const ASK_FATES = ['asks_received', 'asks_stored', 'asks_parked_again', 'asks_returned', 'asks_dead_lettered'];

/** Why asks wait. */
const PARKED = [
  'asks_parked_for_quota',
  'asks_parked_for_day_quota',
  'asks_parked_for_budget',
  'asks_parked_for_halt',
  'asks_parked_for_outage',
  'asks_parked_for_lease',
  'asks_parked_for_time',
  'asks_parked_for_pause',
  'asks_parked_for_job',
];

/** What becomes of jobs, and of what they ask. */
const JOBS = ['jobs_submitted', 'jobs_refused', 'jobs_late', 'questions_in_jobs', 'questions_left_by_jobs'];

/** Why answers of the model could not be used, beside all of them. */
const REFUSED = ['generations', 'answers_unreadable', 'answers_against_schema', 'answers_against_rules', 'answers_stopped'];

/** Why look-ups got fallback content, beside those that got a user's own. */
const FALLBACKS = [
  'contents_served',
  'fallbacks_no_content',
  'fallbacks_unverified',
  'contents_withheld',
  'lookups_failed',
];

/** The whole system on one page: alarms first, then the way of an event from left to right. */
export class Dashboard extends Construct {
  constructor(scope: Construct, id: string, props: DashboardProps) {
    super(scope, id);
    new cloudwatch.Dashboard(this, 'Dashboard', {
      widgets: [
        [new cloudwatch.AlarmStatusWidget({ alarms: [...props.alarms.all], width: WIDTH })],
        [backlog(props), given(props)],
        [arriving(props), reading(props)],
        [model(props), measured('What became of the events', props.processor.program, FATES)],
        [waiting(props), measured('What became of the asks', props.processor.program, ASK_FATES)],
        [times(props.processor), measured('Why asks wait', props.processor.program, PARKED)],
        [measured('Jobs of batch inference', props.asksWorker.program, JOBS)],
        [
          measured('Answers that were refused', props.processor.program, REFUSED),
          measured('Fallback content served', props.api.program, FALLBACKS),
        ],
        [
          byCampaign('Cost of the model by campaign (dollars in five minutes)', this, 'model_micro_usd', 1e6),
          byCampaign('Content stored by campaign', this, 'contents_stored'),
        ],
        [lookUps(props), latency(props)],
        [props.ingest, props.eventsDoor, props.processor].map(running),
        [props.asksWorker, props.api].map(running),
      ],
    });
  }
}

function backlog({ currents, processor }: DashboardProps): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({
    title: 'Waiting',
    width: HALF,
    left: [currents.uploads.metricApproximateNumberOfMessagesVisible({ label: 'files', period: PERIOD })],
    right: [
      processor.program.function.metric('IteratorAge', {
        label: 'oldest event (ms)',
        period: PERIOD,
        statistic: 'Maximum',
      }),
    ],
  });
}

/** What comes through either door; nothing at all is an outage elsewhere, or of the connection. */
function arriving({ currents, eventsDoor }: DashboardProps): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({
    title: 'Arriving',
    width: HALF,
    left: [
      currents.uploads.metricNumberOfMessagesSent({ label: 'files', period: PERIOD }),
      eventsDoor.posts.count.with({ label: 'posts' }),
    ],
  });
}

/** Whether somebody reads the stream, is started for what is there, and stores content. */
function reading({ processor, records }: DashboardProps): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({
    title: 'Read, and stored',
    width: HALF,
    left: [records.stream.metricGetRecordsSuccess({ label: 'reads of the stream', period: PERIOD, statistic: 'Sum' })],
    right: [
      processor.program.function.metricInvocations({ label: 'invocations', period: PERIOD }),
      processor.stored.with({ label: 'contents stored' }),
    ],
  });
}

function given({ currents, deadLetters, records }: DashboardProps): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({
    title: 'Records, and what was given up',
    width: HALF,
    left: [records.stream.metricIncomingRecords({ label: 'stream records', period: PERIOD, statistic: 'Sum' })],
    right: [
      currents.givenUp.metricApproximateNumberOfMessagesVisible({ label: 'files', period: PERIOD }),
      deadLetters.queue.metricApproximateNumberOfMessagesVisible({ label: 'dead letters', period: PERIOD }),
    ],
  });
}

function model({ asked }: DashboardProps): cloudwatch.GraphWidget {
  const metrics = (...names: string[]) =>
    names.flatMap((name) => asked.models.map((model) => modelMetric(model, name).with({ label: `${name} ${model}` })));
  return new cloudwatch.GraphWidget({
    title: 'Amazon Bedrock',
    width: HALF,
    left: metrics('InputTokenCount', 'OutputTokenCount'),
    right: metrics('Invocations', 'InvocationThrottles'),
  });
}

/** What became of what one program took up, or why. */
function measured(title: string, program: Program, names: readonly string[]): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({
    title,
    width: HALF,
    left: names.map((name) => program.measured(name).with({ label: name })),
  });
}

/** From upload to readable, and what a call of the model and its turn in the quota take of it. */
function times({ program }: Processor): cloudwatch.GraphWidget {
  const of = (name: string, statistic: string) =>
    program.measured(name).with({ label: `${name} ${statistic}`, statistic });
  return new cloudwatch.GraphWidget({
    title: 'From upload to readable (ms)',
    width: HALF,
    left: [of('freshness_ms', 'p50'), of('freshness_ms', 'p99')],
    right: [of('call_ms', 'p50'), of('quota_wait_ms', 'p99'), of('store_ms', 'p99')],
  });
}

/** A metric of every campaign that there is: also of those that are published later. */
function byCampaign(title: string, scope: Construct, name: string, divisor = 1): cloudwatch.GraphWidget {
  const search = `SEARCH('{${Stack.of(scope).stackName},campaign} MetricName="${name}"', 'Sum', ${PERIOD.toSeconds()})`;
  const expression = divisor === 1 ? search : `${search} / ${divisor}`;
  return new cloudwatch.GraphWidget({
    title,
    width: HALF,
    left: [new cloudwatch.MathExpression({ expression, label: '', period: PERIOD, usingMetrics: {} })],
  });
}

/** Asks by queue; most of those that wait for their time are hidden until they are seen again. */
function waiting({ asks }: DashboardProps): cloudwatch.GraphWidget {
  const ready = asks.ready.map(({ class: each, model, queue }) =>
    queue.metricApproximateNumberOfMessagesVisible({ label: `${each} ${model}`, period: PERIOD }),
  );
  return new cloudwatch.GraphWidget({
    title: 'Asks that wait',
    width: HALF,
    stacked: true,
    left: [
      ...ready,
      asks.later.metricApproximateNumberOfMessagesVisible({ label: 'later', period: PERIOD }),
      asks.later.metricApproximateNumberOfMessagesDelayed({ label: 'later (hidden)', period: PERIOD }),
      asks.jobs.metricApproximateNumberOfMessagesVisible({ label: 'jobs', period: PERIOD }),
    ],
  });
}

function lookUps({ api }: DashboardProps): cloudwatch.GraphWidget {
  const { measured, refused } = api.front.lookUps;
  return new cloudwatch.GraphWidget({
    title: 'Look-ups',
    width: HALF,
    left: [measured.count.with({ label: 'all' })],
    right: [refused, measured.failed.with({ label: 'failed' })],
  });
}

function latency({ api }: DashboardProps): cloudwatch.GraphWidget {
  const { latency, latencyUnit } = api.front.lookUps;
  return new cloudwatch.GraphWidget({
    title: `Latency of look-ups (${latencyUnit})`,
    width: HALF,
    left: ['p50', 'p99'].map((statistic) => latency(statistic).with({ label: statistic })),
  });
}

function running({ node, program }: Ingest | EventsDoor | Processor | AsksWorker | Api): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({
    title: node.id,
    width: THIRD,
    left: [program.p99()],
    right: [
      program.function.metric('ConcurrentExecutions', { period: PERIOD, statistic: 'Maximum' }),
      program.function.metricErrors({ period: PERIOD }),
      program.function.metricThrottles({ period: PERIOD }),
    ],
  });
}
