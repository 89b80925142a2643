import { ELSEWHERE } from '../operations.js';

/** Why something is not seen though it is listed: the program, the operation, the kind, and why. */
type Unseen = readonly [program: string, operation: string, kind: string, reason: string];

/** Why nothing misses a grant: the program, the action, the kind, and why. */
type Unmissed = readonly [programs: readonly string[], action: string, kind: string, reason: string];

const LARGE = 'only of a file that takes longer than an invocation may';
const SAMPLED = 'only of a table of which not all is read';

const JOBS = 'MiniStack has no batch inference; local/tests/it/jobs.rs runs jobs on the embedded AWS';

/** Requests that the test of a deployment never makes. */
export const NEVER_SEEN: readonly Unseen[] = [
  ['ingest', 'sqs:SendMessage', 'uploads', LARGE],
  ['ops', 'dynamodb:DescribeTable', 'content', SAMPLED],
  ...['guardrail', 'model'].map((kind) => ['ops', 'bedrock:Converse', kind, preview('bedrock:Converse')] as const),
  ['asks-worker', 'bedrock:CreateModelInvocationJob', 'job', JOBS],
  ['asks-worker', 'bedrock:CreateModelInvocationJob', 'job-role', JOBS],
  ['asks-worker', 'bedrock:CreateModelInvocationJob', 'model', JOBS],
  ['asks-worker', 'bedrock:GetModelInvocationJob', 'job', JOBS],
  ['asks-worker', 'bedrock:ListModelInvocationJobs', 'every-job', JOBS],
  ['asks-worker', 'bedrock:StopModelInvocationJob', 'job', JOBS],
  ['asks-worker', 's3:DeleteObjects', 'jobs', JOBS],
  ['asks-worker', 's3:GetObject', 'jobs', JOBS],
  ['asks-worker', 's3:PutObject', 'jobs', JOBS],
  ['ops', 'bedrock:ApplyGuardrail', 'guardrail', preview('bedrock:ApplyGuardrail')],
];

/** Requests that depend on what happens at the same time. */
export const SELDOM_SEEN: readonly Unseen[] = [
  ['asks-worker', 'dynamodb:DeleteItem', 'coordination', 'only where a prompt was taken up and then not asked'],
  ['asks-worker', 'dynamodb:UpdateItem', 'content', 'only of an ask that has to wait again'],
  ['asks-worker', 'sqs:SendMessageBatch', 'asks', 'only of asks that have to wait again'],
];

const ANSWERERS = ['asks-worker', 'processor'];

/** Grants that no request of the test needs, and none that is excused above. */
export const NOT_MISSED: readonly Unmissed[] = [
  [ANSWERERS, 'bedrock:InvokeModel', 'model', 'a profile is granted its geography, of which it uses a part'],
  [['asks-worker', 'processor', 'ops'], 'sqs:SendMessage', 'asks', 'asks of the test do not come to all queues'],
  [['asks-worker'], 'sqs:DeleteMessage', 'asks', 'asks of the test do not come to all queues'],
];

function preview(operation: string): string {
  return ELSEWHERE['ops']?.[operation] ?? '';
}
