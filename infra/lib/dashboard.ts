import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
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

/** Counters of the processor that say what became of the events, as its log has them. */
const FATES = ['events_received', 'events_stored', 'events_parked', 'events_returned', 'events_dead_lettered'];

/** The same of the worker, about the asks. */
const ASK_FATES = ['asks_received', 'asks_stored', 'asks_parked_again', 'asks_returned', 'asks_dead_lettered'];

/** The whole system on one page: alarms first, then the way of an event from left to right. */
export class Dashboard extends Construct {
  constructor(scope: Construct, id: string, props: DashboardProps) {
    super(scope, id);
    new cloudwatch.Dashboard(this, 'Dashboard', {
      widgets: [
        [new cloudwatch.AlarmStatusWidget({ alarms: [...props.alarms.all], width: WIDTH })],
        [backlog(props), given(props)],
        [arriving(props), reading(props)],
        [model(props), fates('What became of the events', props.processor, FATES)],
        [waiting(props), fates('What became of the asks', props.asksWorker, ASK_FATES)],
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
function arriving({ api, currents }: DashboardProps): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({
    title: 'Arriving',
    width: HALF,
    left: [
      currents.uploads.metricNumberOfMessagesSent({ label: 'files', period: PERIOD }),
      api.posts('Count', 'Sum').with({ label: 'posts' }),
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
      processor.stored.with({ label: 'invocations that stored' }),
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

/** The counters are JSON inside a text of the log's JSON, so their quotes are escaped there. */
function fates(title: string, { program }: Processor | AsksWorker, names: string[]): cloudwatch.LogQueryWidget {
  return new cloudwatch.LogQueryWidget({
    title,
    width: HALF,
    logGroupNames: [program.log.logGroupName],
    queryLines: [
      'filter @message like /invocation done/',
      ...names.map((name) => `parse @message /${name}\\W+(?<${name}>\\d+)/`),
      `stats ${names.map((name) => `sum(${name}) as ${name.replace(/^[a-z]+_/, '')}`).join(', ')} by bin(5m)`,
    ],
    view: cloudwatch.LogQueryVisualizationType.LINE,
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
    ],
  });
}

function lookUps({ api }: DashboardProps): cloudwatch.GraphWidget {
  const sum = { period: PERIOD, statistic: 'Sum' };
  return new cloudwatch.GraphWidget({
    title: 'Look-ups',
    width: HALF,
    left: [api.gateway.metricCount({ ...sum, label: 'all' })],
    right: [
      api.refused,
      api.gateway.metricServerError({ ...sum, label: 'failed' }),
    ],
  });
}

function latency({ api }: DashboardProps): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({
    title: 'Latency of look-ups (ms)',
    width: HALF,
    left: ['p50', 'p99'].map((statistic) =>
      api.gateway.metricLatency({ label: statistic, period: PERIOD, statistic }),
    ),
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
