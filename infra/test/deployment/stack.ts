import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

import cdk from '../../cdk.json' with { type: 'json' };
import { askedOfBedrock } from '../../lib/campaigns.js';
import { environment } from '../../lib/environments.js';
import { PipelineStack } from '../../lib/pipeline-stack.js';
import type { Stack } from './deployed.js';
import { type Emulator, PLACE } from './emulator.js';
import { INFRA } from './paths.js';

export const STAGE = 'dev';
export const STACK = `BrazeContent-${STAGE}`;

type Resources = Stack['resources'];

/** Reads what was deployed: its template, and what its resources are called. */
export async function deployedStack(emulator: Emulator, template: string, campaigns: string): Promise<Stack> {
  const { Resources: deployed }: { Resources: Resources } = JSON.parse(readFileSync(template, 'utf8'));
  const names = await namesOf(emulator);
  return { resources: { ...operatorRole(campaigns, deployed), ...deployed }, names, place: PLACE };
}

/** The stage names no operators, so their role is from a template that does; its other policies must be the same. */
function operatorRole(campaigns: string, deployed: Resources): Resources {
  const operators = [`arn:aws:iam::${PLACE.account}:role/on-call`];
  const stack = new PipelineStack(new App({ context: cdk.context }), STACK, {
    asked: askedOfBedrock(campaigns),
    codePath: () => join(INFRA, 'test/fixtures/bootstrap'),
    env: PLACE,
    environment: { ...environment(STAGE), operators },
  });
  const all: Resources = Template.fromStack(stack).toJSON()['Resources'];
  const policies = Object.entries(all).filter(([, { Type }]) => Type === 'AWS::IAM::Policy');
  const other = policies.filter(([id, { Properties }]) => {
    return id in deployed && !isDeepStrictEqual(Properties, deployed[id]?.Properties);
  });
  if (other.length > 0) {
    throw new Error(`the stage has other policies where it has operators: ${other.map(([id]) => id)}`);
  }
  return Object.fromEntries(Object.entries(all).filter(([id]) => id.startsWith('OperatorRole')));
}

/** Asks CloudFormation what it called the resources. */
async function namesOf({ endpoint }: Emulator): Promise<Record<string, string>> {
  const scope = `test/20260101/${PLACE.region}/cloudformation/aws4_request`;
  const answer = await fetch(endpoint, {
    method: 'POST',
    // The emulator looks for the service here, and at nothing else.
    headers: { authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=none` },
    body: new URLSearchParams({ Action: 'DescribeStackResources', StackName: STACK }),
  });
  const members = [...(await answer.text()).matchAll(/<member>([^]*?)<\/member>/g)].map(([, member = '']) => {
    const said = (name: string) => new RegExp(`<${name}>(.*?)</${name}>`).exec(member)?.[1] ?? '';
    return [said('LogicalResourceId'), said('PhysicalResourceId')] as const;
  });
  if (members.length === 0) {
    throw new Error(`CloudFormation tells no names: ${answer.status}`);
  }
  return Object.fromEntries(members);
}
