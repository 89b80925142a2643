import {
  GetAliasCommand,
  type LambdaClient,
  ListVersionsByFunctionCommand,
  UpdateAliasCommand,
} from '@aws-sdk/client-lambda';
import { GetParameterCommand, type SSMClient } from '@aws-sdk/client-ssm';

import { LIVE, type Running, type Step, type Version } from './rollback.js';

/** The functions of a deployment, by what people call them, and the names that they have on AWS. */
export type Functions = Readonly<Record<string, string>>;

/** Names, among those that a deployment writes down, that are of functions. */
const FUNCTION = /^(.+)_FUNCTION$/;

/** Reads what the functions of a stack are called. */
export async function functionsOf(ssm: SSMClient, stack: string): Promise<Functions> {
  const { Parameter } = await ssm.send(new GetParameterCommand({ Name: `/${stack}/names` }));
  const names: Record<string, string> = JSON.parse(Parameter?.Value ?? '{}');
  return Object.fromEntries(
    Object.entries(names).flatMap(([name, value]) => {
      const [, called] = FUNCTION.exec(name) ?? [];
      return called === undefined ? [] : [[called.toLowerCase().replaceAll('_', '-'), value]];
    }),
  );
}

/** Reads what runs of a function, and what has run. */
export async function running(lambda: LambdaClient, name: string, functionName: string): Promise<Running> {
  const alias = await lambda.send(new GetAliasCommand({ FunctionName: functionName, Name: LIVE }));
  const versions: Version[] = [];
  let marker: string | undefined;
  do {
    const page = await lambda.send(
      new ListVersionsByFunctionCommand({ FunctionName: functionName, ...(marker && { Marker: marker }) }),
    );
    for (const { Description = '', LastModified = '', Version: number } of page.Versions ?? []) {
      if (number !== '$LATEST') {
        versions.push({ number: Number(number), description: Description, deployedAt: Date.parse(LastModified) });
      }
    }
    marker = page.NextMarker;
  } while (marker);
  return {
    name,
    live: Number(alias.FunctionVersion),
    shifting: Object.keys(alias.RoutingConfig?.AdditionalVersionWeights ?? {}).length > 0,
    versions,
  };
}

/** Lets a function run the version of a step, if it has one. */
export async function take(lambda: LambdaClient, step: Step, functions: Functions): Promise<void> {
  if ('to' in step) {
    await lambda.send(
      new UpdateAliasCommand({
        FunctionName: functions[step.name],
        FunctionVersion: String(step.to.number),
        Name: LIVE,
      }),
    );
  }
}
