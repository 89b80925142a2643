import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { Deployed, type Stack } from './deployment/deployed.js';
import { Gate } from './deployment/gate.js';

const PLACE = { account: '111122223333', region: 'eu-central-1' };
const KEY = { 'Fn::GetAtt': ['EncryptionKey', 'Arn'] };
const via = (service: string) => ({ StringEquals: { 'kms:ViaService': `${service}.eu-central-1.amazonaws.com` } });
const allow = (actions: string[], of: unknown, conditions?: object) => ({
  Effect: 'Allow',
  Action: actions,
  Resource: of,
  ...(conditions && { Condition: conditions }),
});

/** A function that may read one item of a table, and versions in a bucket that it may not list. */
const STACK: Stack = {
  place: PLACE,
  names: {
    EncryptionKey: 'key-1',
    ApiProgramFunctionCBA5437B: 'Stage-Api',
    TablesCoordinationA381AA1F: 'stage-coordination',
    RegistryVersions2AF9A513: 'stage-versions',
    DeadLettersQueue631681B1: 'http://localhost:4566/111122223333/Stage-DeadLetters',
  },
  resources: {
    EncryptionKey: { Type: 'AWS::KMS::Key' },
    ApiProgramFunctionCBA5437B: { Type: 'AWS::Lambda::Function' },
    ApiProgramRoleEE6AD51C: { Type: 'AWS::IAM::Role' },
    TablesCoordinationA381AA1F: {
      Type: 'AWS::DynamoDB::Table',
      Properties: {
        KeySchema: [{ AttributeName: 'key', KeyType: 'HASH' }],
        SSESpecification: { KMSMasterKeyId: KEY, SSEEnabled: true },
      },
    },
    RegistryVersions2AF9A513: { Type: 'AWS::S3::Bucket' },
    DeadLettersQueue631681B1: { Type: 'AWS::SQS::Queue', Properties: { KmsMasterKeyId: KEY } },
    ApiProgramRoleDefaultPolicy86A9DAB6: {
      Type: 'AWS::IAM::Policy',
      Properties: {
        Roles: [{ Ref: 'ApiProgramRoleEE6AD51C' }],
        PolicyDocument: {
          Statement: [
            allow(['dynamodb:GetItem', 'dynamodb:Query'], { 'Fn::GetAtt': ['TablesCoordinationA381AA1F', 'Arn'] }, {
              'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': ['campaigns'] },
            }),
            allow(['s3:GetObject'], {
              'Fn::Join': ['', [{ 'Fn::GetAtt': ['RegistryVersions2AF9A513', 'Arn'] }, '/versions/*']],
            }),
            allow(['sqs:SendMessage'], { 'Fn::GetAtt': ['DeadLettersQueue631681B1', 'Arn'] }),
            allow(['kms:Decrypt'], KEY, via('dynamodb')),
            allow(['kms:Decrypt'], KEY, via('sqs')),
          ],
        },
      },
    },
  },
};

let aws: Server;
let status: number;
let seen: string[];
let gate: Gate;

