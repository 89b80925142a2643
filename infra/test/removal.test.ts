import { expect, test } from 'vitest';

import { DEV, example, PROD } from './example.js';

/** Types of the resources that stay when the stack goes, each once. */
function kept(settings = DEV): string[] {
  const { Resources } = example(settings).template.toJSON();
  const resources = Object.values(Resources) as { Type: string; DeletionPolicy?: string }[];
  const staying = resources.filter(({ DeletionPolicy }) => /^Retain/.test(DeletionPolicy ?? ''));
  return [...new Set(staying.map(({ Type }) => Type))].sort();
}

/** As docs/deployment.md has it. */
const ALWAYS = [
  'AWS::ApiGateway::Account',
  'AWS::IAM::Role',
  'AWS::KMS::Key',
  // Until its function goes, and then with it.
  'AWS::Lambda::Version',
  'AWS::S3::Bucket',
];

test('what nobody can make again stays in production, and only what others need stays elsewhere', () => {
  expect(kept(DEV)).toEqual(ALWAYS);
  expect(kept(PROD)).toEqual(
    [
      ...ALWAYS,
      'AWS::DynamoDB::Table',
      'AWS::Kinesis::Stream',
      'AWS::Logs::LogGroup',
      'AWS::SQS::Queue',
      'AWS::SecretsManager::Secret',
    ].sort(),
  );
});

test('every queue of production stays, with the events, notifications and asks in it', () => {
  const queues = example(PROD).template.findResources('AWS::SQS::Queue');

  expect(Object.keys(queues)).toHaveLength(4 + 4);
  for (const queue of Object.values(queues)) {
    expect([queue.DeletionPolicy, queue.UpdateReplacePolicy]).toEqual(['RetainExceptOnCreate', 'Retain']);
  }
});

test('nothing stays of a deployment that failed', () => {
  expect(JSON.stringify(example(PROD).template.toJSON())).not.toContain('"DeletionPolicy":"Retain"');
});
