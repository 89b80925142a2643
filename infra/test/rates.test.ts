import { expect, test } from 'vitest';

import { DEV, EVERYTHING, example } from './example.js';
import { alarm, chapter } from './watched.js';

const { template } = example(EVERYTHING);

/** All of it is bad where nothing of the whole was measured: a quotient of nothing would ring nothing. */
const FEW = (least: number) => `IF(bad >= ${least}, bad / MAX([bad, FILL(all, 0)]), 0)`;

test.each([
  ['ingest', 'Page of files-stop'],
  ['events-door', 'Page'],
  ['processor', 'Page of content-stops'],
  ['asks-worker', 'Page of content-stops'],
  ['api', 'Page of look-ups-stop'],
])('invocations of %s ring when more than one in ten fails, and not for single ones', (name, rings) => {
  expect(alarm(template, `${name}-errors`)).toMatchObject({
    expression: FEW(3),
    metrics: ['AWS/Lambda Errors', 'AWS/Lambda Invocations'],
    missing: 'notBreaching',
    periods: '2 x 5',
    rings,
    threshold: '> 0.1',
  });
});

test('one letter is a ticket for an hour, many are a page, and old ones a ticket again: none rings for two weeks', () => {
  expect(alarm(template, 'dead-letters', 'lettersmany')).toMatchObject({
    expression: FEW(20),
    metrics: ['AWS/SQS NumberOfMessagesSent', 'AWS/Kinesis IncomingRecords'],
    missing: 'notBreaching',
    periods: '1 x 60',
    rings: 'Page',
    threshold: '> 0.05',
  });
  expect(alarm(template, 'dead-letters', 'lettersold')).toMatchObject({
    metrics: ['AWS/SQS ApproximateNumberOfMessagesVisible'],
    periods: '168 x 60',
    rings: 'Ticket',
    threshold: '> 0',
  });
  const [first] = chapter(template, 'dead-letters');
  expect(first).toMatchObject({
    metrics: ['AWS/SQS NumberOfMessagesSent'],
    missing: 'notBreaching',
    periods: '1 x 60',
    rings: 'Ticket',
    threshold: '> 0',
  });
});

test('letters wake somebody though the stream gets nothing, because all that comes is given up', () => {
  const { expression, metrics, missing } = alarm(template, 'dead-letters', 'lettersmany');

  expect(metrics).toContain('AWS/Kinesis IncomingRecords');
  // Kinesis measures nothing where nothing comes.
  expect([expression, missing]).toEqual([expect.stringContaining('FILL(all, 0)'), 'notBreaching']);
});

test('files that were given up ring when they become more, and before SQS drops them', () => {
  const [more, old] = chapter(template, 'uploads-given-up');

  expect(more).toMatchObject({
    expression: 'DIFF(FILL(lying, 0))',
    metrics: ['AWS/SQS ApproximateNumberOfMessagesVisible'],
    missing: 'notBreaching',
    rings: 'Ticket',
    threshold: '> 0',
  });
  expect(old).toMatchObject({ rings: 'Ticket', threshold: '> 0' });
});

test('what lies with what was given up rings though somebody looked at it often, or SQS moved it there', () => {
  for (const name of ['dead-letters', 'uploads-given-up']) {
    const { metrics, properties } = alarm(template, name, 'old');

    // The age leaves out what was received three times.
    expect(metrics).toEqual(['AWS/SQS ApproximateNumberOfMessagesVisible']);
    // While somebody lists it, it is hidden for minutes of an hour.
    expect(properties['Statistic']).toBe('Maximum');
  }
});

test('a file that waited for ten days before it was given up rings before it is dropped', () => {
  const [, old] = chapter(template, 'uploads-given-up');
  const queues = template.findResources('AWS::SQS::Queue');
  const [, kept] = Object.entries(queues).find(([id]) => id.startsWith('CurrentsUploadsGivenUp')) ?? [];
  const [hours, minutes] = old!.periods.split(' x ').map(Number);
  const secondsHere = hours! * minutes! * 60;

  expect(10 * 24 * 3600 + secondsHere).toBeLessThanOrEqual(kept?.Properties.MessageRetentionPeriod);
});

test('asks that SQS will drop in some days wake somebody, whatever their priority', () => {
  expect(alarm(template, 'asks-late', 'expiring')).toMatchObject({
    expression: 'MAX([FILL(age_0, 0),FILL(age_1, 0),FILL(age_2, 0)])',
    metrics: Array(3).fill('AWS/SQS ApproximateAgeOfOldestMessage'),
    missing: 'notBreaching',
    rings: 'Page',
    threshold: `> ${10 * 24 * 3600}`,
  });
});

test('look-ups that get fallback content for trouble ring by their share of all, and only those', () => {
  expect(alarm(template, 'look-ups-fall-back')).toMatchObject({
    expression: FEW(5),
    metrics: ['lookups_failed', 'credentials_unverifiable', 'calls_received'],
    missing: 'notBreaching',
    periods: '2 x 5',
    rings: 'Page of look-ups-stop',
    threshold: '> 0.05',
  });
});

test('posts that are refused ring by their share of all', () => {
  expect(alarm(template, 'posts-refused')).toMatchObject({
    expression: FEW(20),
    metrics: ['posts_refused', 'AWS/ApiGateway Count'],
    rings: 'Page',
    threshold: '> 0.1',
  });
});

test('a model whose service fails most calls rings, and one that is refused by its quota can wait', () => {
  expect(alarm(template, 'model-failing')).toMatchObject({
    expression: FEW(5),
    metrics: ['AWS/Bedrock InvocationServerErrors', 'AWS/Bedrock InvocationServerErrors', 'AWS/Bedrock Invocations'],
    periods: '3 x 5',
    rings: 'Page of content-stops',
    threshold: '> 0.5',
  });
  expect(alarm(template, 'model-throttled').rings).toBe('Ticket');
});

test('prompts that differ more than they should are a ticket where an operator says how much that is', () => {
  expect(alarm(template, 'prompts-differ')).toMatchObject({
    expression: FEW(1000),
    metrics: ['generations', 'contents_stored'],
    missing: 'notBreaching',
    periods: '1 x 60',
    rings: 'Ticket',
    threshold: '> 0.5',
  });
  expect(chapter(example(DEV).template, 'prompts-differ')).toEqual([]);
});

test('a halted campaign wakes somebody, a budget that is spent can wait', () => {
  expect(alarm(template, 'campaign-halted').rings).toBe('Page');
  expect(alarm(template, 'budget-spent').rings).toBe('Ticket');
});
