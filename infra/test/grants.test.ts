import { expect, test } from 'vitest';

import type { Check } from './deployment/evaluator.js';
import { grantsOf, missedByNothing } from './deployment/grants.js';
import { lines, Recorded } from './deployment/recorded.js';
import type { Statement } from './statements.js';

const ARN = 'arn:aws:dynamodb:eu-central-1:111122223333:table/coordination';

const get = (key: string): Check => ({
  action: 'dynamodb:GetItem',
  resource: ARN,
  context: { 'dynamodb:LeadingKeys': [key] },
});

test('a grant is missed when a request is refused without it', () => {
  const grants = grantsOfRole(statement(['dynamodb:GetItem', 'dynamodb:PutItem']));

  expect(missedByNothing(grants, [get('campaigns')]).map(({ action }) => action)).toEqual(['dynamodb:PutItem']);
  expect(missedByNothing(grants, [])).toHaveLength(2);
});

test('of two grants of the same neither is missed, and of a narrow one beside a wide one only the wide one', () => {
  const [wide, narrow] = [
    statement(['dynamodb:GetItem']),
    statement(['dynamodb:GetItem'], { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': ['campaigns'] } }),
  ];

  expect(missedByNothing(grantsOfRole(wide, wide), [get('quota')])).toHaveLength(2);
  expect(missedByNothing(grantsOfRole(wide, narrow), [get('quota'), get('campaigns')])).toEqual([
    expect.objectContaining({ on: expect.stringMatching(/^TablesCoordination \{"ForAllValues/) }),
  ]);
});

test('grants are named by what they are on, and keys by the service that uses them', () => {
  const through = { StringEquals: { 'kms:ViaService': ['sqs.eu-central-1.amazonaws.com'] } };
  const kinds = grantsOfRole(
    statement(['dynamodb:GetItem']),
    statement(['kms:Decrypt'], through, 'EncryptionKey'),
    statement(['logs:PutLogEvents'], {}, 'ApiProgramLog'),
    statement(['s3:GetObject'], {}, 'RegistryVersions/versions/*'),
    statement(['bedrock:InvokeModel'], {}, 'arn:aws:bedrock:us-east-1::foundation-model/m'),
    statement(['bedrock:GetModelInvocationJob'], {}, 'arn:aws:bedrock:us-east-1:1:model-invocation-job/*'),
    statement(['bedrock:ListModelInvocationJobs'], {}, '*'),
    statement(['xray:PutTraceSegments'], {}, '*'),
    statement(['iam:PassRole'], {}, 'JobsRole'),
  ).map(({ kind }) => kind);

  const ofJobs = ['job', 'every-job', 'traces', 'job-role'];
  expect(kinds).toEqual(['coordination', 'key through sqs', 'log', 'campaigns', 'model', ...ofJobs]);
  expect(() => grantsOfRole(statement(['sns:Publish'], {}, 'Topic'))).toThrow(/granted something on Topic/);
});

test('what was recorded is a list in the order of the one that is kept', () => {
  const recorded = new Recorded();
  const request = (operation: string, ...kinds: string[]) => ({ operation, kinds, checks: [] });

  recorded.add('ops', request('sqs:ReceiveMessage', 'dead-letters'));
  recorded.add('api', request('dynamodb:GetItem', 'coordination'));
  recorded.add('api', request('dynamodb:BatchGetItem', 'content'));
  recorded.add('api', request('dynamodb:GetItem', 'content'));
  recorded.add('api', request('dynamodb:GetItem', 'content'));

  expect(JSON.stringify(recorded.listed())).toBe(
    JSON.stringify({
      api: { 'dynamodb:BatchGetItem': ['content'], 'dynamodb:GetItem': ['content', 'coordination'] },
      ops: { 'sqs:ReceiveMessage': ['dead-letters'] },
    }),
  );
  expect(lines(recorded.listed())).toContain('api dynamodb:GetItem coordination');
});

/** Of a role that has all of these; by their names in the stack they are on what is named here. */
function grantsOfRole(...named: Statement[]) {
  const byArn = named.map((each) => ({ ...each, resources: [ARN] }));
  return grantsOf(byArn, named);
}

function statement(
  actions: string[],
  conditions: Statement['conditions'] = {},
  name = 'TablesCoordination',
): Statement {
  return { id: 'Policy', roles: ['Role'], effect: 'Allow', actions, resources: [name], conditions };
}
