import { APPLICATION_PROFILE } from '../bedrock-access.js';
import type { AskedOfBedrock } from '../campaigns.js';
import type { Environment } from '../environments.js';
import { type ModelQuota, type Quota, QUOTA_CODE } from '../model-quotas.js';
import { type Fault, isElsewhere, KEY_ARN, REGION, within } from './fault.js';

/** Stands for every model that has no quota of its own name. */
const EVERY_OTHER = '*';

/** What the campaigns ask of Amazon Bedrock, and how much of it the account has. */
export function ofModels({ processor, region }: Environment, asked: AskedOfBedrock): Fault[] {
  const { furtherModelArns, modelQuotas, profileRegions = {} } = processor;
  const { guardrailKeyArns = [], guardrailProfileArns = [] } = processor;
  const named = Object.keys(modelQuotas);
  const without = asked.models.filter((model) => !named.includes(model));
  const hidden = asked.models.filter((model) => APPLICATION_PROFILE.test(model));
  const isArn = (text: string) => text.startsWith('arn:');
  const wrongRegions = Object.entries(profileRegions).filter(
    ([, regions]) => regions.length === 0 || !regions.every((region) => REGION.test(region)),
  );
  return [
    [
      'processor.modelQuotas',
      !named.includes(EVERY_OTHER) && (named.length === 0 || without.length > 0),
      `give the account's quota of ${without.join(', ')}, or of '${EVERY_OTHER}' for every other`,
    ],
    ...Object.entries(modelQuotas).flatMap(([model, quota]) => ofQuota(model, quota)),
    [
      'processor.profileRegions',
      wrongRegions.length > 0,
      `name the regions behind ${wrongRegions.map(([geography]) => geography).join(', ')}, e.g. us-east-1`,
    ],
    [
      'processor.furtherModelArns',
      hidden.length > 0 && furtherModelArns === undefined,
      `name the models behind ${hidden.join(', ')}, whose names do not tell`,
    ],
    ['processor.furtherModelArns', !(furtherModelArns ?? []).every(isArn), 'are ARNs of models'],
    [
      'processor.guardrailKeyArns',
      !guardrailKeyArns.every((key) => KEY_ARN.test(key)),
      'are ARNs of keys in AWS KMS; policies do not take the name of an alias',
    ],
    [
      'processor.guardrailKeyArns',
      guardrailKeyArns.some((key) => KEY_ARN.test(key) && isElsewhere(key, region)),
      `a guardrail's key is in its own region, and the stage is in ${region}`,
    ],
    [
      'processor.guardrailKeyArns',
      guardrailKeyArns.length > 0 && asked.guardrails.length === 0,
      'are of guardrails, and no campaign names one: leave it out',
    ],
    ['processor.guardrailProfileArns', !guardrailProfileArns.every(isArn), 'are ARNs of profiles'],
  ];
}

function ofQuota(model: string, quota: ModelQuota): Fault[] {
  const { outputBurndown = 1, requestsPerMinute, tokensPerDay, tokensPerMinute } = quota;
  const given = Object.entries({ tokensPerMinute, requestsPerMinute, tokensPerDay });
  const wrong = given.filter(([, of]) => of !== undefined && !isQuota(of)).map(([name]) => name);
  const [day, minute] = [tokensPerDay, tokensPerMinute].map((of) => (isQuota(of) ? Number(of) : NaN));
  return [
    [
      'processor.modelQuotas',
      wrong.length > 0,
      `${wrong.join(', ')} of ${model}: a whole number above 0, or the code of a quota, L- and eight hexadecimal digits`,
    ],
    [
      'processor.modelQuotas',
      Number(day) < Number(minute),
      `tokensPerDay of ${model} is less than a minute has`,
    ],
    [
      'processor.modelQuotas',
      !within(outputBurndown, 1, 15),
      `outputBurndown of ${model} is 1, 5, 10 or 15, by model`,
    ],
  ];
}

function isQuota(quota: Quota | undefined): boolean {
  return typeof quota === 'number'
    ? within(quota, 1, Number.MAX_SAFE_INTEGER)
    : QUOTA_CODE.test(quota?.quotaCode ?? '');
}
