import { GetAliasCommand, LambdaClient, ListVersionsByFunctionCommand, UpdateAliasCommand } from '@aws-sdk/client-lambda';
import { SSMClient } from '@aws-sdk/client-ssm';
import { expect, test } from 'vitest';

import names from '../../contract/golden/names.json' with { type: 'json' };
import { functionsOf, running, take } from '../lib/live-functions.js';
import { back, forward, type Running, told, type Version } from '../lib/rollback.js';

const HOUR = 60 * 60 * 1000;

/** Deployed in the hour of its number. */
function version(number: number, deployedAt = number * 24 * HOUR): Version {
  return { number, description: `api, build ${number}`, deployedAt };
}

function api(change: Partial<Running> = {}): Running {
  return { name: 'api', live: 3, shifting: false, versions: [1, 2, 3].map((each) => version(each)), ...change };
}

test('each function goes back to the version before, whatever the order in which they are listed', () => {
  const versions = [version(2), version(10), version(9)];

  expect(back([api({ live: 10, versions })])).toEqual([{ name: 'api', from: version(10), to: version(9) }]);
});

test('a version that is gone is skipped', () => {
  expect(back([api({ versions: [version(1), version(3)] })])).toMatchObject([{ to: version(1) }]);
});

test('what the last deployment did not change stays as it is', () => {
  const of = (live: number) => ({ live, versions: [version(live - 1), version(live)] });
  const steps = back([api(of(3)), api({ name: 'ingest', ...of(2) })]);

  expect(steps).toMatchObject([{ to: version(2) }, { name: 'ingest', stays: expect.stringContaining('did not change') }]);
});

test('functions that one deployment changed within its time go back together', () => {
  const late = [version(1), version(2, 2 * 24 * HOUR + HOUR / 2)];
  const steps = back([api({ live: 2, versions: [version(1), version(2)] }), api({ live: 2, versions: late })]);

  expect(steps).toMatchObject([{ to: version(1) }, { to: version(1) }]);
});

test('the first version of all has none before it, and that is said', () => {
  expect(back([api({ live: 1 })]).map(told)).toEqual(['api stays: there is no version before it']);
});

test('a function that a deployment moves right now is left to it', () => {
  expect(back([api({ shifting: true })])).toEqual([{ name: 'api', stays: expect.stringContaining('stop-deployment') }]);
});

test('forward is to the newest, however far back it went, and says where it runs already', () => {
  expect(forward([api({ live: 1 })]).map(told)).toEqual(['api: 1 (api, build 1) -> 3 (api, build 3)']);
  expect(forward([api()]).map(told)).toEqual(['api stays: it runs the newest version']);
});

test('the functions are those whose names the deployment writes down', async () => {
  const value = JSON.stringify(Object.fromEntries(names.map((name) => [name, `Test-${name}`])));
  const ssm = new SSMClient({ region: 'eu-central-1' });
  const asked: unknown[] = [];
  ssm.send = (async ({ input }: { input: unknown }) => {
    asked.push(input);
    return { Parameter: { Value: value } };
  }) as typeof ssm.send;

  expect(Object.keys(await functionsOf(ssm, 'Test')).sort()).toEqual(['api', 'asks-worker', 'events', 'ingest', 'processor']);
  expect(asked).toEqual([{ Name: '/Test/names' }]);
});

test('all pages of versions are read, what changes all the time is no version, and only the alias is moved', async () => {
  const lambda = new LambdaClient({ region: 'eu-central-1' });
  const moved: unknown[] = [];
  const listed = (number: string) => ({ Version: number, Description: 'api', LastModified: '1970-01-01T00:00:01.000+0000' });
  lambda.send = (async (command: unknown) => {
    if (command instanceof GetAliasCommand) {
      return { FunctionVersion: '2', RoutingConfig: { AdditionalVersionWeights: {} } };
    }
    if (command instanceof ListVersionsByFunctionCommand) {
      return command.input.Marker === undefined
        ? { Versions: [listed('$LATEST'), listed('1')], NextMarker: 'more' }
        : { Versions: [listed('2')] };
    }
    moved.push((command as UpdateAliasCommand).input);
    return {};
  }) as typeof lambda.send;

  const found = await running(lambda, 'api', 'Test-api');
  const [step] = back([found]);
  await take(lambda, step!, { api: 'Test-api' });

  expect(found).toMatchObject({ live: 2, shifting: false, versions: [{ number: 1, deployedAt: 1000 }, { number: 2 }] });
  expect(moved).toEqual([{ FunctionName: 'Test-api', FunctionVersion: '1', Name: 'live' }]);
});
