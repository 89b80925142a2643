import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as iam from 'aws-cdk-lib/aws-iam';
import { expect, test } from 'vitest';

import { type BedrockAccess, grantBedrock } from '../lib/bedrock-access.js';

const ACCOUNT = '111122223333';

test('a model that is named directly may be called in this region, and no other model', () => {
  expect(statements({ models: ['anthropic.claude-3-haiku-20240307-v1:0'] })).toEqual([
    allow('bedrock:InvokeModel', [
      'arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0',
    ]),
  ]);
});

test("a profile's model may be called in its regions, through the profile only", () => {
  const profile = `arn:aws:bedrock:eu-central-1:${ACCOUNT}:inference-profile/jp.anthropic.claude-x-v1:0`;

  expect(statements({ models: ['jp.anthropic.claude-x-v1:0'] })).toEqual([
    allow('bedrock:InvokeModel', [profile]),
    {
      ...allow('bedrock:InvokeModel', [
        'arn:aws:bedrock:ap-northeast-1::foundation-model/anthropic.claude-x-v1:0',
        'arn:aws:bedrock:ap-northeast-3::foundation-model/anthropic.claude-x-v1:0',
      ]),
      Condition: { StringEquals: { 'bedrock:InferenceProfileArn': profile } },
    },
  ]);
});

test('the model of a global profile is named here and without a region, as AWS asks', () => {
  const [, model] = statements({ models: ['global.anthropic.claude-x-v1:0'] });

  expect(model?.Resource).toEqual([
    'arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-x-v1:0',
    'arn:aws:bedrock:::foundation-model/anthropic.claude-x-v1:0',
  ]);
});

test('what is named by its ARN, and what an operator adds, is allowed as it stands', () => {
  const profile = `arn:aws:bedrock:eu-central-1:${ACCOUNT}:application-inference-profile/abc`;
  const model = 'arn:aws:bedrock:eu-west-1::foundation-model/behind-it';

  expect(statements({ models: [profile], furtherModelArns: [model] })).toEqual([
    allow('bedrock:InvokeModel', [model, profile]),
  ]);
});

test('a guardrail is named by id or ARN', () => {
  const arn = `arn:aws:bedrock:eu-central-1:${ACCOUNT}:guardrail/there`;

  expect(statements({ guardrails: ['here', arn] })).toEqual([
    allow('bedrock:ApplyGuardrail', [
      `arn:aws:bedrock:eu-central-1:${ACCOUNT}:guardrail/here`,
      arn,
    ]),
  ]);
});

test('a guardrail that runs in several regions may be applied in them', () => {
  const there = `arn:aws:bedrock:eu-west-1:${ACCOUNT}:guardrail-profile/eu.guardrail.v1:0`;

  expect(statements({ guardrails: ['here'], guardrailProfileArns: [there] })).toEqual([
    allow('bedrock:ApplyGuardrail', [
      `arn:aws:bedrock:eu-central-1:${ACCOUNT}:guardrail/here`,
      there,
    ]),
  ]);
});

test("a guardrail's own key may be used to read it through Bedrock, and for nothing else", () => {
  const key = `arn:aws:kms:eu-central-1:${ACCOUNT}:key/theirs`;

  expect(statements({ guardrails: ['here'], guardrailKeyArns: [key] })).toEqual([
    allow('bedrock:ApplyGuardrail', [`arn:aws:bedrock:eu-central-1:${ACCOUNT}:guardrail/here`]),
    {
      ...allow('kms:Decrypt', [key]),
      Condition: { StringLike: { 'kms:ViaService': 'bedrock*.eu-central-1.amazonaws.com' } },
    },
  ]);
});

test('a name with dots is a model, unless it begins with a geography', () => {
  expect(statements({ models: ['zai.glm-4.7'] })).toEqual([
    allow('bedrock:InvokeModel', ['arn:aws:bedrock:eu-central-1::foundation-model/zai.glm-4.7']),
  ]);
  const profileRegions = { mars: ['mars-north-1'] };
  expect(statements({ models: ['mars.anthropic.claude-x-v1:0'], profileRegions })).toHaveLength(2);
});

test('a profile that is named by its ARN has the permissions of its name', () => {
  const profile = 'arn:aws:bedrock:eu-central-1:111122223333:inference-profile/jp.a.b';

  expect(statements({ models: [profile] })).toEqual(statements({ models: ['jp.a.b'] }));
});

test("an account's own profile is refused until its models are named", () => {
  const models = [`arn:aws:bedrock:eu-central-1:${ACCOUNT}:application-inference-profile/abc`];

  expect(() => statements({ models })).toThrow(/name the models behind .*abc in furtherModelArns/);
});

interface Statement {
  readonly Action: string;
  readonly Effect: string;
  readonly Resource: string[];
  readonly Condition?: unknown;
}

function allow(Action: string, Resource: string[]): Statement {
  return { Action, Effect: 'Allow', Resource };
}

function statements(access: Partial<BedrockAccess>): Statement[] {
  const stack = new Stack(new App({ context: { '@aws-cdk/core:enablePartitionLiterals': true } }), 'Test', {
    env: { account: ACCOUNT, region: 'eu-central-1' },
  });
  const role = new iam.Role(stack, 'Role', {
    assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
  });
  grantBedrock(role, { models: [], guardrails: [], ...access });
  const [policy] = Object.values(Template.fromStack(stack).findResources('AWS::IAM::Policy'));
  const text = JSON.stringify(policy?.Properties.PolicyDocument.Statement);
  return JSON.parse(text).map((statement: Statement) => ({
    ...statement,
    Resource: [statement.Resource].flat().map(plain),
    ...(statement.Condition !== undefined && { Condition: plainCondition(statement.Condition) }),
  }));
}

/** An ARN with the partition that these regions have. */
function plain(arn: unknown): string {
  if (typeof arn === 'string') {
    return arn;
  }
  const parts = (arn as { 'Fn::Join': [string, unknown[]] })['Fn::Join'][1];
  return parts.map((part) => (typeof part === 'string' ? part : PSEUDO[(part as { Ref: string }).Ref])).join('');
}

const PSEUDO: Record<string, string> = {
  'AWS::AccountId': ACCOUNT,
  'AWS::Partition': 'aws',
  'AWS::Region': 'eu-central-1',
};

function plainCondition(condition: unknown): unknown {
  const [[operator, keys]] = Object.entries(condition as object) as [[string, object]];
  const [[key, value]] = Object.entries(keys) as [[string, unknown]];
  return { [operator]: { [key]: plain(value) } };
}
