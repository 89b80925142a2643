import { Match } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';

import golden from '../../contract/golden/tables.json' with { type: 'json' };
import { example, PROD } from './example.js';

test('everything in the tables can be brought back from any second', () => {
  const { template } = example();
  const tables = Object.keys(template.findResources('AWS::DynamoDB::Table'));

  expect(tables).toHaveLength(3);
  template.allResourcesProperties('AWS::DynamoDB::Table', {
    BillingMode: 'PAY_PER_REQUEST',
    PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
  });
});

test.each(Object.entries(golden))('the %s table has the keys that the programs write', (name, names) => {
  const keys = [
    { AttributeName: names.partition_key, KeyType: 'HASH' },
    ...('sort_key' in names ? [{ AttributeName: names.sort_key, KeyType: 'RANGE' }] : []),
  ];
  const tables = Object.entries(example().template.findResources('AWS::DynamoDB::Table'));
  const table = tables.find(([id]) => id.toLowerCase().startsWith(`tables${name}`))?.[1];

  expect(table?.Properties.KeySchema).toEqual(keys);
  const life =
    'time_to_live' in names ? { AttributeName: names.time_to_live, Enabled: true } : undefined;
  expect(table?.Properties.TimeToLiveSpecification).toEqual(life);
});

test('in production no table can be deleted, neither by hand nor with the stack', () => {
  const { template, stack } = example(PROD);

  template.allResourcesProperties('AWS::DynamoDB::Table', { DeletionProtectionEnabled: true });
  for (const table of Object.values(template.findResources('AWS::DynamoDB::Table'))) {
    expect(table.DeletionPolicy).toBe('RetainExceptOnCreate');
  }
  expect(stack.terminationProtection).toBe(true);
});

test("everything that holds a user's events or content has one of the stack's own keys: what comes in, and what is served", () => {
  const { template } = example();
  const key = (name: string) => ({ 'Fn::GetAtt': [Match.stringLikeRegexp(`^Encryption${name}`), 'Arn'] });
  const [incoming, content] = [key('Incoming'), key('Content')];
  const encrypted = (bucket: string, masterKey: unknown) =>
    template.hasResourceProperties('AWS::S3::Bucket', {
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [
          Match.objectLike({ ServerSideEncryptionByDefault: { KMSMasterKeyID: masterKey, SSEAlgorithm: 'aws:kms' } }),
        ],
      },
      LoggingConfiguration: Match.objectLike({ LogFilePrefix: bucket }),
    });

  template.allResourcesProperties('AWS::DynamoDB::Table', {
    SSESpecification: { KMSMasterKeyId: content, SSEEnabled: true, SSEType: 'KMS' },
  });
  template.allResourcesProperties('AWS::Kinesis::Stream', {
    StreamEncryption: { EncryptionType: 'KMS', KeyId: incoming },
  });
  template.allResourcesProperties('AWS::SQS::Queue', { KmsMasterKeyId: incoming });
  template.allResourcesProperties('AWS::SecretsManager::Secret', { KmsKeyId: content });
  encrypted('Currents/Bucket/', incoming);
  encrypted('Processor/GivenUp/', incoming);
  encrypted('Registry/Versions/', content);
});

test('keys are turned over every year', () => {
  example().template.allResourcesProperties('AWS::KMS::Key', { EnableKeyRotation: true });
});
