import * as sqs from 'aws-cdk-lib/aws-sqs';
import { expect, test } from 'vitest';

import { DEV, EVERYTHING, judged, PROD, VARIANTS } from './example.js';

test.each([
  ['dev', DEV],
  ['prod', PROD],
  ['every part', EVERYTHING],
  ['a known region', { ...EVERYTHING, account: '111122223333', region: 'eu-central-1' }],
  ['an existing bucket', { ...DEV, currents: { ...DEV.currents, existingBucket: 'theirs' } }],
  [
    'an existing bucket in a known region',
    { ...DEV, region: 'eu-central-1', currents: { ...DEV.currents, existingBucket: 'theirs' } },
  ],
])('the AWS Solutions rules find nothing that is not acknowledged with a reason: %s', (_, settings) => {
  expect(() => judged(settings).synth()).not.toThrow();
});

test.each(Object.entries(VARIANTS).filter(([, { api }]) => api.front !== 'rest'))(
  'they find nothing behind another front: %s',
  (_, settings) => {
    expect(() => judged(settings).synth()).not.toThrow();
  },
);

test('a queue that takes messages in the clear would be found', () => {
  const app = judged(DEV);
  new sqs.Queue(app.node.findChild('Test'), 'Open');

  expect(() => app.synth()).toThrow(/AwsSolutions-SQS4/);
});
