import type { RetentionDays } from 'aws-cdk-lib/aws-logs';

import type { ModelQuota } from './model-quotas.js';

/** What an operator decides for one deployment. */
export interface Environment {
  /** Account and region; those of the credentials that deploy, if left out. */
  readonly account?: string;
  readonly region?: string;
  /** Holds what cannot be made again: its tables refuse to be deleted, and a deletion of the stack leaves them. */
  readonly production: boolean;
  /** Of the functions. `arm64` needs a compiler for it where they are built. */
  readonly architecture: 'x86_64' | 'arm64';
  readonly logRetentionDays: RetentionDays;
  /** What lines the programs write; none of them, at any level, is about a user. */
  readonly logLevel: 'error' | 'warn' | 'info' | 'debug';
  readonly campaigns: CampaignSettings;
  readonly currents: CurrentsSettings;
  readonly ingest: IngestSettings;
  readonly stream: StreamSettings;
  readonly processor: ProcessorSettings;
  readonly asks: AskSettings;
  /** ARNs of roles or users of this account that may take up the role of who runs `ops`; there is none if left out. */
  readonly operators?: readonly string[];
  readonly api: ApiSettings;
  readonly alarms: AlarmSettings;
  /** Nobody is told what a month costs if left out; production is warned of that. */
  readonly budget?: BudgetSettings;
  /** Nothing tries all day whether an event becomes content if left out; production is warned of that. */
  readonly canary?: CanarySettings;
}

/** How the functions follow what is published. */
export interface CampaignSettings {
  /** Seconds between two looks, 1 to 300: so long, and the time of an invocation, a change may take. */
  readonly followSeconds: number;
  /** Whether a campaign that says nothing of what it may cost in a day can be published. */
  readonly budgets: 'required' | 'optional';
}

/** Where Braze writes its files. */
export interface CurrentsSettings {
  /** A bucket of this account that is there already; it must send its events to EventBridge. */
  readonly existingBucket?: string;
  /** ARN of the key that it is encrypted with, if it has one of its own. */
  readonly existingBucketKeyArn?: string;
  /** Keys of another beginning are not looked at. */
  readonly prefix?: string;
  /** Files are removed after so many days. */
  readonly retentionDays: number;
  /** Lets Braze write, with the two values that its page of the Currents connection shows. */
  readonly braze?: { readonly accountId: string; readonly externalId: string };
}

export interface IngestSettings {
  readonly memoryMiB: number;
  /** Most objects that are read at a time, 2 to 1000. */
  readonly maxConcurrency: number;
  /** See `STREAM_BUCKETS` in docs/settings.md. */
  readonly streamBuckets: number;
  /** See `UNMARKED_FIELDS` in docs/settings.md. */
  readonly unmarkedFields: 'pass' | 'stay';
  /** See `STREAM_FORMAT` in docs/settings.md. */
  readonly streamFormat: 'kpl' | 'zstd';
  /** See `MAX_BLOCK_MIB` in docs/settings.md. */
  readonly maxBlockMiB: number;
  /** Of the function that takes posts of events and attributes. */
  readonly doorMemoryMiB: number;
  /** Most posts at a time; reserved from the account's concurrency. */
  readonly doorMaxInstances: number;
}

export interface StreamSettings {
  /** Number of shards of a provisioned stream; an on-demand stream if left out. */
  readonly shards?: number;
  /** Records that cannot be processed are given up shortly before, or after seven days, Lambda's most. */
  readonly retentionDays: number;
}

