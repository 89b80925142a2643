import { Match } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';

import event from '../../contract/golden/asks-event.json' with { type: 'json' };
import { CLASSES } from '../lib/asks.js';
import { ASKED, DEV, example, PROD } from './example.js';

const MODELS = ['us.anthropic.claude-haiku-4-5-20251001-v1:0', 'amazon.nova-lite-v1:0'];

const { template } = example(DEV, { ...ASKED, models: MODELS, guardrails: [] });

/** Queues of asks, by their name in the stack. */
const queues = Object.entries(template.findResources('AWS::SQS::Queue')).filter(([id]) => id.startsWith('Asks'));

interface QueueUrls {
  readonly jobs: string;
  readonly later: string;
  readonly ready: Record<string, Record<string, string>>;
}

test('no model waits behind another one, and no priority behind a lower one', () => {
  const urls: QueueUrls = JSON.parse(environmentOf('AsksWorker')['ASK_QUEUES'] ?? '');
  const ready = Object.values(urls.ready).flatMap((each) => Object.values(each));

  expect(Object.keys(urls.ready).sort()).toEqual([...MODELS].sort());
  for (const of of Object.values(urls.ready)) {
    expect(Object.keys(of)).toEqual([...CLASSES]);
  }
  expect(new Set([...ready, urls.later, urls.jobs]).size).toBe(3 * MODELS.length + 2);
  expect(queues).toHaveLength(3 * MODELS.length + 2);
});

test('an ask that waits costs no invocation: workers come by the clock, and by nothing else', () => {
  const mappings = Object.values(template.findResources('AWS::Lambda::EventSourceMapping'));
  const sources = mappings.map(({ Properties }) => Properties.EventSourceArn['Fn::GetAtt'][0]);

  expect(sources.filter((id) => id.startsWith('Asks'))).toEqual([]);
  template.hasResourceProperties('AWS::Events::Rule', {
    ScheduleExpression: 'rate(1 minute)',
    State: 'ENABLED',
    Targets: [
      Match.objectLike({
        Arn: { Ref: Match.stringLikeRegexp('^AsksWorkerProgramLive') },
        Input: JSON.stringify(event),
      }),
    ],
  });
});

test('neither function can take the instances of the other', () => {
  const { template } = example(PROD);
  const reserved = (name: string) => functionOf(name, template).Properties.ReservedConcurrentExecutions;

  expect(reserved('Processor')).toBe(PROD.processor.maxInstances);
  expect(reserved('AsksWorker')).toBe(PROD.asks.maxInstances);
});

test('who cannot work now is not started later, where the next start comes anyway', () => {
  template.hasResourceProperties('AWS::Lambda::EventInvokeConfig', {
    FunctionName: { Ref: Match.stringLikeRegexp('^AsksWorkerProgramFunction') },
    MaximumEventAgeInSeconds: 60,
    MaximumRetryAttempts: 0,
  });
  template.hasResourceProperties('AWS::Events::Rule', {
    Targets: [
      Match.objectLike({ RetryPolicy: { MaximumEventAgeInSeconds: 60, MaximumRetryAttempts: 0 } }),
    ],
  });
});

test('all workers that an operator may allow can be at work at a time', () => {
  const minutes = functionOf('AsksWorker').Properties.Timeout / 60;

  expect(PROD.asks.maxInstances).toBeLessThanOrEqual(minutes);
});

test('nobody takes an ask up while somebody may work on it', () => {
  const { Timeout } = functionOf('AsksWorker').Properties;

  for (const [, { Properties }] of queues) {
    expect(Properties.VisibilityTimeout).toBeGreaterThan(Timeout);
  }
});

test('an ask waits as long as SQS keeps anything, and SQS itself gives none up', () => {
  for (const [, { Properties }] of queues) {
    expect(Properties.MessageRetentionPeriod).toBe(14 * 24 * 3600);
    expect(Properties.RedrivePolicy).toBeUndefined();
  }
});

test('asks for a model that no campaign names any more are worked on as long as an operator says', () => {
  const settings = { ...DEV, asks: { ...DEV.asks, formerModels: ['a.former-model'] } };
  const { template } = example(settings, { ...ASKED, models: MODELS, guardrails: [] });
  const urls: QueueUrls = JSON.parse(environmentOf('AsksWorker', template)['ASK_QUEUES'] ?? '');

  expect(Object.keys(urls.ready).sort()).toEqual([...MODELS, 'a.former-model'].sort());
});

