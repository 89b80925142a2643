import { Match } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';

import event from '../../contract/golden/jobs-event.json' with { type: 'json' };
import { EVERYTHING, example } from './example.js';
import { statements } from './statements.js';

const { template } = example(EVERYTHING);

test('files of jobs hold prompts, and end with their jobs, or after three days', () => {
  const [bucket] = Object.entries(template.findResources('AWS::S3::Bucket')).filter(([id]) => id.startsWith('Jobs'));

  expect(bucket?.[1].Properties.LifecycleConfiguration.Rules).toContainEqual({ ExpirationInDays: 3, Status: 'Enabled' });
});

test('only a job of this account takes the role up, reads questions, writes answers, and asks the models', () => {
  const [role] = Object.entries(template.findResources('AWS::IAM::Role')).filter(([id]) => id.startsWith('JobsRole'));
  const [trust, ...others] = role?.[1].Properties.AssumeRolePolicyDocument.Statement;
  const own = statements(template).filter(({ roles }) => roles.includes(role?.[0] ?? ''));
  const may = own.flatMap(({ actions, resources }) => actions.flatMap((action) => resources.map((of) => `${action} ${of}`)));

  expect(others).toEqual([]);
  expect(trust.Principal).toEqual({ Service: 'bedrock.amazonaws.com' });
  expect(Object.keys(trust.Condition)).toEqual(['StringEquals', 'ArnLike']);
  expect(JSON.stringify(trust.Condition.ArnLike)).toContain('model-invocation-job/*');
  expect(may.filter((each) => each.startsWith('s3:')).sort()).toEqual([
    's3:GetObject JobsFiles/jobs/*/input.jsonl',
    's3:ListBucket JobsFiles',
    's3:PutObject JobsFiles/jobs/*/output/*',
  ]);
  expect(new Set(may.map((each) => each.replace(/ .*/, '')))).toEqual(
    new Set(['bedrock:InvokeModel', 'kms:Decrypt', 'kms:GenerateDataKey', 's3:GetObject', 's3:ListBucket', 's3:PutObject']),
  );
});

test('the role is handed to Bedrock alone', () => {
  const passes = statements(template).filter(({ actions }) => actions.includes('iam:PassRole'));

  expect(passes.map(({ conditions, resources }) => [resources, conditions])).toContainEqual([
    ['JobsRole'],
    { StringEquals: { 'iam:PassedToService': ['bedrock.amazonaws.com'] } },
  ]);
});

test('jobs are looked after every five minutes, and as soon as one changes', () => {
  const target = Match.objectLike({
    Arn: { Ref: Match.stringLikeRegexp('^AsksWorkerProgramLive') },
    Input: JSON.stringify(event),
  });

  template.hasResourceProperties('AWS::Events::Rule', {
    ScheduleExpression: 'rate(5 minutes)',
    State: 'ENABLED',
    Targets: [target],
  });
  template.hasResourceProperties('AWS::Events::Rule', {
    EventPattern: { source: ['aws.bedrock'], 'detail-type': ['Batch Inference Job State Change'] },
    State: 'ENABLED',
    Targets: [target],
  });
});

test('the dashboard shows what becomes of jobs, and what waits for one', () => {
  const [dashboard] = Object.values(template.findResources('AWS::CloudWatch::Dashboard'));
  const shown = JSON.stringify(dashboard?.Properties.DashboardBody);

  for (const name of ['jobs_submitted', 'questions_in_jobs', 'questions_left_by_jobs', 'asks_parked_for_job']) {
    expect(shown).toContain(name);
  }
});
