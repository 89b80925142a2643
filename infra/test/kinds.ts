import { GUARDRAIL_KEY } from './example.js';

const MODEL = 'foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0';
const PROFILE = 'inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0';
const HERE = 'arn:aws:bedrock:eu-central-1:111122223333';

/** What the requests call what is in the stack, by its names there. */
export const KINDS: Readonly<Record<string, readonly string[]>> = {
  asks: ['AsksJobs', 'AsksLater', ...['High', 'Normal', 'Low'].map((each) => `Asks${each}usanthropicclaudehaiku4520251001v10`)],
  campaigns: ['RegistryVersions/versions/*'],
  catalogs: ['TablesCatalogs'],
  content: ['TablesContent'],
  coordination: ['TablesCoordination'],
  'credentials-secret': ['ApiSecret'],
  currents: ['CurrentsBucket/catalogs/*', 'CurrentsBucket/currents-export/*'],
  'dead-letters': ['DeadLettersQueue'],
  'events-secret': ['EventsDoorSecret'],
  'given-up': ['ProcessorGivenUp/*'],
  // A list of jobs is of all that the account has.
  'every-job': ['*'],
  guardrail: [`${HERE}:guardrail/gr1234567890`],
  job: [`${HERE}:model-invocation-job/*`],
  'job-role': ['JobsRole'],
  jobs: ['JobsFiles/jobs/*'],
  model: [
    `${HERE}:${PROFILE}`,
    ...['ca-central-1', 'ca-west-1', 'us-east-1', 'us-east-2', 'us-west-1', 'us-west-2'].map(
      (region) => `arn:aws:bedrock:${region}::${MODEL}`,
    ),
  ],
  functions: ['Api', 'AsksWorker', 'EventsDoor', 'Ingest', 'Processor'].map((each) => `${each}ProgramFunction`),
  names: ['arn:aws:ssm:eu-central-1:111122223333:parameterNamesParameter'],
  traces: ['*'],
  uploads: ['CurrentsUploads'],
  'user-records': ['UserRecordsStream'],
};

/** Roles of the programs; the functions' begin with the names of the constructs. */
export const ROLES: Readonly<Record<string, string>> = {
  ingest: 'IngestProgramRole',
  'events-door': 'EventsDoorProgramRole',
  processor: 'ProcessorProgramRole',
  'asks-worker': 'AsksWorkerProgramRole',
  api: 'ApiProgramRole',
  ops: 'OperatorRole',
};

/** Kinds of what comes in, which is not read with the key of what is served. */
const INCOMING = ['asks', 'currents', 'dead-letters', 'given-up', 'jobs', 'uploads', 'user-records'];

/** The names of all that a program's request of this kind may be about; of a key with the service that uses it. */
export function resourcesOf(program: string, kind: string): readonly string[] {
  const [, of = '', service] = /^key of (.+) through (.+)$/.exec(kind) ?? [];
  if (service !== undefined) {
    const key = INCOMING.includes(of) ? 'EncryptionIncoming' : 'EncryptionContent';
    return [service === 'bedrock' ? `${GUARDRAIL_KEY} through bedrock*` : `${key} through ${service}`];
  }
  const found = kind === 'log' ? [`${ROLES[program]?.replace(/Role$/, '')}Log`] : KINDS[kind];
  if (found === undefined) {
    throw new Error(`contract/golden/requests.json: nobody here knows what "${kind}" of ${program} is`);
  }
  return found;
}

/** What the requests call a resource with this name in the stack. */
export function kindOf(name: string): string | undefined {
  const isMeant = (each: string) => each.replace(/\/.*|^.*:parameter/g, '') === name;
  return Object.keys(KINDS).find((kind) => KINDS[kind]?.some(isMeant));
}
