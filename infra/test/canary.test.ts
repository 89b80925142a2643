import { Annotations, Match, type Template } from 'aws-cdk-lib/assertions';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { expect, test } from 'vitest';

import { askedOfBedrock } from '../lib/campaigns.js';
import { posted, states } from './deployment/canary.js';
import { DEV, EVERYTHING, example, PROD } from './example.js';
import { statements } from './statements.js';
import { alarm, watched } from './watched.js';

const EXAMPLES = join(import.meta.dirname, '../../examples/canary/campaigns');
const DOOR = readFileSync(join(import.meta.dirname, '../../ingest/src/posts/message.rs'), 'utf8');

const { template } = example(EVERYTHING);
const machine = states(template);
const TICK = { id: '53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa', time: '2026-11-28T07:22:00Z' };

/** The only resource of a type whose logical id begins so. */
function only(of: Template, type: string, begins = ''): Record<string, any> {
  const found = Object.entries(of.findResources(type)).filter(([id]) => id.startsWith(begins));
  expect(found.map(([id]) => id)).toHaveLength(1);
  return found[0]![1]['Properties'];
}

test('a stage that names none has no canary, and production is warned of it', () => {
  const warned = (settings = DEV) =>
    Annotations.fromStack(example(settings).stack).findWarning('*', Match.stringLikeRegexp('give the stage a canary'));

  example(DEV).template.resourceCountIs('AWS::StepFunctions::StateMachine', 0);
  example(DEV).template.resourceCountIs('AWS::Events::Connection', 0);
  expect(watched(example(DEV).template).filter(({ chapter }) => chapter.startsWith('canary'))).toEqual([]);
  expect(warned(DEV)).toHaveLength(0);
  expect(warned(PROD)).toHaveLength(1);
  expect(warned(EVERYTHING)).toHaveLength(0);
});

test('it runs every quarter of an hour, and never where periods of its alarms or hours meet', () => {
  const { ScheduleExpression, Targets } = only(template, 'AWS::Events::Rule', 'CanaryClock');

  expect(ScheduleExpression).toBe('cron(7/15 * * * ? *)');
  // A start that failed is made up for by the next, and the post's id tells repeats.
  expect(Targets[0].RetryPolicy).toEqual({ MaximumEventAgeInSeconds: 300, MaximumRetryAttempts: 1 });
  expect(Targets[0].Input).toBeUndefined();
});

test('it posts a message of nobody in the form of webhooks, each time another one', () => {
  const body = posted(machine, TICK) as Record<string, unknown>;
  const [, known = ''] = /let known = \[(.*)\];/.exec(DOOR) ?? [];

  expect(body).toEqual({ user_id: 'canary', campaign: 'canary', id: TICK.id, properties: { time: TICK.time } });
  // Such a field counts UNIX seconds, and the clock tells no such time.
  expect(body).not.toHaveProperty('time');
  expect(known).toContain('"user_id"');
  expect(Object.keys(body).filter((name) => !known.includes(`"${name}"`) && name !== 'properties')).toEqual([]);
});

test('it posts and looks up at the addresses that Braze is told of, without a body where the api takes none', () => {
  const { LookUp, Post } = machine;
  const [posts, lookUps] = [Post?.Parameters ?? {}, LookUp?.Parameters ?? {}];

  expect(posts['Method']).toBe('POST');
  expect(posts['ApiEndpoint']).toMatch(/^https:\/\/content\.example\.com\/personal\/events$/);
  expect(lookUps).toEqual({
    ApiEndpoint: 'https://content.example.com/personal/',
    Authentication: { ConnectionArn: expect.stringMatching(/CanaryConnectionlookups/) },
    Method: 'GET',
    QueryParameters: { user_id: 'canary', campaign: 'canary' },
  });
});

test('where the post is refused the look-up is tried all the same, and the run fails in the end', () => {
  expect(machine['Post']?.Catch).toEqual([
    { ErrorEquals: ['States.ALL'], ResultPath: '$.refused', Next: machine['Post']?.Next },
  ]);
  expect(machine['UntilWritten']).toEqual({ Type: 'Wait', Seconds: 180, Next: 'LookUp' });
  expect(machine['LookUp']).toMatchObject({ Next: 'WasPosted' });
  expect(machine['LookUp']?.Catch).toBeUndefined();
  expect(machine['WasPosted']).toMatchObject({
    Choices: [{ Variable: '$.refused', IsPresent: true, Next: 'PostRefused' }],
    Default: 'Done',
  });
  expect(machine['PostRefused']).toMatchObject({ Type: 'Fail', CausePath: '$.refused.Cause' });
});