export interface ProcessorSettings {
  readonly memoryMiB: number;
  /** Most instances at a time that read the stream; reserved from the account's concurrency. */
  readonly maxInstances: number;
  readonly maxConcurrentGenerations: number;
  /** See `CONTENT_FORM` in docs/settings.md. */
  readonly contentForm: 'plain' | 'compact';
  /** Quotas by model or inference profile; `*` stands for every other. */
  readonly modelQuotas: Readonly<Record<string, ModelQuota>>;
  /** Regions that an inference profile may call, by the first part of its name, where the default is not enough. */
  readonly profileRegions?: Readonly<Record<string, readonly string[]>>;
  /** Models behind application inference profiles, which do not tell by their names. */
  readonly furtherModelArns?: readonly string[];
  /** Keys of the account's own that guardrails are encrypted with. */
  readonly guardrailKeyArns?: readonly string[];
  /** Profiles of guardrails that run in several regions, in each of those regions. */
  readonly guardrailProfileArns?: readonly string[];
  readonly batchSize: number;
  readonly batchWindowSeconds: number;
  /** Batches of one shard at a time, 1 to 10. */
  readonly parallelizationFactor: number;
}

/** What cannot be answered at once. */
export interface AskSettings {
  /** Most workers at a time, 1 to 5, beside the processor's instances; reserved like those. */
  readonly maxInstances: number;
  /** Models that no campaign names any more, while asks still wait on their queues. */
  readonly formerModels?: readonly string[];
}

/** What stands between who calls the api and its functions (docs/deployment.md says what each gives up). */
export type FrontName = 'rest' | 'http' | 'alb' | 'url';

export interface ApiSettings {
  /** What a front cannot keep is refused. */
  readonly front: FrontName;
  /** Where the load balancer stands; for the front `alb`, and for no other. */
  readonly alb?: AlbSettings;
  readonly memoryMiB: number;
  readonly unknownUser: 'fallback' | 'not-found';
  /** See `CACHE_SECS` in docs/settings.md. */
  readonly cacheSeconds: number;
  /**
   * Most look-ups at a time; reserved from the account's concurrency, all of which they may take if
   * left out. Production must say it, and so must who has a front without a throttle.
   */
  readonly maxInstances?: number;
  /** Look-ups a second, and how many at once beyond that, until API Gateway refuses; other fronts have none. */
  readonly throttle?: { readonly rate: number; readonly burst: number };
  /** Networks that may call, or anyone may who knows the secret. Production must say which; anyone if left out. */
  readonly allowedNetworks?: readonly string[] | 'anyone';
  /** An address that outlives the stack; the one that API Gateway makes up if left out. */
  readonly domain?: DomainSettings;
  /** AWS WAF in front, at its own price. */
  readonly webAcl: boolean;
  /** What AWS WAF lets one address call; no limit if left out. */
  readonly perAddress?: AddressSettings;
  /** The account has a role for the logs of API Gateway, which all of a region's REST APIs share; others need none. */
  readonly accountLogsRole?: 'create' | 'exists';
}

/** An Application Load Balancer in a network that is there already. */
export interface AlbSettings {
  readonly vpcId: string;
  /** Public ones, in two availability zones at least. */
  readonly subnetIds: readonly string[];
  /** Of a certificate for `hostName` in AWS Certificate Manager, in the region of the stack. */
  readonly certificateArn: string;
  /** Whose DNS leads to the load balancer; other names are not answered. */
  readonly hostName: string;
}

/** A limit by address. */
export interface AddressSettings {
  /** In five minutes. */
  readonly calls: number;
  /** Networks without this limit: Braze may make all of its calls from one address. */
  readonly except: readonly string[];
}

/** `https://name/basePath`. */
export interface DomainSettings {
  readonly name: string;
  /** Of a certificate for the name in AWS Certificate Manager, in the region of the stack. */
  readonly certificateArn: string;
  /** Lets other APIs use the same name; the domain is all of the address if left out. */
  readonly basePath?: string;
}

