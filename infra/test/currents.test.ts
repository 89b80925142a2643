import { Match } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';

import { DEV, EVERYTHING, example } from './example.js';
import { statements } from './statements.js';

const { template } = example(EVERYTHING);

test('no bucket is public, and none takes anything in the clear', () => {
  const buckets = Object.keys(template.findResources('AWS::S3::Bucket'));

  template.allResourcesProperties('AWS::S3::Bucket', {
    PublicAccessBlockConfiguration: {
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    },
  });
  expect(buckets).toHaveLength(5);
  for (const bucket of buckets) {
    template.hasResourceProperties('AWS::S3::BucketPolicy', {
      Bucket: { Ref: bucket },
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Condition: { Bool: { 'aws:SecureTransport': 'false' } },
            Effect: 'Deny',
          }),
        ]),
      },
    });
  }
});

test('files of Currents end by themselves, and so does an upload that broke off', () => {
  template.hasResourceProperties('AWS::S3::Bucket', {
    LifecycleConfiguration: {
      Rules: [
        { ExpirationInDays: EVERYTHING.currents.retentionDays, Status: 'Enabled' },
        { AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 }, Status: 'Enabled' },
      ],
    },
  });
});

test('buckets with files and events stay when the stack goes, and so does their key', () => {
  for (const type of ['AWS::S3::Bucket', 'AWS::KMS::Key']) {
    for (const resource of Object.values(template.findResources(type))) {
      expect(resource.DeletionPolicy).toBe('RetainExceptOnCreate');
    }
  }
});

test('the queue hears of new files under the prefix, and the bucket waits for its permission', () => {
  template.hasResource('AWS::S3::Bucket', {
    DependsOn: Match.arrayWith([Match.stringLikeRegexp('^CurrentsUploadsPolicy')]),
    Properties: {
      NotificationConfiguration: {
        QueueConfigurations: [
          {
            Event: 's3:ObjectCreated:*',
            Filter: { S3Key: { Rules: [{ Name: 'prefix', Value: 'currents-export/' }] } },
            Queue: { 'Fn::GetAtt': [Match.stringLikeRegexp('^CurrentsUploads'), 'Arn'] },
          },
          Match.objectLike({
            Filter: { S3Key: { Rules: [{ Name: 'prefix', Value: 'catalogs/' }] } },
          }),
        ],
      },
    },
  });
});

test('without a prefix the queue hears of all files, of catalogs too', () => {
  const { prefix: _, ...currents } = EVERYTHING.currents;
  const { template } = example({ ...EVERYTHING, currents });

  template.hasResourceProperties('AWS::S3::Bucket', {
    NotificationConfiguration: {
      QueueConfigurations: [{ Event: 's3:ObjectCreated:*', Filter: Match.absent() }],
    },
  });
});

test("Braze may write no catalog's file, even where it may write everywhere else", () => {
  const { prefix: _, ...currents } = EVERYTHING.currents;
  for (const settings of [EVERYTHING, { ...EVERYTHING, currents }]) {
    example(settings).template.hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          {
            Action: 's3:PutObject',
            Effect: 'Deny',
            Resource: {
              'Fn::Join': ['', [{ 'Fn::GetAtt': [Match.stringLikeRegexp('^CurrentsBucket'), 'Arn'] }, '/catalogs/*']],
            },
          },
        ]),
      },
    });
  }
});

test("S3 may send to the queue from this account's buckets only", () => {
  template.hasResourceProperties('AWS::SQS::QueuePolicy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Action: 'sqs:SendMessage',
          Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
          Principal: { Service: 's3.amazonaws.com' },
        }),
      ]),
    },
  });
});

test('a notification that failed comes back within two minutes, for more than a day', () => {
  template.hasResourceProperties('AWS::SQS::Queue', {
    RedrivePolicy: {
      deadLetterTargetArn: { 'Fn::GetAtt': [Match.stringLikeRegexp('UploadsGivenUp'), 'Arn'] },
      maxReceiveCount: 1000,
    },
    VisibilityTimeout: 120,
  });
  // Lambda refuses a queue whose messages come back while they are worked on.
  template.hasResourceProperties('AWS::Lambda::Function', {
    Environment: { Variables: Match.objectLike({ STREAM_BUCKETS: Match.anyValue() }) },
    Timeout: 90,
  });
  expect(1000 * 120).toBeGreaterThan(24 * 3600);
});

test('one file that cannot be read holds up no other, and files are read so many at a time', () => {
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    BatchSize: 1,
    EventSourceArn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^CurrentsUploads'), 'Arn'] },
    FunctionResponseTypes: ['ReportBatchItemFailures'],
    ScalingConfig: { MaximumConcurrency: EVERYTHING.ingest.maxConcurrency },
  });
});

