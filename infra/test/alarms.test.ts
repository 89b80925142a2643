import { Match } from 'aws-cdk-lib/assertions';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import measured from '../../contract/golden/metrics.json' with { type: 'json' };
import { OUTAGES } from '../lib/alarms.js';
import { ASKED, DEV, EVERYTHING, example, PROD } from './example.js';
import { watched } from './watched.js';

const RUNBOOK = readFileSync(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8');

const { template } = example(EVERYTHING);

/** What the programs measure, and what of it for each campaign. */
const { all: MEASURED, by_campaign: MEASURED_BY_CAMPAIGN } = measured;

const alarms = watched(template);
const chapters = alarms.map(({ chapter }) => chapter);

test('every alarm has its chapter in the runbook, and every chapter its alarm', () => {
  const written = [...RUNBOOK.matchAll(/^### (\S+)$/gm)].map(([, title]) => title);

  expect(written.sort()).toEqual([...new Set(chapters)].sort());
});

test('every alarm says what is the matter, and rings where somebody hears it', () => {
  for (const { properties, rings } of alarms) {
    expect(properties['AlarmDescription']).toMatch(/^(Page|Ticket)( of [a-z-]+)?: [A-Z].*\. docs\/runbook\.md#[a-z-]+$/);
    const heard = { Page: /^AlarmsPages/, Ticket: /^AlarmsTickets/ }[rings];
    const rung = heard && [{ Ref: expect.stringMatching(heard) }];
    expect([properties['AlarmActions'], properties['OKActions']]).toEqual([rung, rung]);
  }
});

test.each([
  ['pages and tickets have addresses of their own', EVERYTHING, ['on-call@example.com', 'team@example.com']],
  ['tickets go where pages go, if nobody says otherwise', PROD, ['on-call@example.com', 'on-call@example.com']],
  ['nobody hears where no address is named', DEV, []],
])('%s', (_, settings, addresses) => {
  const { template } = example(settings);
  const subscriptions = Object.values(template.findResources('AWS::SNS::Subscription'));
  const byTopic = subscriptions.map(({ Properties }) => [Properties.TopicArn.Ref, Properties.Endpoint]).sort();

  expect(byTopic.map(([, endpoint]) => endpoint)).toEqual(addresses);
  expect(byTopic.map(([topic]) => topic.replace(/[0-9A-F]{8}$/, ''))).toEqual(
    ['AlarmsPages', 'AlarmsTickets'].slice(0, addresses.length),
  );
});

test('what stops for one cause is one page, and its parts ring nothing by themselves', () => {
  const outages = alarms.filter(({ type }) => type === 'AWS::CloudWatch::CompositeAlarm');

  expect(outages.map(({ chapter }) => chapter).sort()).toEqual(Object.keys(OUTAGES).sort());
  for (const { chapter, properties, rings } of outages) {
    const parts = alarms.filter((each) => each.rings === `Page of ${chapter}`);
    const rule = JSON.stringify(properties['AlarmRule']);
    expect(rings).toBe('Page');
    expect(parts.length).toBeGreaterThan(1);
    expect([...rule.matchAll(/"Fn::GetAtt":\["(\w+)","Arn"\]/g)].map(([, id]) => id).sort()).toEqual(
      parts.map(({ id }) => id).sort(),
    );
    expect(rule).not.toMatch(/ AND |NOT/);
  }
});

test('where nobody is mailed the parts of an outage ring at the topic of pages, for whoever listens', () => {
  const parts = watched(example(DEV).template).filter(({ rings }) => rings.startsWith('Page of'));

  expect(parts.length).toBeGreaterThan(5);
  for (const { properties } of parts) {
    expect(properties['AlarmActions']).toEqual([{ Ref: expect.stringMatching(/^AlarmsPages/) }]);
  }
});

test('what alarms cost is computed from as many as production has', () => {
  const source = readFileSync(join(import.meta.dirname, '../../ops/src/cost/standing.rs'), 'utf8');
  const [, counted] = /const ALARMS: f64 = ([\d.]+);/.exec(source) ?? [];
  const [, own, byCampaign] = /const METRICS: f64 = ([\d.]+) \+ ([\d.]+) \+/.exec(source) ?? [];
  const { template } = example(PROD);
  const all = watched(template);
  // Each metric behind an alarm is charged, and an alarm of alarms as five of them.
  const charged = all.map(({ metrics, type }) => (type === 'AWS::CloudWatch::CompositeAlarm' ? 5 : metrics.length));
  expect(Number(counted)).toBe(charged.reduce((sum, each) => sum + each));
  // What is zero all the time is charged for no hour.
  expect(Number(own)).toBeLessThan(MEASURED.length);
  expect(Number(byCampaign)).toBe(MEASURED_BY_CAMPAIGN.length);
});

test('the oldest event, the letters, the throttles, the errors, the slowest and the budget are watched', () => {
  expect(chapters).toEqual(
    expect.arrayContaining([
      'events-late',
      'dead-letters',
      'uploads-given-up',
      'records-given-up',
      'model-throttled',
      'processor-errors',
      'look-ups-slow',
      'budget-spent',
      'asks-late',
      'campaign-halted',
    ]),
  );
});

test('what alarms and dashboard look for is what the programs measure, of whichever function', () => {
  const dashboard = JSON.stringify(template.findResources('AWS::CloudWatch::Dashboard'));
  const shown = [...dashboard.matchAll(/\\"([a-z_]+)\\",\\"program\\",\\"(ingest|processor|api)\\"/g)];
  const searched = [...dashboard.matchAll(/MetricName=\\*"([a-z_]+)/g)].map(([, name]) => name);
  const rung = watched(template).flatMap(({ metrics }) => metrics.filter((name) => !name.startsWith('AWS/')));

  expect(shown.length).toBeGreaterThan(20);
  expect(searched).toEqual(['model_micro_usd', 'contents_stored']);
  expect(rung.length).toBeGreaterThan(10);
  expect(MEASURED).toEqual(expect.arrayContaining(shown.map(([, name]) => name)));
  expect(MEASURED_BY_CAMPAIGN).toEqual(expect.arrayContaining(searched));
  expect(MEASURED).toEqual(expect.arrayContaining(rung.filter((name) => name !== 'LookUpsRefused')));
});

test('metrics stand under the name of the stack, by program, where the programs put them', () => {
  const { template, stack } = example(EVERYTHING);
  const functions = Object.values(template.findResources('AWS::Lambda::Function')).filter(
    ({ Properties }) => Properties.Environment?.Variables?.CAMPAIGNS_DIR,
  );

  expect(functions.length).toBe(5);
  for (const { Properties } of functions) {
    expect(Properties.Environment.Variables.METRICS_NAMESPACE).toBe(stack.stackName);
  }
  template.hasResourceProperties('AWS::CloudWatch::Alarm', {
    AlarmDescription: Match.stringLikeRegexp('#campaign-halted$'),
    Dimensions: [{ Name: 'program', Value: 'processor' }],
    MetricName: 'campaigns_halted',
    Namespace: stack.stackName,
    Statistic: 'Sum',
  });
});

test('a file that cannot be fetched rings long before it is given up', () => {
  template.hasResourceProperties('AWS::CloudWatch::Alarm', {
    AlarmDescription: Match.stringLikeRegexp('#uploads-late$'),
    EvaluationPeriods: 3,
    MetricName: 'notifications_returned',
    Period: 300,
    Statistic: 'Sum',
    Threshold: 0,
  });
});

test('events are late after as many minutes as an operator says', () => {
  template.hasResourceProperties('AWS::CloudWatch::Alarm', {
    MetricName: 'IteratorAge',
    Threshold: EVERYTHING.alarms.iteratorAgeMinutes * 60_000,
  });
});

test('a cold start in a quiet night is no slow look-up', () => {
  const { properties } = alarms.find(({ chapter }) => chapter === 'look-ups-slow')!;

  expect(properties).toMatchObject({ EvaluateLowSampleCountPercentile: 'ignore', ExtendedStatistic: 'p99' });
});

test('alarms ring whatever becomes of a key, and travel encrypted', () => {
  template.allResourcesProperties('AWS::SNS::Topic', { KmsMasterKeyId: Match.absent() });
  template.hasResourceProperties('AWS::SNS::TopicPolicy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Action: 'sns:Publish',
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
          Effect: 'Deny',
        }),
        Match.objectLike({
          Action: 'sns:Publish',
          Effect: 'Allow',
          Principal: { Service: 'cloudwatch.amazonaws.com' },
        }),
      ]),
    },
  });
  // Of the key of what alarms watch, CloudWatch has no need.
  const keys = JSON.stringify(template.findResources('AWS::KMS::Key'));
  expect(keys).not.toContain('cloudwatch.amazonaws.com');
});

test('one dashboard shows every alarm', () => {
  const [dashboard] = Object.values(template.findResources('AWS::CloudWatch::Dashboard'));
  const shown = JSON.stringify(dashboard?.Properties.DashboardBody);

  template.resourceCountIs('AWS::CloudWatch::Dashboard', 1);
  for (const { id } of alarms) {
    expect(shown).toContain(id);
  }
});

test('every model and profile of the campaigns is watched by itself', () => {
  const models = ['a.b', 'us.c.d'];
  const { template } = example(DEV, { ...ASKED, models, guardrails: [] });

  for (const model of models) {
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      AlarmDescription: Match.stringLikeRegexp(model),
      Dimensions: [{ Name: 'ModelId', Value: model }],
      MetricName: 'InvocationThrottles',
      Namespace: 'AWS/Bedrock',
    });
  }
});
