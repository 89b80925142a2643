import type { Template } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';

import type { FrontName } from '../../lib/environments.js';
import { states } from '../deployment/canary.js';
import { example, FRONTS } from '../example.js';
import { statements } from '../statements.js';
import { alarm, watched } from '../watched.js';

const TEMPLATES = Object.fromEntries(
  Object.entries(FRONTS).map(([front, settings]) => [front, example(settings).template]),
) as Record<FrontName, Template>;

/** What the deployment puts together, with names without their hashes in place of what only it then knows. */
function said(of: unknown): string {
  if (typeof of === 'string') {
    return of;
  }
  const { Ref, 'Fn::GetAtt': attribute, 'Fn::Join': join } = of as Record<string, any>;
  return join === undefined
    ? `<${(Ref ?? attribute.join('.')).replace(/[0-9A-F]{8}(?=$|\.)/, '')}>`
    : join[1].map(said).join('');
}

/** What is printed for people, by the name of the output without its hash. */
function output(template: Template, name: string): string {
  const [found] = Object.entries(template.findOutputs('*')).filter(([id]) => id.replace(/[0-9A-F]{8}$/, '') === name);
  return said(found?.[1]['Value']);
}

/** Namespaces and names of all metrics behind an alarm. */
const METRICS: Readonly<Record<FrontName, Readonly<Record<string, readonly string[]>>>> = {
  rest: {
    'look-ups-failing': ['ApiGateway 5XXError', 'ApiGateway 5XXError', 'ApiGateway Count', 'ApiGateway Count'],
    'look-ups-refused': ['ApiGateway 4XXError', 'ApiGateway 4XXError', 'ApiGateway Count', 'ApiGateway Count'],
    'look-ups-slow': ['ApiGateway Latency'],
    'posts-refused': ['ApiGateway Count'],
    'no-posts': ['ApiGateway Count'],
  },
  http: {
    'look-ups-failing': ['ApiGateway 5xx', 'ApiGateway 5xx', 'ApiGateway Count', 'ApiGateway Count'],
    'look-ups-refused': ['ApiGateway 4xx', 'ApiGateway 4xx', 'ApiGateway Count', 'ApiGateway Count'],
    'look-ups-slow': ['ApiGateway Latency'],
    'posts-refused': ['ApiGateway Count'],
    'no-posts': ['ApiGateway Count'],
  },
  alb: {
    'look-ups-failing': [
      'ApplicationELB HTTPCode_ELB_5XX_Count',
      'ApplicationELB HTTPCode_Target_5XX_Count',
      'ApplicationELB HTTPCode_Target_5XX_Count',
      'ApplicationELB LambdaInternalError',
      'ApplicationELB LambdaUserError',
      'ApplicationELB RequestCount',
      'ApplicationELB RequestCount',
      'Lambda Errors',
      'Lambda Throttles',
    ],
    'look-ups-refused': [
      'ApplicationELB HTTPCode_Target_4XX_Count',
      'ApplicationELB RequestCount',
      'ApplicationELB RequestCount',
    ],
    'look-ups-slow': ['ApplicationELB TargetResponseTime'],
    'posts-refused': ['ApplicationELB RequestCount'],
    'no-posts': ['ApplicationELB RequestCount'],
  },
  url: {
    'look-ups-failing': ['Lambda Url5xxCount', 'Lambda UrlRequestCount'],
    'look-ups-refused': ['Lambda Url4xxCount', 'Lambda UrlRequestCount'],
    'look-ups-slow': ['Lambda UrlRequestLatency'],
    'posts-refused': ['Lambda UrlRequestCount'],
    'no-posts': ['Lambda UrlRequestCount'],
  },
};

const CASES = Object.entries(METRICS).flatMap(([front, alarms]) =>
  Object.entries(alarms).map(([name, metrics]) => [front as FrontName, name, metrics] as const),
);

test.each(CASES)('behind %s %s watches what AWS measures under that name', (front, name, metrics) => {
  const found = alarm(TEMPLATES[front], name).metrics.filter((each) => each.startsWith('AWS/'));

  expect(found.map((each) => each.replace('AWS/', '')).sort()).toEqual(metrics);
});

test.each(Object.keys(FRONTS) as FrontName[])('behind %s the same rings as behind all others', (front) => {
  const rung = (template: Template) =>
    watched(template)
      .map(({ chapter, missing, periods, rings }) => ({ chapter, missing, periods, rings }))
      .sort((one, other) => one.chapter.localeCompare(other.chapter) || one.periods.localeCompare(other.periods));

  expect(rung(TEMPLATES[front])).toEqual(rung(TEMPLATES.rest));
  // What goes silent is heard of, and what was not measured for the whole hides no bad part of it.
  expect(alarm(TEMPLATES[front], 'no-posts')).toMatchObject({ expression: 'FILL(counted, 0)', missing: 'breaching' });
  for (const name of ['look-ups-failing', 'look-ups-refused']) {
    expect(alarm(TEMPLATES[front], name).expression).toBe('IF(bad >= 5, bad / MAX([bad, FILL(all, 0)]), 0)');
  }
});

test.each(Object.keys(FRONTS) as FrontName[])('behind %s no alarm has more metrics than CloudWatch takes', (front) => {
  for (const { metrics } of watched(TEMPLATES[front])) {
    expect(metrics.length).toBeLessThanOrEqual(10);
  }
});

