import { expect, test } from 'vitest';

import { asked, type Sent, signatureOf } from './deployment/asked.js';

test('the signature tells who asks which service', () => {
  const scope = 'Stage-IngestFunction-1/20261128/eu-central-1/dynamodb/aws4_request';
  const authorization = `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0`;

  expect(signatureOf({ headers: { authorization } })).toEqual({
    accessKey: 'Stage-IngestFunction-1',
    region: 'eu-central-1',
    service: 'dynamodb',
  });
  expect(signatureOf({ headers: {} })).toBeUndefined();
  expect(signatureOf({ headers: { authorization: 'Bearer token' } })).toBeUndefined();
});

test('what DynamoDB is asked is about items of tables, by their keys', () => {
  const [key, item] = [{ user_id: { S: 'u' }, item: { S: 'i' } }, { user_id: { S: 'v' }, data: { M: {} } }];
  const of = (name: string, ...items: object[]) => ({ type: 'AWS::DynamoDB::Table', name, items });

  expect(dynamoDb('GetItem', { TableName: 't', Key: key })).toEqual([of('t', key)]);
  expect(dynamoDb('PutItem', { TableName: 't', Item: item })).toEqual([of('t', item)]);
  expect(dynamoDb('Scan', { TableName: 't' })).toEqual([of('t')]);
  expect(dynamoDb('Query', { TableName: 't' })).toEqual([{ type: 'AWS::DynamoDB::Table', name: 't' }]);
  expect(dynamoDb('BatchGetItem', { RequestItems: { t: { Keys: [key, key] }, s: { Keys: [key] } } })).toEqual([
    of('t', key, key),
    of('s', key),
  ]);
  const items = [{ Put: { TableName: 't', Item: item } }, { ConditionCheck: { TableName: 't', Key: key } }];
  expect(dynamoDb('TransactWriteItems', { TransactItems: items })).toEqual([
    { ...of('t', item), action: 'dynamodb:PutItem' },
    { ...of('t', key), action: 'dynamodb:ConditionCheckItem' },
  ]);
});

test('a queue is known by the end of its address, and others by their names', () => {
  const address = 'http://localhost:4566/000000000000/Stage-Asks';
  const of = (service: string, target: string, body: object) => asked(service, json(target, body));

  expect(of('sqs', 'AmazonSQS.SendMessage', { QueueUrl: address })).toEqual({
    operation: 'sqs:SendMessage',
    about: [{ type: 'AWS::SQS::Queue', name: 'Stage-Asks' }],
  });
  expect(of('kinesis', 'Kinesis_20131202.PutRecords', { StreamName: 's' }).about).toEqual([
    { type: 'AWS::Kinesis::Stream', name: 's' },
  ]);
  expect(of('ssm', 'AmazonSSM.GetParameter', { Name: '/n' }).operation).toBe('ssm:GetParameter');
  expect(of('secretsmanager', 'secretsmanager.GetSecretValue', { SecretId: 'a' }).about).toMatchObject([{ name: 'a' }]);
});

test.each([
  ['GET', '/b/versions/a%20b.json?x-id=GetObject', 's3:GetObject', { object: 'versions/a b.json' }],
  ['GET', '/b/k?versionId=1&x-id=GetObject', 's3:GetObject', { object: 'k', action: 's3:GetObjectVersion' }],
  ['PUT', '/b/k?x-id=PutObject', 's3:PutObject', { object: 'k' }],
  ['DELETE', '/b/k?x-id=DeleteObject', 's3:DeleteObject', { object: 'k' }],
  ['GET', '/b?list-type=2&prefix=p', 's3:ListObjectsV2', {}],
  ['GET', '/b/?list-type=2', 's3:ListObjectsV2', {}],
])('%s %s is %s', (method, url, operation, about) => {
  expect(asked('s3', { ...NOTHING, method, url })).toEqual({
    operation,
    about: [{ type: 'AWS::S3::Bucket', name: 'b', ...about }],
  });
});

test('what Bedrock is asked is about a model, and about the guardrail that is to look at it', () => {
  const url = '/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse';
  const model = { type: 'AWS::Bedrock::Model', name: 'us.anthropic.claude-haiku-4-5-20251001-v1:0' };
  const guardrail = { type: 'AWS::Bedrock::Guardrail', name: 'gr1' };
  const body = (of: object) => Buffer.from(JSON.stringify(of));

  expect(asked('bedrock', { ...NOTHING, url, body: body({}) }).about).toEqual([model]);
  const within = { guardrailConfig: { guardrailIdentifier: 'gr1', guardrailVersion: '1' } };
  expect(asked('bedrock', { ...NOTHING, url, body: body(within) }).about).toEqual([model, guardrail]);
  expect(asked('bedrock', { ...NOTHING, url: '/guardrail/gr1/version/1/apply' })).toEqual({
    operation: 'bedrock:ApplyGuardrail',
    about: [guardrail],
  });
});

test('a roll-back is about functions', () => {
  const of = (method: string, rest: string) =>
    asked('lambda', { ...NOTHING, method, url: `/2015-03-31/functions/f/${rest}` });

  expect(of('PUT', 'aliases/live')).toEqual({
    operation: 'lambda:UpdateAlias',
    about: [{ type: 'AWS::Lambda::Function', name: 'f' }],
  });
  expect(of('GET', 'aliases/live').operation).toBe('lambda:GetAlias');
  expect(of('GET', 'versions?MaxItems=50').operation).toBe('lambda:ListVersionsByFunction');
});

test.each([
  ['iam', { ...nothing(), url: '/' }],
  ['s3', { ...nothing(), method: 'GET', url: '/b/k?acl' }],
  ['s3', { ...nothing(), method: 'POST', url: '/b/k?uploads' }],
  ['s3', { ...nothing(), method: 'PUT', url: '/b/k', headers: { 'x-amz-copy-source': '/b/other' } }],
  ['s3', { ...nothing(), method: 'GET', url: '/' }],
  ['bedrock', { ...nothing(), url: '/model/m/invoke' }],
  ['lambda', { ...nothing(), url: '/2015-03-31/functions/f/invocations' }],
  ['dynamodb', json('DynamoDB_20120810.ExecuteStatement', { Statement: '' })],
  ['dynamodb', json('DynamoDB_20120810.Query', { TableName: 't', IndexName: 'i' })],
  ['dynamodb', json('Other.GetItem', { TableName: 't', Key: {} })],
  ['kinesis', json('Kinesis_20131202.PutRecords', {})],
])('what nobody here can read fails: %s %j', (service, sent) => {
  expect(() => asked(service, sent)).toThrow();
});

const NOTHING: Sent = nothing();

function nothing(): Sent {
  return { method: 'POST', url: '/', headers: {}, body: Buffer.alloc(0) };
}

function json(target: string, body: object): Sent {
  return { ...nothing(), headers: { 'x-amz-target': target }, body: Buffer.from(JSON.stringify(body)) };
}

function dynamoDb(operation: string, body: object) {
  return asked('dynamodb', json(`DynamoDB_20120810.${operation}`, body)).about;
}
