import { expect, test } from 'vitest';

import { DEV, EVERYTHING, example, PROD } from './example.js';
import { alarm, chapter } from './watched.js';

const { template } = example(EVERYTHING);

/** What it is about, and when it rings. */
function intent(name: string, of?: string) {
  const { expression, metrics, missing, periods, rings, threshold } = alarm(template, name, of);
  return { expression, metrics, missing, periods, rings, threshold };
}

test('no file for as many hours as an operator says wakes somebody, whether SQS measures zero or nothing', () => {
  expect(intent('no-files')).toEqual({
    expression: 'FILL(counted, 0)',
    metrics: ['AWS/SQS NumberOfMessagesSent'],
    missing: 'breaching',
    periods: `${PROD.alarms.silenceHours.files} x 60`,
    rings: 'Page',
    threshold: '< 1',
  });
  expect(JSON.stringify(alarm(template, 'no-files').properties)).toMatch(/"CurrentsUploads[0-9A-F]{8}"/);
});

test('no post for as many hours as an operator says wakes somebody', () => {
  const { properties, ...rest } = alarm(template, 'no-posts');

  expect(rest).toMatchObject({
    expression: 'FILL(counted, 0)',
    metrics: ['AWS/ApiGateway Count'],
    missing: 'breaching',
    periods: `${EVERYTHING.alarms.silenceHours.posts} x 60`,
    rings: 'Page',
    threshold: '< 1',
  });
  expect(JSON.stringify(properties)).toContain('/events');
});

test('where nothing needs to arrive, silence rings nothing', () => {
  const { template } = example(DEV);

  expect([...chapter(template, 'no-files'), ...chapter(template, 'no-posts')]).toEqual([]);
});

test('a stream that nobody reads rings after ten minutes, though there be nothing on it', () => {
  expect(intent('stream-unread')).toEqual({
    expression: 'FILL(counted, 0)',
    metrics: ['AWS/Kinesis GetRecords.Success'],
    missing: 'breaching',
    periods: '2 x 5',
    rings: 'Page of content-stops',
    threshold: '< 1',
  });
});

test('records for which no processor is started ring after a quarter of an hour; no records ring nothing', () => {
  expect(intent('events-unread')).toEqual({
    expression: 'IF(comes > 0 AND FILL(follows, 0) < 1, 1, 0)',
    metrics: ['AWS/Kinesis IncomingRecords', 'AWS/Lambda Invocations'],
    missing: 'notBreaching',
    periods: '3 x 5',
    rings: 'Page of content-stops',
    threshold: '> 0',
  });
});

test('work of which no content comes rings after half an hour', () => {
  expect(intent('nothing-stored')).toEqual({
    expression: 'IF(comes > 0 AND FILL(follows, 0) < 1, 1, 0)',
    metrics: ['InvocationsThatTried', 'InvocationsThatStored'],
    missing: 'notBreaching',
    periods: '6 x 5',
    rings: 'Page of content-stops',
    threshold: '> 0',
  });
});

test.each([
  ['InvocationsThatTried', ['generations', 'calls_failed', 'events_returned', 'asks_returned']],
  ['InvocationsThatStored', ['contents_stored']],
])('%s are those of either function whose line has one of %j above 0', (metric, counters) => {
  const filters = Object.values(template.findResources('AWS::Logs::MetricFilter')).filter(
    ({ Properties }) => Properties.MetricTransformations[0].MetricName === metric,
  );
  const line = (counts: Record<string, number>) => JSON.stringify({ counts: JSON.stringify(counts) });

  expect(filters).toHaveLength(2);
  for (const { Properties } of filters) {
    const pattern = new RegExp(Properties.FilterPattern.replace(/^%|%$/g, ''));
    for (const counter of counters) {
      expect(line({ throttles: 3, [counter]: 12 })).toMatch(pattern);
    }
    // The quota of the day can be over until midnight, with nothing for anybody to do.
    expect(line(Object.fromEntries([['throttles', 3], ...counters.map((each) => [each, 0])]))).not.toMatch(pattern);
  }
});

test('a clock that starts no worker rings after ten minutes', () => {
  expect(intent('asks-not-taken-up')).toEqual({
    expression: 'FILL(counted, 0)',
    metrics: ['AWS/Lambda Invocations'],
    missing: 'breaching',
    periods: '2 x 5',
    rings: 'Page of content-stops',
    threshold: '< 1',
  });
});
