import { App, CfnWaitConditionHandle, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';

import { type ModelQuota, ModelQuotas } from '../lib/model-quotas.js';

const CODE = 'L-0123ABCD';
const OTHER_CODE = 'L-89ABCDEF';

test('quotas given as numbers need nothing at deployment', () => {
  const { json, template } = quotas({
    '*': { tokensPerMinute: 600, requestsPerMinute: 7, tokensPerDay: 9000, outputBurndown: 1 },
  });

  expect(JSON.parse(delivered(json, {}))).toEqual({
    '*': {
      tokens_per_minute: 600,
      requests_per_minute: 7,
      tokens_per_day: 9000,
      output_burndown: 1,
    },
  });
  template.resourceCountIs('Custom::ServiceQuota', 0);
  template.resourceCountIs('AWS::Lambda::Function', 0);
});

test('a quota given by its code is what Service Quotas says at deployment', () => {
  const { json } = quotas({
    a: { tokensPerMinute: { quotaCode: CODE }, requestsPerMinute: { quotaCode: OTHER_CODE } },
    '*': { tokensPerMinute: 600 },
  });

  const text = delivered(json, { [CODE]: '4000000', [OTHER_CODE]: '1000' });

  expect(JSON.parse(text)).toEqual({
    a: { tokens_per_minute: 4_000_000, requests_per_minute: 1000 },
    '*': { tokens_per_minute: 600 },
  });
});

test.each([
  ['4000000', '{"a":{"tokens_per_minute":4000000}}'],
  ['4000000.0', '{"a":{"tokens_per_minute":4000000}}'],
  ['40000000000', '{"a":{"tokens_per_minute":40000000000}}'],
])('%s arrives as the whole number that the processor reads', (value, expected) => {
  const { json } = quotas({ a: { tokensPerMinute: { quotaCode: CODE } } });

  expect(delivered(json, { [CODE]: value })).toBe(expected);
});

test('a notation that the processor refuses is not cut to a tiny quota that it would keep to', () => {
  const { json } = quotas({ a: { tokensPerMinute: { quotaCode: CODE } } });

  const text = delivered(json, { [CODE]: '4.0E6' });

  // An integer of the processor's JSON has no exponent.
  expect(text).toBe('{"a":{"tokens_per_minute":4E6}}');
});

test('a quota that two models share is read once', () => {
  const { template } = quotas({
    a: { tokensPerMinute: { quotaCode: CODE } },
    b: { tokensPerMinute: { quotaCode: CODE } },
  });

  template.resourceCountIs('Custom::ServiceQuota', 1);
});

test('whoever reads quotas may read those that are named and write its log, and nothing else', () => {
  const { template } = quotas({
    a: { tokensPerMinute: { quotaCode: CODE }, tokensPerDay: { quotaCode: 'L-89ABCDEF' } },
    b: { tokensPerMinute: { quotaCode: CODE } },
  });

  template.hasResourceProperties('AWS::IAM::Role', {
    ManagedPolicyArns: Match.absent(),
    Policies: [
      {
        PolicyDocument: {
          Statement: [
            {
              Action: 'servicequotas:GetServiceQuota',
              Effect: 'Allow',
              Resource: [quotaArn(CODE), quotaArn('L-89ABCDEF')],
            },
          ],
        },
      },
    ],
  });
  template.allResourcesProperties('AWS::IAM::Policy', {
    PolicyDocument: {
      Statement: [{ Action: ['logs:CreateLogStream', 'logs:PutLogEvents'] }],
    },
  });
});

test('a deployment reads again if it changes a setting, and only then', () => {
  const readFor = (settings: unknown) => {
    const { template } = quotas({ a: { tokensPerMinute: { quotaCode: CODE } } }, settings);
    const [reading] = Object.values(template.findResources('Custom::ServiceQuota'));
    return reading?.Properties;
  };

  expect(readFor({ maxProcessors: 4 })).toEqual(readFor({ maxProcessors: 4 }));
  expect(readFor({ maxProcessors: 4 })).not.toEqual(readFor({ maxProcessors: 5 }));
});

test('what is no quota code is refused at synth', () => {
  const name = { tokensPerMinute: { quotaCode: 'tokens per minute' } };

  expect(() => quotas({ a: name })).toThrow(/is no quota code/);
});

/** What a policy calls a quota of Bedrock. */
function quotaArn(code: string): unknown {
  const place = [{ Ref: 'AWS::Partition' }, ':servicequotas:', { Ref: 'AWS::Region' }, ':', { Ref: 'AWS::AccountId' }];
  return { 'Fn::Join': ['', ['arn:', ...place, `:bedrock/${code}`]] };
}

function quotas(
  quotas: Record<string, ModelQuota>,
  settings: unknown = {},
): { json: unknown; template: Template } {
  const stack = new Stack(new App(), 'Test');
  // A template without any resource is none.
  new CfnWaitConditionHandle(stack, 'Something');
  const { json } = new ModelQuotas(stack, 'Quotas', { quotas, settings });
  return { json: stack.resolve(json), template: Template.fromStack(stack) };
}

type Expression =
  | string
  | { 'Fn::Join': [string, Expression[] | Split] }
  | { 'Fn::GetAtt': [string, 'Quota.Value'] };
type Split = { 'Fn::Split': [string, Expression] };

/** What CloudFormation makes of an expression when Service Quotas says `values`. */
function delivered(expression: unknown, values: Record<string, string>): string {
  const text = (part: Expression): string => {
    if (typeof part === 'string') {
      return part;
    }
    if ('Fn::GetAtt' in part) {
      const [id] = part['Fn::GetAtt'];
      const code = Object.keys(values).find((code) => id.includes(code.replace('-', '')));
      return values[code ?? ''] ?? 'unknown';
    }
    const [separator, parts] = part['Fn::Join'];
    return (Array.isArray(parts) ? parts.map(text) : split(parts)).join(separator);
  };
  const split = ({ 'Fn::Split': [separator, whole] }: Split) => text(whole).split(separator);
  return text(expression as Expression);
}
