import { expect, test } from 'vitest';

import { EVERYTHING, example } from './example.js';

const MODEL = 'foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0';

const ASKS = [
  'AsksLater',
  ...['High', 'Normal', 'Low'].map((each) => `Asks${each}usanthropicclaudehaiku4520251001v10`),
];

/** What whoever writes an encrypted table may do with its key. */
const KEY_OF_TABLES = [
  'kms:Decrypt EncryptionKey',
  'kms:DescribeKey EncryptionKey',
  'kms:Encrypt EncryptionKey',
  'kms:GenerateDataKey EncryptionKey',
  'kms:ReEncryptFrom EncryptionKey',
  'kms:ReEncryptTo EncryptionKey',
];

/** What both functions of the program `processor` are allowed to do. */
const ANSWERER = [
  'bedrock:ApplyGuardrail arn:aws:bedrock:here:this-account:guardrail/gr1234567890',
  'bedrock:InvokeModel arn:aws:bedrock:here:this-account:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0',
  ...['ca-central-1', 'ca-west-1', 'us-east-1', 'us-east-2', 'us-west-1', 'us-west-2'].map(
    (region) => `bedrock:InvokeModel arn:aws:bedrock:${region}::${MODEL}`,
  ),
  'dynamodb:BatchGetItem TablesCatalogs',
  'dynamodb:BatchGetItem TablesContent',
  'dynamodb:BatchGetItem TablesCoordination',
  'dynamodb:ConditionCheckItem TablesContent',
  'dynamodb:DeleteItem TablesContent',
  'dynamodb:DeleteItem TablesCoordination',
  'dynamodb:GetItem TablesCatalogs',
  'dynamodb:GetItem TablesCoordination',
  'dynamodb:GetItem TablesCoordination',
  'dynamodb:PutItem TablesContent',
  'dynamodb:PutItem TablesCoordination',
  'dynamodb:Query TablesContent',
  'dynamodb:UpdateItem TablesContent',
  'dynamodb:UpdateItem TablesCoordination',
  ...KEY_OF_TABLES,
  's3:GetObject RegistryVersions/versions/*',
  ...ASKS.map((queue) => `sqs:SendMessage ${queue}`),
  'sqs:SendMessage DeadLettersQueue',
  'xray:PutTelemetryRecords *',
  'xray:PutTraceSegments *',
];

/** What following published campaigns takes; of the table it is one item. */
const FOLLOWING = ['dynamodb:GetItem TablesCoordination', 's3:GetObject RegistryVersions/versions/*'];

/** Everything that the functions are allowed to do, and to what. */
const ALLOWED: Record<string, readonly string[]> = {
  Ingest: [
    ...FOLLOWING,
    'dynamodb:DeleteItem TablesCatalogs',
    'dynamodb:GetItem TablesCatalogs',
    'dynamodb:PutItem TablesCatalogs',
    'dynamodb:Scan TablesCatalogs',
    'dynamodb:UpdateItem TablesCatalogs',
    'kinesis:PutRecords UserRecordsStream',
    ...KEY_OF_TABLES,
    'logs:CreateLogStream IngestProgramLog',
    'logs:PutLogEvents IngestProgramLog',
    's3:GetObject CurrentsBucket/catalogs/*',
    's3:GetObject CurrentsBucket/currents-export/*',
    's3:GetObjectVersion CurrentsBucket/catalogs/*',
    's3:GetObjectVersion CurrentsBucket/currents-export/*',
    's3:ListBucket CurrentsBucket',
    'sqs:ChangeMessageVisibility CurrentsUploads',
    'sqs:DeleteMessage CurrentsUploads',
    'sqs:GetQueueAttributes CurrentsUploads',
    'sqs:GetQueueUrl CurrentsUploads',
    'sqs:ReceiveMessage CurrentsUploads',
    'sqs:SendMessage CurrentsUploads',
    'sqs:SendMessage DeadLettersQueue',
    'xray:PutTelemetryRecords *',
    'xray:PutTraceSegments *',
  ],
  Processor: [
    ...ANSWERER,
    'kinesis:DescribeStream UserRecordsStream',
    'kinesis:DescribeStreamConsumer UserRecordsStream',
    'kinesis:DescribeStreamSummary UserRecordsStream',
    'kinesis:GetRecords UserRecordsStream',
    'kinesis:GetShardIterator UserRecordsStream',
    'kinesis:ListShards UserRecordsStream',
    'kinesis:ListStreams UserRecordsStream',
    'kinesis:SubscribeToShard UserRecordsStream',
    'logs:CreateLogStream ProcessorProgramLog',
    'logs:PutLogEvents ProcessorProgramLog',
    's3:ListBucket ProcessorGivenUp',
    's3:PutObject ProcessorGivenUp/*',
  ],
  AsksWorker: [
    ...ANSWERER,
    'logs:CreateLogStream AsksWorkerProgramLog',
    'logs:PutLogEvents AsksWorkerProgramLog',
    ...ASKS.flatMap((queue) => [
      `sqs:DeleteMessage ${queue}`,
      `sqs:ReceiveMessage ${queue}`,
    ]),
  ],
  EventsDoor: [
    ...FOLLOWING,
    'kinesis:PutRecords UserRecordsStream',
    'kms:Decrypt EncryptionKey',
    'kms:DescribeKey EncryptionKey',
    'kms:GenerateDataKey EncryptionKey',
    'logs:CreateLogStream EventsDoorProgramLog',
    'logs:PutLogEvents EventsDoorProgramLog',
    'secretsmanager:GetSecretValue EventsDoorSecret',
    'xray:PutTelemetryRecords *',
    'xray:PutTraceSegments *',
  ],
  Api: [
    ...FOLLOWING,
    'dynamodb:BatchGetItem TablesContent',
    'dynamodb:GetItem TablesContent',
    'kms:Decrypt EncryptionKey',
    'kms:DescribeKey EncryptionKey',
    'logs:CreateLogStream ApiProgramLog',
    'logs:PutLogEvents ApiProgramLog',
    'secretsmanager:GetSecretValue ApiSecret',
    'xray:PutTelemetryRecords *',
    'xray:PutTraceSegments *',
  ],
};