test('an existing bucket keeps its own notifications: a rule tells of its files', () => {
  const { template } = example({
    ...DEV,
    currents: { ...DEV.currents, existingBucket: 'theirs', prefix: 'exports/' },
  });

  template.hasResourceProperties('AWS::Events::Rule', {
    EventPattern: {
      detail: { bucket: { name: ['theirs'] }, object: { key: [{ prefix: 'exports/' }, { prefix: 'catalogs/' }] } },
      'detail-type': ['Object Created'],
      source: ['aws.s3'],
    },
    Targets: [
      Match.objectLike({
        Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^CurrentsUploads'), 'Arn'] },
        DeadLetterConfig: {
          Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^CurrentsUploadsGivenUp'), 'Arn'] },
        },
      }),
    ],
  });
  template.resourceCountIs('AWS::S3::Bucket', 4);
});

test('the key of an existing bucket may be used through S3 only, by ingest to read and by Braze to write', () => {
  const key = 'arn:aws:kms:eu-central-1:111122223333:key/theirs';
  const { template } = example({
    ...EVERYTHING,
    currents: { ...EVERYTHING.currents, existingBucket: 'theirs', existingBucketKeyArn: key },
  });
  const uses = (role: string) =>
    statements(template)
      .filter(({ resources, roles }) => resources.includes(key) && roles.some((id) => id.startsWith(role)))
      .map(({ actions, conditions }) => [actions, conditions]);
  const throughS3 = { StringEquals: { 'kms:ViaService': ['s3.eu-central-1.amazonaws.com'] } };

  expect(uses('IngestProgramRole')).toEqual([[['kms:Decrypt'], throughS3]]);
  expect(uses('BrazeRole')).toEqual([[['kms:Decrypt', 'kms:GenerateDataKey'], throughS3]]);
  expect(uses('')).toHaveLength(2);
});

test('what EventBridge cannot hand over may lie with the notifications that were given up', () => {
  const { template } = example({ ...DEV, currents: { ...DEV.currents, existingBucket: 'theirs' } });
  const rule = { 'Fn::GetAtt': [Match.stringLikeRegexp('^CurrentsObjectCreated'), 'Arn'] };

  template.hasResourceProperties('AWS::SQS::QueuePolicy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Action: 'sqs:SendMessage',
          Condition: { ArnEquals: { 'aws:SourceArn': rule } },
          Principal: { Service: 'events.amazonaws.com' },
        }),
      ]),
    },
    Queues: [{ Ref: Match.stringLikeRegexp('^CurrentsUploadsGivenUp') }],
  });
});

test('EventBridge may write to the encrypted queue', () => {
  const { template } = example({ ...DEV, currents: { ...DEV.currents, existingBucket: 'theirs' } });

  template.hasResourceProperties('AWS::KMS::Key', {
    KeyPolicy: {
      Statement: Match.arrayWith([
        Match.objectLike({ Principal: { Service: 'events.amazonaws.com' } }),
      ]),
    },
  });
});

test('Braze may write files and read them back, and only who knows the external id is Braze', () => {
  template.hasResourceProperties('AWS::IAM::Role', {
    AssumeRolePolicyDocument: {
      Statement: [
        Match.objectLike({
          Action: 'sts:AssumeRole',
          Condition: { StringEquals: { 'sts:ExternalId': 'from-braze' } },
        }),
      ],
    },
  });
  const policies = template.findResources('AWS::IAM::Policy');
  const [, own] = Object.entries(policies).find(([id]) => id.startsWith('BrazeRole')) ?? [];
  const statements: { Action: string | string[]; Effect: string }[] =
    own?.Properties.PolicyDocument.Statement;
  const allowed = statements.filter(({ Effect }) => Effect === 'Allow');

  expect(allowed.flatMap(({ Action }) => Action).sort()).toEqual([
    'kms:Decrypt',
    'kms:GenerateDataKey',
    's3:GetBucketLocation',
    's3:GetObject',
    's3:ListBucket',
    's3:PutObject',
  ]);
});

test('without what Braze says of itself there is no role for it', () => {
  const roles = Object.keys(example().template.findResources('AWS::IAM::Role'));

  expect(roles.filter((id) => id.startsWith('BrazeRole'))).toEqual([]);
});

test("Braze's role may use the key through S3 only", () => {
  const policies = Object.entries(template.findResources('AWS::IAM::Policy'));
  const own = policies.filter(([id]) => id.startsWith('BrazeRole'));
  const statements = own.flatMap(([, policy]) => policy.Properties.PolicyDocument.Statement);
  const ofKey = statements.filter(({ Action }) => [Action].flat().some((of) => of.startsWith('kms:')));

  expect(ofKey).toHaveLength(1);
  expect(JSON.stringify(ofKey[0].Condition)).toMatch(/kms:ViaService.*s3\./);
});

test('only ingest, which leaves the rest of a large file to itself, may cause its own invocation', () => {
  const functions = Object.entries(template.findResources('AWS::Lambda::Function'));
  const loops = functions.map(([id, { Properties }]) => [id.replace(/Program.*/, ''), Properties.RecursiveLoop]);

  expect(loops).toContainEqual(['Ingest', 'Allow']);
  expect(loops).toContainEqual(['Processor', 'Terminate']);
  expect(loops).toContainEqual(['Api', 'Terminate']);
});