test('the stream goes on while asks wait: its function may put them on queues, and take none off', () => {
  const actions = (role: string) =>
    Object.values(template.findResources('AWS::IAM::Policy'))
      .filter(({ Properties }) => Properties.Roles[0].Ref.startsWith(`${role}ProgramRole`))
      .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
      .flatMap(({ Action }) => [Action].flat())
      .filter((action: string) => action.startsWith('sqs:'));

  expect(new Set(actions('Processor'))).toEqual(new Set(['sqs:SendMessage']));
  expect(actions('AsksWorker')).toContain('sqs:ReceiveMessage');
});

// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
test('as many models as are taken find room in the environment, under the names that CloudFormation makes', () => {
  const models = Array.from({ length: 6 }, (_, n) => `us.anthropic.claude-haiku-4-5-2025100${n}-v1:0`);
  const { template } = example(DEV, { ...ASKED, models, guardrails: [] });
  const environment = environmentOf('AsksWorker', template);

  expect(Object.keys(JSON.parse(environment['ASK_QUEUES'] ?? '').ready)).toEqual(models);
  expect(JSON.stringify(environment).length).toBeLessThanOrEqual(4096);
});

test('a start that is refused and a worker that works to the end of its time ring nothing, one that never runs does', () => {
  const alarms = Object.entries(template.findResources('AWS::CloudWatch::Alarm')).filter(([id]) =>
    id.startsWith('AsksWorker'),
  );
  const means = alarms.map(([, { Properties }]) => String(Properties.AlarmDescription).replace(/^.*#/, ''));

  expect(means.sort()).toEqual(['asks-not-taken-up', 'asks-worker-errors', 'jobs-refused']);
  template.hasResourceProperties('AWS::CloudWatch::Alarm', {
    AlarmDescription: Match.stringLikeRegexp('#asks-not-taken-up$'),
    ComparisonOperator: 'LessThanThreshold',
    Threshold: 1,
    TreatMissingData: 'breaching',
  });
});

test('asks that wait for the quota of the next day are not late, those that wait for longer are', () => {
  const ages = Object.values(template.findResources('AWS::CloudWatch::Alarm')).filter(({ Properties }) =>
    /^Ticket.*#asks-late$/.test(String(Properties.AlarmDescription)),
  );
  const hours = ages.map(({ Properties }) => Properties.Threshold / 3600);

  // Those on `later` are seen again every quarter of an hour, whatever they wait for.
  expect(hours.sort((a, b) => a - b)).toEqual([1, 1, ...Array(3 * MODELS.length).fill(26)]);
  expect(new Set(ages.map(({ Properties }) => JSON.stringify(Properties.Dimensions))).size).toBe(ages.length);
});

test('the dashboard shows what waits, by model and priority', () => {
  const [dashboard] = Object.values(template.findResources('AWS::CloudWatch::Dashboard'));
  const shown = JSON.stringify(dashboard?.Properties.DashboardBody);

  for (const model of MODELS) {
    for (const each of CLASSES) {
      expect(shown).toContain(`${each} ${model}`);
    }
  }
});

function functionOf(name: string, of = template) {
  const functions = Object.entries(of.findResources('AWS::Lambda::Function'));
  const [, found] = functions.find(([id]) => id.startsWith(`${name}Program`)) ?? [];
  expect(found).toBeDefined();
  return found!;
}

type Value = string | { Ref: string } | { 'Fn::Join': ['', Value[]] };

/** What a function reads in its environment, once everything that it refers to is there. */
function environmentOf(name: string, of = template): Record<string, string> {
  const variables: Record<string, Value> = functionOf(name, of).Properties.Environment.Variables;
  return Object.fromEntries(Object.entries(variables).map(([key, value]) => [key, made(value, of)]));
}

/** A value with the names that CloudFormation makes of a stack's, of a resource's and by chance. */
function made(value: Value, of: typeof template): string {
  if (typeof value === 'string') {
    return value;
  }
  if ('Fn::Join' in value) {
    return value['Fn::Join'][1].map((each) => made(each, of)).join('');
  }
  const queue = value.Ref in of.findResources('AWS::SQS::Queue');
  const generated = `BrazeContent-prod-${value.Ref}`.slice(0, 80 - 13) + '-a1B2c3D4e5F6';
  return queue ? `https://sqs.ap-northeast-1.amazonaws.com/111122223333/${generated}` : generated;
}
