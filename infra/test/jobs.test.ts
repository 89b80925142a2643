import { Match } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';

import event from '../../contract/golden/jobs-event.json' with { type: 'json' };
import { EVERYTHING, example } from './example.js';
import { statements } from './statements.js';
import { alarm } from './watched.js';

const [ACCOUNT, PARTITION, REGION] = ['AccountId', 'Partition', 'Region'].map((name) => ({ Ref: `AWS::${name}` }));

const { template } = example(EVERYTHING);
const all = statements(template);

/** What a role may do, by action and what it is on. */
function granted(role: string) {
  return all
    .filter(({ roles }) => roles.some((id) => id.startsWith(role)))
    .flatMap(({ actions, conditions, resources }) =>
      actions.flatMap((action) => resources.map((of) => ({ action, conditions, of }))),
    );
}

test('Amazon Bedrock works as the role of jobs on jobs of this account and region, and on nothing else', () => {
  template.hasResourceProperties('AWS::IAM::Role', {
    AssumeRolePolicyDocument: {
      Statement: [
        {
          Action: 'sts:AssumeRole',
          Condition: {
            ArnLike: {
              'aws:SourceArn': { 'Fn::Join': ['', ['arn:', PARTITION, ':bedrock:', REGION, ':', ACCOUNT, ':model-invocation-job/*']] },
            },
            StringEquals: { 'aws:SourceAccount': ACCOUNT },
          },
          Effect: 'Allow',
          Principal: { Service: 'bedrock.amazonaws.com' },
        },
      ],
    },
    Description: 'Bedrock reads questions and writes answers of batch inference',
  });
});

test('as that role it reads questions, writes answers, and asks the models of the campaigns', () => {
  const own = granted('JobsRole');
  const ofAction = (action: string) => own.filter((each) => each.action === action).map(({ of }) => of);

  expect([...new Set(own.map(({ action }) => action))].sort()).toEqual([
    'bedrock:InvokeModel',
    'kms:Decrypt',
    'kms:GenerateDataKey',
    's3:GetObject',
    's3:ListBucket',
    's3:PutObject',
  ]);
  expect(ofAction('s3:GetObject')).toEqual(['JobsFiles/jobs/*/input.jsonl']);
  expect(ofAction('s3:PutObject')).toEqual(['JobsFiles/jobs/*/output/*']);
  expect(ofAction('s3:ListBucket')).toEqual(['JobsFiles']);
  expect(ofAction('bedrock:InvokeModel')).toHaveLength(1 + 6);
});

test('who makes jobs hands that role to Amazon Bedrock, and to nobody else; no other function makes any', () => {
  const passes = all.filter(({ actions }) => actions.includes('iam:PassRole'));

  expect(passes).toEqual([
    expect.objectContaining({
      conditions: { StringEquals: { 'iam:PassedToService': ['bedrock.amazonaws.com'] } },
      resources: ['JobsRole'],
      roles: [expect.stringMatching(/^AsksWorkerProgramRole/)],
    }),
  ]);
  const ofJobs = all.filter(({ actions, effect, resources }) => {
    return effect === 'Allow' && `${actions} ${resources}`.match(/ModelInvocationJob|JobsFiles/) !== null;
  });
  expect([...new Set(ofJobs.flatMap(({ roles }) => roles).map((id) => id.slice(0, -8)))].sort()).toEqual([
    'AsksWorkerProgramRole',
    'JobsRole',
  ]);
});

test('what a job may ask is what it is made for: the models are the same', () => {
  const of = (role: string, action: string) =>
    granted(role)
      .filter((each) => each.action === action)
      .map((each) => each.of)
      .filter((each) => !each.includes('model-invocation-job/'))
      .sort();

  expect(of('AsksWorkerProgramRole', 'bedrock:CreateModelInvocationJob')).toEqual(
    of('JobsRole', 'bedrock:InvokeModel'),
  );
});

test('prompts stay in the bucket of jobs for three days at most, under the key of what comes in', () => {
  template.hasResourceProperties('AWS::S3::Bucket', {
    BucketEncryption: {
      ServerSideEncryptionConfiguration: [
        Match.objectLike({
          ServerSideEncryptionByDefault: {
            KMSMasterKeyID: { 'Fn::GetAtt': [Match.stringLikeRegexp('^EncryptionIncoming'), 'Arn'] },
            SSEAlgorithm: 'aws:kms',
          },
        }),
      ],
    },
    LifecycleConfiguration: {
      Rules: Match.arrayWith([{ ExpirationInDays: 3, Status: 'Enabled' }]),
    },
    LoggingConfiguration: { LogFilePrefix: 'Jobs/Files/' },
  });
});

test.each([
  ['every five minutes', { ScheduleExpression: 'rate(5 minutes)' }],
  [
    'when one changes its state',
    { EventPattern: { 'detail-type': ['Batch Inference Job State Change'], source: ['aws.bedrock'] } },
  ],
])('somebody looks after jobs %s', (_, when) => {
  template.hasResourceProperties('AWS::Events::Rule', {
    ...when,
    State: 'ENABLED',
    Targets: [
      {
        Arn: { Ref: Match.stringLikeRegexp('^AsksWorkerProgramLive') },
        Id: Match.anyValue(),
        Input: JSON.stringify(event),
        RetryPolicy: { MaximumEventAgeInSeconds: 300, MaximumRetryAttempts: 0 },
      },
    ],
  });
});

test('a job that is refused is a ticket, as its questions are asked at the whole price', () => {
  expect(alarm(template, 'jobs-refused')).toMatchObject({
    metrics: ['jobs_refused'],
    missing: 'notBreaching',
    periods: '1 x 5',
    rings: 'Ticket',
    threshold: '> 0',
  });
});

test('asks that have gathered and that nobody takes off ring when they are an hour old', () => {
  expect(alarm(template, 'asks-late', 'latejobs')).toMatchObject({
    metrics: ['AWS/SQS ApproximateAgeOfOldestMessage'],
    rings: 'Ticket',
    threshold: '> 3600',
  });
});

test('the dashboard shows what becomes of jobs, and what waits for one', () => {
  const [dashboard] = Object.values(template.findResources('AWS::CloudWatch::Dashboard'));
  const shown = JSON.stringify(dashboard?.Properties.DashboardBody);

  for (const name of ['jobs_submitted', 'questions_in_jobs', 'questions_left_by_jobs', 'asks_parked_for_job']) {
    expect(shown).toContain(name);
  }
});
