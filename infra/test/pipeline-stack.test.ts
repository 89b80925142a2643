import { App } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import environment from '../../contract/golden/environment.json' with { type: 'json' };
import { PipelineStack } from '../lib/pipeline-stack.js';

const MODEL = 'arn:aws:bedrock:us-east-1::foundation-model/test';
const GUARDRAIL = 'arn:aws:bedrock:us-east-1:111122223333:guardrail/test';

test('a poison record cannot stall its shard', () => {
  pipeline().hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    BisectBatchOnFunctionError: true,
    DestinationConfig: { OnFailure: { Destination: Match.anyValue() } },
    FunctionResponseTypes: ['ReportBatchItemFailures'],
    MaximumRecordAgeInSeconds: 24 * 3600,
  });
});

test('what the event source gives up is kept with its records, in private, for thirty days', () => {
  const template = pipeline();
  const [bucket] = Object.keys(
    template.findResources('AWS::S3::Bucket', {
      Properties: {
        LifecycleConfiguration: { Rules: [{ ExpirationInDays: 30, Status: 'Enabled' }] },
        PublicAccessBlockConfiguration: { BlockPublicAcls: true, RestrictPublicBuckets: true },
      },
    }),
  );

  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': [bucket, 'Arn'] } } },
  });
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
});

test.each(Object.entries(environment))('%s is given exactly the settings it reads', (name, names) => {
  const functions = Object.entries(pipeline().findResources('AWS::Lambda::Function'));
  const [, program] = functions.find(([id]) => id.startsWith(name)) ?? [];

  expect(Object.keys(program?.Properties.Environment.Variables).sort()).toEqual(names);
});

test('the processors are as many as share the quota while its table is out of reach', () => {
  pipeline().hasResourceProperties('AWS::Lambda::Function', {
    Environment: {
      Variables: {
        MAX_INSTANCES: '4',
        MODEL_QUOTAS: '{"*":{"tokens_per_minute":600,"output_burndown":1}}',
      },
    },
    ReservedConcurrentExecutions: 4,
  });
});

test('the bucket takes nothing in the clear and is not public', () => {
  pipeline().hasResourceProperties('AWS::S3::Bucket', {
    PublicAccessBlockConfiguration: { BlockPublicAcls: true, RestrictPublicBuckets: true },
  });
});

test('content expires by itself', () => {
  pipeline().hasResourceProperties('AWS::DynamoDB::GlobalTable', {
    TimeToLiveSpecification: { AttributeName: 'expires_at', Enabled: true },
  });
});

test('no function may scan the table, and the model is the only one that may be asked', () => {
  const statements = JSON.stringify(pipeline().findResources('AWS::IAM::Policy'));

  expect(statements).toContain(MODEL);
  expect(statements).toContain(GUARDRAIL);
  expect(statements).not.toContain('dynamodb:Scan');
  expect(statements).not.toContain('dynamodb:*');
  expect(statements).not.toContain('bedrock:*');
});

test('the api asks for a secret that nobody chose, and may read no other', () => {
  const template = pipeline();
  const [secret] = Object.keys(template.findResources('AWS::SecretsManager::Secret'));

  template.hasResourceProperties('AWS::SecretsManager::Secret', {
    GenerateSecretString: {
      GenerateStringKey: 'password',
      PasswordLength: 40,
      SecretStringTemplate: '{"username":"braze"}',
    },
  });
  template.hasResourceProperties('AWS::Lambda::Function', {
    Environment: { Variables: { CREDENTIALS_SECRET_ARN: { Ref: secret } } },
  });
  template.hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Action: Match.arrayWith(['secretsmanager:GetSecretValue']),
          Resource: { Ref: secret },
        }),
      ]),
    },
  });
});

test('a record stays on the stream far longer than the processor tries', () => {
  const template = pipeline();
  template.hasResourceProperties('AWS::Kinesis::Stream', { RetentionPeriodHours: 168 });
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    MaximumRecordAgeInSeconds: 86_400,
  });
});

function pipeline(): Template {
  const stack = new PipelineStack(new App(), 'Test', {
    codePath: () => join(import.meta.dirname, 'fixtures/bootstrap'),
    modelQuotas: { '*': { tokensPerMinute: 600, outputBurndown: 1 } },
    maxProcessors: 4,
    modelArns: [MODEL],
    guardrailArns: [GUARDRAIL],
  });
  return Template.fromStack(stack);
}
