import { Annotations, Aws, Stack, Token } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { IConstruct } from 'constructs';

import type { AskedOfBedrock } from './campaigns.js';

/**
 * Where a geographic inference profile may send a call, by the first part of its name. Wider
 * than most profiles need: the permission holds through the profile only.
 */
const PROFILE_REGIONS: Readonly<Record<string, readonly string[]>> = {
  apac: [
    'ap-northeast-1',
    'ap-northeast-2',
    'ap-northeast-3',
    'ap-south-1',
    'ap-south-2',
    'ap-southeast-1',
    'ap-southeast-2',
    'ap-southeast-3',
    'ap-southeast-4',
    'ap-southeast-5',
    'ap-southeast-7',
    'ap-east-2',
    'me-central-1',
  ],
  au: ['ap-southeast-2', 'ap-southeast-4'],
  ca: ['ca-central-1', 'ca-west-1'],
  eu: [
    'eu-central-1',
    'eu-central-2',
    'eu-north-1',
    'eu-south-1',
    'eu-south-2',
    'eu-west-1',
    'eu-west-2',
    'eu-west-3',
  ],
  jp: ['ap-northeast-1', 'ap-northeast-3'],
  us: ['ca-central-1', 'ca-west-1', 'us-east-1', 'us-east-2', 'us-west-1', 'us-west-2'],
  'us-gov': ['us-gov-east-1', 'us-gov-west-1'],
};

/** What stands before the name of a system-defined profile in its ARN. */
const PROFILE_ARN = /^arn:[^:]+:bedrock:[^:]*:[^:]*:inference-profile\//;

/** An account's own profile, whose name does not tell its models. */
export const APPLICATION_PROFILE = /:application-inference-profile\//;

/** The one profile that may send a call to any region; its models are named without one. */
const GLOBAL = 'global';

/**
 * Reading an encrypted guardrail is all that a key is for. AWS documents the service's name in this
 * condition for other parts of Bedrock, not for guardrails, which the runtime reads: any part may.
 * <https://docs.aws.amazon.com/bedrock/latest/userguide/guardrails-permissions-kms.html>
 */
const THROUGH_BEDROCK = {
  StringLike: { 'kms:ViaService': `bedrock*.${Aws.REGION}.amazonaws.com` },
};

export interface ModelAccess extends Pick<AskedOfBedrock, 'models'> {
  readonly profileRegions?: Readonly<Record<string, readonly string[]>>;
  readonly furtherModelArns?: readonly string[];
}

export interface BedrockAccess extends ModelAccess, Pick<AskedOfBedrock, 'guardrails'> {
  readonly guardrailProfileArns?: readonly string[];
  readonly guardrailKeyArns?: readonly string[];
}

/** Lets `grantee` call exactly the models, profiles and guardrails that the campaigns name. */
export function grantBedrock(grantee: iam.IRole, access: BedrockAccess): void {
  const { direct, profiles } = named(grantee, access);
  for (const { geography, model, models, profile, regions } of profiles) {
    warnElsewhere(grantee, `${geography}.${model}`, regions);
    allow(grantee, 'bedrock:InvokeModel', [profile]);
    // But there through the profile only.
    allow(grantee, 'bedrock:InvokeModel', models, { StringEquals: { 'bedrock:InferenceProfileArn': profile } });
  }
  allow(grantee, 'bedrock:InvokeModel', direct);
  const guardrails = access.guardrails.map((id) => guardrail(grantee, id));
  allow(grantee, 'bedrock:ApplyGuardrail', [...guardrails, ...(access.guardrailProfileArns ?? [])]);
  allow(grantee, 'kms:Decrypt', [...(access.guardrailKeyArns ?? [])], THROUGH_BEDROCK);
}

/**
 * The models and profiles that the campaigns name, and the models behind the profiles wherever they may
 * run, for who makes jobs and for whom they run as. AWS' own policies for both name profiles beside
 * models, and make no condition of the profile.
 * <https://docs.aws.amazon.com/bedrock/latest/userguide/batch-iam-sr.html>
 * <https://docs.aws.amazon.com/bedrock/latest/userguide/judge-service-roles.html>
 */
export function modelArns(scope: IConstruct, access: ModelAccess): string[] {
  const { direct, profiles } = named(scope, access);
  return [...profiles.flatMap(({ models, profile }) => [profile, ...models]), ...direct];
}

/** A system-defined profile, and its model wherever it may run. */
interface Profile {
  readonly geography: string;
  readonly model: string;
  readonly profile: string;
  readonly models: string[];
  /** Any, if nobody knows. */
  readonly regions: readonly string[] | undefined;
}

/** What the campaigns name, by its ARNs. */
function named(scope: IConstruct, access: ModelAccess): { direct: string[]; profiles: Profile[] } {
  const regions = { ...PROFILE_REGIONS, ...access.profileRegions };
  const direct = [...(access.furtherModelArns ?? [])];
  const profiles: Profile[] = [];
  for (const model of access.models) {
    const name = model.replace(PROFILE_ARN, '');
    const [geography = '', ...rest] = name.split('.');
    if (geography in regions || geography === GLOBAL) {
      profiles.push(profileOf(scope, geography, rest.join('.'), regions[geography]));
    } else if (!name.startsWith('arn:')) {
      direct.push(foundationModel(Aws.REGION, name));
    } else if (APPLICATION_PROFILE.test(name) && access.furtherModelArns === undefined) {
      throw new Error(`name the models behind ${name} in furtherModelArns`);
    } else {
      direct.push(name);
    }
  }
  return { direct, profiles };
}

function profileOf(
  scope: IConstruct,
  geography: string,
  model: string,
  regions: readonly string[] | undefined,
): Profile {
  const resourceName = `${geography}.${model}`;
  const profile = Stack.of(scope).formatArn({ service: 'bedrock', resource: 'inference-profile', resourceName });
  const models = (regions ?? [Aws.REGION, '']).map((region) => foundationModel(region, model));
  return { geography, model, models, profile, regions };
}

function warnElsewhere(grantee: iam.IRole, profile: string, regions: readonly string[] | undefined): void {
  const { region: here } = Stack.of(grantee);
  if (regions !== undefined && !Token.isUnresolved(here) && !regions.includes(here)) {
    Annotations.of(grantee).addWarningV2(
      'braze-content:profile-elsewhere',
      `${here} may not be able to call ${profile}: compare model_id of the campaigns`,
    );
  }
}

function foundationModel(region: string, model: string): string {
  return `arn:${Aws.PARTITION}:bedrock:${region}::foundation-model/${model}`;
}

function guardrail(grantee: iam.IRole, id: string): string {
  return id.startsWith('arn:')
    ? id
    : Stack.of(grantee).formatArn({ service: 'bedrock', resource: 'guardrail', resourceName: id });
}

function allow(
  grantee: iam.IRole,
  action: string,
  resources: string[],
  conditions?: Record<string, Record<string, string>>,
): void {
  if (resources.length > 0) {
    grantee.addToPrincipalPolicy(
      new iam.PolicyStatement({ actions: [action], resources, ...(conditions && { conditions }) }),
    );
  }
}