test('each door gets its own secret, which no template holds', () => {
  const resolved = (begins: string) =>
    JSON.stringify(only(template, 'AWS::Events::Connection', begins)).replaceAll(/[0-9A-F]{8}/g, '');
  const posts = resolved('CanaryConnectionposts');
  const lookUps = resolved('CanaryConnectionlookups');

  expect(posts).toContain('"ApiKeyName":"Authorization"');
  expect(posts).toContain('["Bearer {{resolve:secretsmanager:",{"Ref":"EventsDoorSecret"},":SecretString:password::}}"]');
  expect(lookUps).toContain('"Username":"braze"');
  expect(lookUps).toContain('["{{resolve:secretsmanager:",{"Ref":"ApiSecret"},":SecretString:password::}}"]');
});

test('a new build reads the secrets again, for CloudFormation looks at them where something changes', () => {
  expect(only(template, 'AWS::Events::Connection', 'CanaryConnectionposts')['Description']).toMatch(/build development$/);
});

test('it may call the api, with these two secrets, and nothing else', () => {
  const own = statements(template).filter(({ roles }) => roles.some((id) => id.startsWith('CanaryRole')));
  const [call, ...rest] = own;

  expect(call).toMatchObject({
    actions: ['states:InvokeHTTPEndpoint'],
    conditions: { StringLike: { 'states:HTTPEndpoint': ['https://content.example.com/personal/*'] } },
  });
  expect(rest.flatMap(({ actions }) => actions)).toEqual([
    'events:RetrieveConnectionCredentials',
    'secretsmanager:DescribeSecret',
    'secretsmanager:GetSecretValue',
  ]);
  for (const { resources } of rest) {
    expect(resources).toEqual(['CanaryConnectionlookupsConnection', 'CanaryConnectionpostsConnection']);
  }
});

test.each([
  ['canary-not-written', 'contents_stored'],
  ['canary-not-served', 'contents_served'],
])('half an hour without rings: %s', (name, metric) => {
  const { expression, metrics, missing, periods, properties, rings, threshold } = alarm(template, name);
  const { Dimensions, Namespace } = properties['Metrics'][1].MetricStat.Metric;

  expect({ expression, metrics, missing, periods, rings, threshold }).toEqual({
    expression: 'FILL(counted, 0)',
    metrics: [metric],
    missing: 'breaching',
    periods: '2 x 15',
    rings: 'Page',
    threshold: '< 1',
  });
  // The programs count by campaign alone.
  expect(Dimensions).toEqual([{ Name: 'campaign', Value: 'canary' }]);
  expect(Namespace).toBe('Test');
});

test('a door that refuses it can wait until the morning, and tells the door from what lies behind', () => {
  const { metrics, missing, periods, rings, threshold } = alarm(template, 'canary-refused');

  expect({ metrics, missing, periods, rings, threshold }).toEqual({
    metrics: ['AWS/States ExecutionsFailed'],
    missing: 'notBreaching',
    periods: '2 x 15',
    rings: 'Ticket',
    threshold: '> 0',
  });
});

test('what it posts is not taken for a sign of Braze', () => {
  const { properties, threshold } = alarm(template, 'no-posts');

  // Four an hour are its own.
  expect(threshold).toBe('< 5');
  expect(properties['AlarmDescription']).toContain('but by the canary');
});

test('its campaign can be had, asks little, and has a limit, checks and what is served without an answer', () => {
  const { campaigns } = askedOfBedrock(EXAMPLES);
  const folder = join(EXAMPLES, 'canary');
  const campaign = parse(readFileSync(join(folder, 'campaign.toml'), 'utf8'));

  expect(campaigns).toEqual(['canary']);
  expect(campaign['max_tokens']).toBeLessThanOrEqual(100);
  expect(campaign['fields']).toEqual(['properties.time']);
  expect(campaign['budget']).toEqual({ tokens_per_day: 50_000 });
  expect(readdirSync(folder)).toEqual(expect.arrayContaining(['answer.schema.json', 'fallback.json']));
  // Equal prompts would be answered from the cache.
  expect(readFileSync(join(folder, 'prompt.liquid'), 'utf8')).toContain('{{ last.properties.time }}');
});
