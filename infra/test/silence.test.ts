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
  const { template } = example({ ...EVERYTHING, canary: undefined });
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
    // No throttles: the quota of the day can be over until midnight, with nothing for anybody to do.
    metrics: [
      ...['generations', 'calls_failed', 'events_returned', 'asks_returned'],
      ...['contents_stored', 'contents_stored'],
    ],
    missing: 'notBreaching',
    periods: '6 x 5',
    rings: 'Page of content-stops',
    threshold: '> 0',
  });
});

test('what the canary gets does not hide that users get nothing', () => {
  expect(EVERYTHING.canary).toBeDefined();
  const { Metrics } = alarm(template, 'nothing-stored').properties;

  const others = { Expression: 'FILL(all, 0) - FILL(these, 0)', ReturnData: false };
  expect(Metrics).toContainEqual(expect.objectContaining(others));
  const dimension = { Name: 'campaign', Value: EVERYTHING.canary!.campaign };
  const these = expect.objectContaining({ Dimensions: [dimension], MetricName: 'contents_stored' });
  expect(Metrics).toContainEqual(
    expect.objectContaining({ Id: 'these', MetricStat: expect.objectContaining({ Metric: these }) }),
  );
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