test.each<[FrontName, string]>([
  ['rest', '> 500'],
  ['http', '> 500'],
  // Its times are seconds.
  ['alb', '> 0.5'],
  ['url', '> 500'],
])('behind %s look-ups are slow from the same time on, and only where there are many', (front, threshold) => {
  const { properties, ...slow } = alarm(TEMPLATES[front], 'look-ups-slow');

  expect(slow.threshold).toBe(threshold);
  expect(properties).toMatchObject({ EvaluateLowSampleCountPercentile: 'ignore', ExtendedStatistic: 'p99' });
});

test.each<[FrontName, string]>([
  ['rest', '"AWS/ApiGateway","Count","ApiName"'],
  ['http', '"AWS/ApiGateway","Count","ApiId"'],
  ['alb', '"AWS/ApplicationELB","RequestCount","LoadBalancer"'],
  ['url', '"AWS/Lambda","UrlRequestCount","FunctionName"'],
])('behind %s the dashboard shows how many look-ups and posts there are', (front, counted) => {
  const [dashboard] = Object.values(TEMPLATES[front].findResources('AWS::CloudWatch::Dashboard'));
  const body = JSON.stringify(dashboard?.Properties.DashboardBody).replaceAll('\\"', '"');

  // Of look-ups, and of posts.
  expect(body.split(counted).length - 1).toBeGreaterThanOrEqual(2);
  expect(body).toContain(front === 'alb' ? 'Latency of look-ups (s)' : 'Latency of look-ups (ms)');
});

test.each<[FrontName, string, string]>([
  ['rest', 'https://content.example.com/personal', 'https://content.example.com/personal/events'],
  ['http', 'https://content.example.com/personal', 'https://content.example.com/personal/events'],
  ['alb', 'https://content.example.com/', 'https://content.example.com/events'],
  ['url', '<ApiLookUps.FunctionUrl>', '<ApiPosts.FunctionUrl>events'],
])('behind %s people and the canary are told the same addresses', (front, lookUps, posts) => {
  const template = TEMPLATES[front];
  const { LookUp, Post } = states(template, said);

  expect([output(template, 'ApiUrl'), output(template, 'EventsDoorUrl')]).toEqual([lookUps, posts]);
  expect(LookUp?.Parameters?.['ApiEndpoint']).toBe(lookUps.replace(/personal$/, 'personal/'));
  expect(Post?.Parameters?.['ApiEndpoint']).toBe(posts);
});

test.each<[FrontName, string[]]>([
  ['rest', ['https://content.example.com/personal/*']],
  ['http', ['https://content.example.com/personal/*']],
  ['alb', ['https://content.example.com/*']],
  ['url', ['ApiLookUps*', 'ApiPostsevents']],
])('behind %s the canary may call the two doors and nothing else', (front, addresses) => {
  const [call] = statements(TEMPLATES[front]).filter(({ actions }) => actions.includes('states:InvokeHTTPEndpoint'));

  expect(call?.conditions).toEqual({ StringLike: { 'states:HTTPEndpoint': addresses } });
});

test.each(Object.keys(FRONTS) as FrontName[])('behind %s nobody calls a function but its live version', (front) => {
  const permissions = Object.values(TEMPLATES[front].findResources('AWS::Lambda::Permission'));
  const called = permissions.map(({ Properties }) => said(Properties.FunctionName));
  const doors = called.filter((of) => /Api|EventsDoor/.test(of));

  expect([...new Set(doors)].sort()).toEqual(['<ApiProgramLive>', '<EventsDoorProgramLive>']);
});

test.each(Object.keys(FRONTS) as FrontName[])('behind %s a tenth of the look-ups tries a new version first', (front) => {
  const [group] = Object.values(TEMPLATES[front].findResources('AWS::CodeDeploy::DeploymentGroup'));
  const names = group?.Properties.AlarmConfiguration.Alarms.map(({ Name }: { Name: { Ref: string } }) => Name.Ref);

  expect(names.map((name: string) => name.replace(/[0-9A-F]{8}$/, '')).sort()).toEqual([
    'ApiAlarmlookupsfailing',
    'ApiAlarmlookupsfallback',
    'ApiProgramAlarmapierrors',
  ]);
});

test.each<[FrontName, boolean]>([
  ['rest', true],
  ['http', true],
  ['alb', false],
  ['url', false],
])('ops is told whether %s has an access log', (front, hasLog) => {
  const [parameter] = Object.values(TEMPLATES[front].findResources('AWS::SSM::Parameter'));
  const told = JSON.stringify(parameter?.Properties.Value).replaceAll('\\"', "'");

  expect(told).toContain(hasLog ? `'API_ACCESS_LOG_GROUP':'",{"Ref":"ApiAccessLog` : `'API_ACCESS_LOG_GROUP':''`);
  const groups = Object.keys(TEMPLATES[front].findResources('AWS::Logs::LogGroup'));
  expect(groups.some((id) => id.startsWith('ApiAccessLog'))).toBe(hasLog);
});

test.each<[FrontName, string[]]>([
  ['alb', ['AWS/ApplicationELB HTTPCode_Target_4XX_Count', 'calls_without_content']],
  ['url', ['AWS/Lambda Url4xxCount', 'calls_without_content']],
])('behind %s the program counts the users without content, who are not refused', (front, refused) => {
  const { api } = FRONTS[front];
  const { template } = example({ ...FRONTS[front], api: { ...api, unknownUser: 'not-found' } });
  const { metrics, properties } = alarm(template, 'look-ups-refused');

  expect(metrics).toEqual(expect.arrayContaining(refused));
  expect(properties['Metrics']).toContainEqual(
    expect.objectContaining({ Expression: 'any_refused - FILL(without_content, 0)' }),
  );
});