/** What `ops` may do. */
const OPERATOR = [
  'dynamodb:BatchGetItem TablesCatalogs',
  'dynamodb:BatchGetItem TablesContent',
  'dynamodb:BatchGetItem TablesCoordination',
  'dynamodb:ConditionCheckItem TablesContent',
  'dynamodb:DeleteItem TablesCatalogs',
  'dynamodb:DeleteItem TablesCoordination',
  'dynamodb:DescribeTable TablesContent',
  'dynamodb:GetItem TablesCatalogs',
  'dynamodb:GetItem TablesContent',
  'dynamodb:GetItem TablesCoordination',
  'dynamodb:PutItem TablesCatalogs',
  'dynamodb:PutItem TablesContent',
  'dynamodb:PutItem TablesCoordination',
  'dynamodb:Query TablesContent',
  'dynamodb:Scan TablesCatalogs',
  'dynamodb:Scan TablesContent',
  'dynamodb:UpdateItem TablesCatalogs',
  'dynamodb:UpdateItem TablesContent',
  'kinesis:PutRecords UserRecordsStream',
  ...KEY_OF_TABLES,
  's3:DeleteObject ProcessorGivenUp/*',
  's3:GetObject ProcessorGivenUp/*',
  's3:GetObject RegistryVersions/versions/*',
  's3:ListBucket CurrentsBucket',
  's3:ListBucket ProcessorGivenUp',
  's3:PutObject RegistryVersions/versions/*',
  'sqs:ChangeMessageVisibility DeadLettersQueue',
  'sqs:DeleteMessage DeadLettersQueue',
  'sqs:GetQueueAttributes DeadLettersQueue',
  'sqs:ReceiveMessage DeadLettersQueue',
  ...ASKS.map((queue) => `sqs:SendMessage ${queue}`),
  'sqs:SendMessage CurrentsUploads',
  'ssm:GetParameter arn:aws:ssm:here:this-account:parameterNamesParameter',
];

const { template } = example(EVERYTHING);

test('an operator may do exactly what ops does, and of the shared table what belongs to campaigns', () => {
  expect(allowedActions('OperatorRole')).toEqual([...OPERATOR].sort());

  const [role] = Object.values(template.findResources('AWS::IAM::Role', {
    Properties: { Description: 'What ops may do' },
  }));
  const trusted = role?.Properties.AssumeRolePolicyDocument.Statement;
  expect(trusted.map((each: { Principal: unknown }) => each.Principal)).toEqual([
    { AWS: 'arn:aws:iam::111122223333:role/on-call' },
  ]);
  const conditions = JSON.stringify(template.findResources('AWS::IAM::Policy')).match(
    /\{"ForAllValues:StringLike":\{"dynamodb:LeadingKeys":\["[^"]*"\]\}\}/g,
  );
  expect(conditions).toEqual([
    '{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["campaigns"]}}',
    '{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["answer#*"]}}',
  ]);
});

test.each(Object.entries(ALLOWED))('%s may do exactly what is listed, and nothing else', (name, allowed) => {
  expect(allowedActions(`${name}ProgramRole`)).toEqual([...allowed].sort());
});

test('no function has a policy that somebody else keeps', () => {
  for (const [id, role] of Object.entries(template.findResources('AWS::IAM::Role'))) {
    const kept = role.Properties.ManagedPolicyArns ?? [];
    // The account's role for the logs of API Gateway is no function's.
    expect(kept.length === 0 || id.startsWith('ApiGatewayCloudWatchRole')).toBe(true);
  }
});

test('every function is one of those that are listed, or reads quotas for the deployment', () => {
  const functions = Object.keys(template.findResources('AWS::Lambda::Function'));

  const others = functions.filter((id) => !Object.keys(ALLOWED).some((name) => id.startsWith(name)));

  expect(others).toEqual([expect.stringMatching(/^AWS679f53fac002430cb0da5b7982bd2287/)]);
});

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
}

function allowedActions(role: string): string[] {
  const policies = Object.values(template.findResources('AWS::IAM::Policy'));
  const own = policies.filter(({ Properties }) =>
    Properties.Roles.some((of: { Ref: string }) => of.Ref.startsWith(role)),
  );
  const statements: Statement[] = own.flatMap((p) => p.Properties.PolicyDocument.Statement);
  const allowed = statements.flatMap(({ Action, Resource }) =>
    [Action].flat().flatMap((action) => [Resource].flat().map((of) => `${action} ${name(of)}`)),
  );
  return allowed.sort();
}

type Expression =
  | string
  | { 'Fn::GetAtt': [string, string] }
  | { 'Fn::Join': ['', Expression[]] }
  | { Ref: string };

const PSEUDO: Record<string, string> = {
  'AWS::AccountId': 'this-account',
  'AWS::Partition': 'aws',
  'AWS::Region': 'here',
};

/** A resource by its name in the stack, without the hash behind it, or by its ARN. */
function name(resource: unknown): string {
  const of = resource as Expression;
  if (typeof of === 'string') {
    return of;
  }
  if ('Fn::Join' in of) {
    return of['Fn::Join'][1].map(name).join('');
  }
  const id = 'Ref' in of ? of.Ref : of['Fn::GetAtt'][0];
  return PSEUDO[id] ?? id.replace(/[0-9A-F]{8}$/, '');
}