export interface AlarmSettings {
  /** Gets a mail for each page, after the address is confirmed. */
  readonly email?: string;
  /** The same for each ticket, and for the budget; `email` if left out. */
  readonly ticketEmail?: string;
  /** Where the chapters of docs/runbook.md can be read. */
  readonly runbookUrl: string;
  /** Oldest event on the stream. */
  readonly iteratorAgeMinutes: number;
  /** Oldest ask whose time has come; those that wait for the next day's quota are a day old. */
  readonly askAgeHours: number;
  /** Slowest of a hundred look-ups; Braze waits two seconds. */
  readonly lookUpMillis: number;
  /**
   * Calls of the model for each content that is stored, above which prompts differ more than they
   * should: somebody sends made-up events, or a campaign's prompt got something of its own in it.
   * Not looked at where left out.
   */
  readonly distinctPrompts?: number;
  /** After so many hours, 1 to 168, silence is a fault; what is left out may be silent. */
  readonly silenceHours: SilenceSettings;
}

/** Where something should arrive at all times. */
export interface SilenceSettings {
  /** Files of Currents in the bucket. */
  readonly files?: number;
  /** Posts of events or attributes. */
  readonly posts?: number;
}

/** What AWS Budgets tells of: at four fifths of it, and when the month's end will be above it. */
export interface BudgetSettings {
  readonly monthlyUsd: number;
  /** What has the stack's tag, which calls of Amazon Bedrock have not, or all that the account costs. */
  readonly of: 'account' | 'stack';
}

/** Events of nobody that must become content. */
export interface CanarySettings {
  /** Of the folder of campaigns, for no other use; `examples/canary` has one. */
  readonly campaign: string;
}

const DEV: Environment = {
  production: false,
  architecture: 'x86_64',
  logRetentionDays: 7,
  logLevel: 'info',
  campaigns: { followSeconds: 30, budgets: 'optional' },
  currents: { retentionDays: 30 },
  ingest: { memoryMiB: 512, maxConcurrency: 4, streamBuckets: 128, streamFormat: 'kpl', unmarkedFields: 'stay', maxBlockMiB: 64, doorMemoryMiB: 256, doorMaxInstances: 10 },
  stream: { retentionDays: 7 },
  processor: {
    memoryMiB: 512,
    maxInstances: 4,
    maxConcurrentGenerations: 32,
    contentForm: 'plain',
    modelQuotas: { '*': { tokensPerMinute: 100_000 } },
    batchSize: 500,
    batchWindowSeconds: 5,
    parallelizationFactor: 1,
  },
  asks: { maxInstances: 2 },
  api: {
    front: 'rest',
    memoryMiB: 256,
    unknownUser: 'fallback',
    cacheSeconds: 0,
    throttle: { rate: 200, burst: 400 },
    webAcl: false,
    accountLogsRole: 'create',
  },
  alarms: {
    runbookUrl: 'docs/runbook.md',
    iteratorAgeMinutes: 60,
    askAgeHours: 26,
    lookUpMillis: 500,
    // Nobody uses it all day.
    silenceHours: {},
  },
};

const PROD: Environment = {
  ...DEV,
  production: true,
  logRetentionDays: 30,
  campaigns: { followSeconds: 30, budgets: 'required' },
  currents: { ...DEV.currents, retentionDays: 90 },
  ingest: { ...DEV.ingest, memoryMiB: 1769, maxConcurrency: 50 },
  processor: {
    ...DEV.processor,
    memoryMiB: 1769,
    maxInstances: 64,
    parallelizationFactor: 4,
  },
  asks: { maxInstances: 5 },
  // Half of the concurrency that an account has by default, and as much as so many instances take.
  api: { ...DEV.api, maxInstances: 500, throttle: { rate: 5000, burst: 5000 } },
  alarms: { ...DEV.alarms, distinctPrompts: 0.5, silenceHours: { files: 3 } },
};

const STAGES: Readonly<Record<string, Environment>> = { dev: DEV, prod: PROD };

/** The settings of a stage. */
export function environment(stage: string): Environment {
  const found = STAGES[stage];
  if (found === undefined) {
    throw new Error(`there is no stage "${stage}"; there are ${Object.keys(STAGES).join(', ')}`);
  }
  return found;
}
