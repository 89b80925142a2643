/** What AWS checks of whoever calls an operation. */
interface Checks {
  /** Of what it is about. */
  readonly actions: readonly string[];
  /** Of the key that this is encrypted with, in the caller's name. */
  readonly key?: readonly string[];
}

const DECRYPT = ['kms:Decrypt'];
const NEW_DATA_KEY = ['kms:GenerateDataKey'];

/**
 * Operations that programs call, by the names of the SDK. What is not here has an action of its
 * own name, and uses a key only to reach the items of a table.
 */
const CHECKS: Readonly<Record<string, Checks>> = {
  'bedrock:ApplyGuardrail': { actions: ['bedrock:ApplyGuardrail'], key: DECRYPT },
  'dynamodb:DescribeTable': { actions: ['dynamodb:DescribeTable'] },
  /** What the programs put into one, but for those that are named below. */
  'dynamodb:TransactWriteItems': { actions: ['dynamodb:ConditionCheckItem', 'dynamodb:PutItem'], key: DECRYPT },
  'kinesis:PutRecords': { actions: ['kinesis:PutRecords'], key: NEW_DATA_KEY },
  's3:DeleteObjects': { actions: ['s3:DeleteObject'] },
  's3:GetObject': { actions: ['s3:GetObject'], key: DECRYPT },
  's3:ListObjectsV2': { actions: ['s3:ListBucket'] },
  's3:PutObject': { actions: ['s3:PutObject'], key: NEW_DATA_KEY },
  'secretsmanager:GetSecretValue': { actions: ['secretsmanager:GetSecretValue'], key: DECRYPT },
  'sqs:ChangeMessageVisibilityBatch': { actions: ['sqs:ChangeMessageVisibility'] },
  'sqs:DeleteMessageBatch': { actions: ['sqs:DeleteMessage'] },
  'sqs:ReceiveMessage': { actions: ['sqs:ReceiveMessage'], key: DECRYPT },
  'sqs:SendMessage': { actions: ['sqs:SendMessage'], key: [...DECRYPT, ...NEW_DATA_KEY] },
  'sqs:SendMessageBatch': { actions: ['sqs:SendMessage'], key: [...DECRYPT, ...NEW_DATA_KEY] },
};

/** Converse asks the model, and has its guardrail look at what it says. */
const CONVERSE: Readonly<Record<string, Checks>> = {
  guardrail: { actions: ['bedrock:ApplyGuardrail'], key: DECRYPT },
  model: { actions: ['bedrock:InvokeModel'] },
};

/** Who makes a job hands a role to Bedrock, and is asked whether it may. */
const OF_JOBS: Readonly<Record<string, Checks>> = { 'job-role': { actions: ['iam:PassRole'] } };

/** Whoever answers an ask finds the user remembered, and creates nothing that needs a check beside it. */
const CREATE_NOTHING = ['asks-worker'];

/** What AWS checks of a program that calls `operation` on something of this kind. */
export function checksOf(operation: string, kind: string, program?: string): Checks {
  if (operation === 'dynamodb:TransactWriteItems' && CREATE_NOTHING.includes(program ?? '')) {
    return { actions: ['dynamodb:PutItem'], key: DECRYPT };
  }
  if (operation === 'bedrock:Converse') {
    return CONVERSE[kind] ?? { actions: [] };
  }
  if (operation === 'bedrock:CreateModelInvocationJob') {
    return OF_JOBS[kind] ?? { actions: [operation] };
  }
  const key = operation.startsWith('dynamodb:') ? DECRYPT : [];
  return CHECKS[operation] ?? { actions: [operation], key };
}

/** Why something is granted that the program does not call: the action, the kind, and what for. */
type Excuse = readonly [action: string, kind: string, reason: string];

const TRACES = 'Lambda itself sends them, in the name of the function';

/** Of all functions. */
const LOGS: readonly Excuse[] = [
  ['logs:CreateLogStream', 'log', TRACES],
  ['logs:PutLogEvents', 'log', TRACES],
];

/** Of those that are traced. */
const FUNCTION: readonly Excuse[] = [
  ...LOGS,
  ['xray:PutTelemetryRecords', 'traces', TRACES],
  ['xray:PutTraceSegments', 'traces', TRACES],
];

const READS = 'the event source reads the stream, in the name of the function';
const TAKES = 'the event source takes notifications off, in the name of the function';
const GIVES_UP = 'the event source keeps what it gave up, in the name of the function';

const ROLLS_BACK = 'whoever is called at night may go back to the version before (make rollback)';

/** By function; an excuse for what is not granted is none. */
export const EXCUSES: Readonly<Record<string, readonly Excuse[]>> = {
  ingest: [
    ...FUNCTION,
    ['s3:GetObjectVersion', 'currents', 'a notification of a bucket with versions names one'],
    ['s3:ListBucket', 'currents', 'without it S3 does not tell an object that is gone from a forbidden one'],
    ['sqs:DeleteMessage', 'uploads', TAKES],
    ['sqs:GetQueueAttributes', 'uploads', TAKES],
    ['sqs:ReceiveMessage', 'uploads', TAKES],
  ],
  'events-door': FUNCTION,
  processor: [
    ...FUNCTION,
    ['kinesis:DescribeStream', 'user-records', READS],
    ['kinesis:DescribeStreamSummary', 'user-records', READS],
    ['kinesis:GetRecords', 'user-records', READS],
    ['kinesis:GetShardIterator', 'user-records', READS],
    ['kinesis:ListShards', 'user-records', READS],
    ['kms:Decrypt', 'key of user-records through kinesis', READS],
    ['kms:GenerateDataKey', 'key of given-up through s3', GIVES_UP],
    ['s3:ListBucket', 'given-up', GIVES_UP],
    ['s3:PutObject', 'given-up', GIVES_UP],
  ],
  'asks-worker': FUNCTION,
  api: LOGS,
  ops: [
    ['lambda:GetAlias', 'functions', ROLLS_BACK],
    ['lambda:ListVersionsByFunction', 'functions', ROLLS_BACK],
    ['lambda:UpdateAlias', 'functions', ROLLS_BACK],
  ],
};

/** What is called and not granted: the operation, and who lets whom do it. */
export const ELSEWHERE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ops: {
    'bedrock:ApplyGuardrail': 'a preview is of whoever writes a campaign, with credentials of their own',
    'bedrock:Converse': 'a preview is of whoever writes a campaign, with credentials of their own',
  },
};