beforeEach(async () => {
  [status, seen] = [200, []];
  aws = createServer((incoming, outgoing) => {
    incoming.setEncoding('utf8');
    let body = '';
    incoming.on('data', (part) => (body += part));
    incoming.on('end', () => {
      seen.push(`${incoming.method} ${incoming.url} ${body}`);
      outgoing.writeHead(status, { 'x-from': 'aws' }).end('answer');
    });
  });
  await once(aws.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(aws.address() as AddressInfo).port}`;
  gate = await Gate.start({ aws: url, bedrock: url });
});

afterEach(async () => {
  await gate.stop();
  aws.close();
});

test('what a role is granted goes through as it is, and is kept', async () => {
  gate.judgeBy(new Deployed(STACK));
  const body = { TableName: 'stage-coordination', Key: { key: { S: 'campaigns' } } };

  const answer = await dynamoDb('GetItem', body);

  expect([answer.status, answer.headers.get('x-from'), await answer.text()]).toEqual([200, 'aws', 'answer']);
  expect(seen).toEqual([`POST / ${JSON.stringify(body)}`]);
  expect(gate.recorded.listed()).toEqual({ api: { 'dynamodb:GetItem': ['coordination'] } });
  expect(gate.refused.size + gate.faults.size).toBe(0);
});

test('another item of the same table is refused, as DynamoDB refuses it', async () => {
  gate.judgeBy(new Deployed(STACK));

  const answer = await dynamoDb('GetItem', { TableName: 'stage-coordination', Key: { key: { S: 'quota' } } });

  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({
    __type: 'com.amazon.coral.service#AccessDeniedException',
    Message: expect.stringContaining('ApiProgramRole is not authorized to perform: dynamodb:GetItem on resource: '),
  });
  expect(seen).toEqual([]);
  expect([...gate.refused]).toEqual([
    expect.stringContaining('api dynamodb:GetItem: dynamodb:GetItem on arn:aws:dynamodb'),
  ]);
});

test('what a service asks of the key in the name of the role must be granted too', async () => {
  gate.judgeBy(new Deployed(STACK));
  const body = { QueueUrl: 'http://localhost:4566/111122223333/Stage-DeadLetters', MessageBody: '' };

  const answer = await post('sqs', 'AmazonSQS.SendMessage', body);

  expect(answer.status).toBe(403);
  expect(answer.headers.get('x-amzn-query-error')).toBe('KMS.AccessDeniedException;Sender');
  expect([...gate.refused]).toEqual([
    'api sqs:SendMessage: kms:GenerateDataKey on arn:aws:kms:eu-central-1:111122223333:key/key-1 is not granted',
  ]);
});

test('S3 refuses by path, and hides what is not there from whoever may not list', async () => {
  gate.judgeBy(new Deployed(STACK));

  expect((await ask('s3', '/stage-versions/versions/1?x-id=GetObject')).status).toBe(200);
  const other = await ask('s3', '/stage-versions/other');
  expect([other.status, await other.text()]).toEqual([403, expect.stringContaining('<Code>AccessDenied</Code>')]);
  status = 404;
  expect((await ask('s3', '/stage-versions/versions/2')).status).toBe(403);
  expect([...gate.refused]).toContainEqual(
    'api s3:GetObject: s3:ListBucket on arn:aws:s3:::stage-versions is not granted',
  );
});

test.each([
  ['an access key that is nobody', 'stranger', 'dynamodb', 'GetItem', {}],
  ['a table that was not deployed', 'Stage-Api', 'dynamodb', 'GetItem', { TableName: 'other', Key: {} }],
  ['an operation that nobody reads', 'Stage-Api', 'dynamodb', 'ExecuteStatement', { TableName: 'stage-coordination' }],
  ['a condition on what nobody worked out', 'Stage-Api', 'dynamodb', 'Query', { TableName: 'stage-coordination' }],
  ['a service that nobody reads', 'Stage-Api', 'sns', 'Publish', {}],
])('what cannot be judged does not go through: %s', async (_, key, service, operation, body) => {
  gate.judgeBy(new Deployed(STACK));

  const answer = await post(service, `DynamoDB_20120810.${operation}`, body, key);

  expect(answer.status).toBe(500);
  expect(seen).toEqual([]);
  expect(gate.faults.size).toBe(1);
});

test('until it is known what was deployed, requests wait', async () => {
  const asked = ask('s3', '/stage-versions/versions/1');
  let answered = false;
  void asked.then(() => (answered = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(answered).toBe(false);

  gate.judgeBy(new Deployed(STACK));

  expect((await asked).status).toBe(200);
});

function dynamoDb(operation: string, body: object): Promise<Response> {
  return post('dynamodb', `DynamoDB_20120810.${operation}`, body);
}

function post(service: string, target: string, body: object, key?: string): Promise<Response> {
  return ask(service, '/', { method: 'POST', body: JSON.stringify(body), headers: { 'x-amz-target': target } }, key);
}

function ask(service: string, path: string, init: RequestInit = {}, key = 'Stage-Api'): Promise<Response> {
  const scope = `${key}/20261128/${PLACE.region}/${service}/aws4_request`;
  const authorization = `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0`;
  return fetch(`${gate.url}${path}`, { ...init, headers: { ...init.headers, authorization } });
}
