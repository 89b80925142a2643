import { Annotations, Aws, Stack, Token } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';

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

export interface BedrockAccess extends Omit<AskedOfBedrock, 'campaigns'> {
  readonly profileRegions?: Readonly<Record<string, readonly string[]>>;
  readonly furtherModelArns?: readonly string[];
  readonly guardrailProfileArns?: readonly string[];
  readonly guardrailKeyArns?: readonly string[];
}

/** Lets `grantee` call exactly the models, profiles and guardrails that the campaigns name. */
export function grantBedrock(grantee: iam.IRole, access: BedrockAccess): void {
  const regions = { ...PROFILE_REGIONS, ...access.profileRegions };
  const direct = [...(access.furtherModelArns ?? [])];
  for (const model of access.models) {
    const name = model.replace(PROFILE_ARN, '');
    const [geography = '', ...rest] = name.split('.');
    if (geography in regions || geography === GLOBAL) {
      grantProfile(grantee, geography, rest.join('.'), regions[geography]);
    } else if (!name.startsWith('arn:')) {
      direct.push(foundationModel(Aws.REGION, name));
    } else if (APPLICATION_PROFILE.test(name) && access.furtherModelArns === undefined) {
      throw new Error(`name the models behind ${name} in furtherModelArns`);
    } else {
      direct.push(name);
    }
  }
  allow(grantee, 'bedrock:InvokeModel', direct);
  const guardrails = access.guardrails.map((id) => guardrail(grantee, id));
  allow(grantee, 'bedrock:ApplyGuardrail', [...guardrails, ...(access.guardrailProfileArns ?? [])]);
  allow(grantee, 'kms:Decrypt', [...(access.guardrailKeyArns ?? [])], THROUGH_BEDROCK);
}

/**
 * Lets `grantee` submit `jobs` of the models that the campaigns name, follow and stop them. What a
 * profile leads to is a model: of profiles AWS knows no such permission.
 */
export function grantJobs(grantee: iam.IRole, access: BedrockAccess, jobs: string): void {
  const regions = { ...PROFILE_REGIONS, ...access.profileRegions };
  const models = access.models.flatMap((model) => {
    const name = model.replace(PROFILE_ARN, '');
    const [geography = '', ...rest] = name.split('.');
    if (geography in regions || geography === GLOBAL) {
      return (regions[geography] ?? [Aws.REGION, '']).map((region) => foundationModel(region, rest.join('.')));
    }
    return name.startsWith('arn:') ? [] : [foundationModel(Aws.REGION, name)];
  });
  const further = (access.furtherModelArns ?? []).filter((arn) => /:foundation-model\//.test(arn));
  allow(grantee, 'bedrock:CreateModelInvocationJob', [...new Set([...models, ...further]), jobs]);
  allow(grantee, 'bedrock:GetModelInvocationJob', [jobs]);
  allow(grantee, 'bedrock:StopModelInvocationJob', [jobs]);
  allow(grantee, 'bedrock:ListModelInvocationJobs', ['*']);
}

/** The profile itself, and its model wherever it may run, but there through the profile only. */
function grantProfile(
  grantee: iam.IRole,
  geography: string,
  model: string,
  regions: readonly string[] | undefined,
): void {
  const { region: here } = Stack.of(grantee);
  if (regions !== undefined && !Token.isUnresolved(here) && !regions.includes(here)) {
    Annotations.of(grantee).addWarningV2(
      'braze-content:profile-elsewhere',
      `${here} may not be able to call ${geography}.${model}: compare model_id of the campaigns`,
    );
  }
  const profile = Stack.of(grantee).formatArn({
    service: 'bedrock',
    resource: 'inference-profile',
    resourceName: `${geography}.${model}`,
  });
  allow(grantee, 'bedrock:InvokeModel', [profile]);
  const places = regions ?? [Aws.REGION, ''];
  allow(
    grantee,
    'bedrock:InvokeModel',
    places.map((region) => foundationModel(region, model)),
    { StringEquals: { 'bedrock:InferenceProfileArn': profile } },
  );
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
