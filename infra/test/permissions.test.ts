import { expect, test } from 'vitest';

import requests from '../../contract/golden/requests.json' with { type: 'json' };
import { EVERYTHING, example } from './example.js';
import { resourcesOf, ROLES } from './kinds.js';
import { checksOf, ELSEWHERE, EXCUSES } from './operations.js';
import { statements } from './statements.js';

const { template } = example(EVERYTHING);
const all = statements(template);

test('every function is a program whose requests are listed, or reads quotas for the deployment', () => {
  const functions = Object.keys(template.findResources('AWS::Lambda::Function'));
  const listed = Object.values(ROLES).map((role) => role.replace(/Role$/, ''));

  const others = functions.filter((id) => !listed.some((name) => id.startsWith(name)));

  expect(others).toEqual([expect.stringMatching(/^AWS679f53fac002430cb0da5b7982bd2287/)]);
  expect(Object.keys(requests)).toEqual(Object.keys(ROLES).sort());
});

test.each(Object.entries(requests))('%s may do all that it asks of AWS, and nothing that it does not', (name, asked) => {
  const granted = grants(name);
  const needed = [...needs(name, asked), ...excused(name)];

  expect(needed.filter((each) => !granted.includes(each)), 'asked for, or excused, and not granted').toEqual([]);
  expect(granted.filter((each) => !needed.includes(each)), 'granted and never asked for').toEqual([]);
});

test('an excuse is for what no request accounts for', () => {
  for (const [name, asked] of Object.entries(requests)) {
    const needed = needs(name, asked);
    expect(excused(name).filter((each) => needed.includes(each)), name).toEqual([]);
    expect(Object.keys(asked)).toEqual(expect.arrayContaining(Object.keys(ELSEWHERE[name] ?? {})));
  }
});

test('no role may use a key by itself: each use is through the service whose data it encrypts', () => {
  const ofRoles = all.filter(({ effect, roles }) => effect === 'Allow' && roles.length > 0);
  const ofKeys = ofRoles.filter(({ actions }) => actions.some((action) => action.startsWith('kms:')));
  const through = ofKeys.map(({ conditions }) =>
    Object.values(conditions).flatMap((keys) => keys['kms:ViaService'] ?? []),
  );

  expect(through.filter((services) => services.length !== 1)).toEqual([]);
  expect([...new Set(through.flat())].sort()).toEqual(
    ['bedrock*', 'dynamodb', 'kinesis', 's3', 'secretsmanager', 'sqs'].map(
      (service) => `${service}.eu-central-1.amazonaws.com`,
    ),
  );
});

test('who reads what comes in reads nothing that is served, and the other way round', () => {
  const keysOf = (role: string) => {
    const own = all.filter(({ roles }) => roles.some((id) => id.startsWith(role)));
    const ofKeys = own.filter(({ actions }) => actions.some((action) => action.startsWith('kms:')));
    return [...new Set(ofKeys.flatMap(({ resources }) => resources))].sort();
  };
  const ofServices = Object.entries(template.findResources('AWS::KMS::Key')).filter(([, { Properties }]) =>
    JSON.stringify(Properties.KeyPolicy).includes('"Principal":{"Service":'),
  );

  // Look-ups need nothing of events; Braze and S3 need nothing of content.
  expect(keysOf('ApiProgramRole')).toEqual(['EncryptionContent']);
  expect(keysOf('BrazeRole')).toEqual(['EncryptionIncoming']);
  expect(ofServices.map(([id]) => id)).toEqual([expect.stringMatching(/^EncryptionIncoming/)]);
});

test('of the shared table an operator may change what belongs to campaigns, and whoever follows may see its head', () => {
  const keys = (role: string) =>
    all
      .filter(({ roles }) => roles.some((id) => id.startsWith(role)))
      .flatMap(({ actions, conditions }) =>
        Object.entries(conditions).flatMap(([operator, of]) =>
          'dynamodb:LeadingKeys' in of ? [[operator, of['dynamodb:LeadingKeys'], actions]] : [],
        ),
      );

  expect(keys('OperatorRole')).toEqual([
    ['ForAllValues:StringLike', ['campaigns'], ['dynamodb:GetItem', 'dynamodb:PutItem']],
    ['ForAllValues:StringLike', ['answer#*'], ['dynamodb:DeleteItem']],
  ]);
  for (const follower of ['Ingest', 'EventsDoor', 'Api']) {
    expect(keys(`${follower}ProgramRole`)).toEqual([
      ['ForAllValues:StringEquals', ['campaigns'], ['dynamodb:GetItem']],
    ]);
  }
});

test('the role of operators is taken up by those that the stage names, and by nobody else', () => {
  const [role] = Object.values(
    template.findResources('AWS::IAM::Role', { Properties: { Description: 'What ops may do' } }),
  );
  const trusted: { Principal: unknown }[] = role?.Properties.AssumeRolePolicyDocument.Statement;

  expect(trusted.map((each) => each.Principal)).toEqual([
    { AWS: 'arn:aws:iam::111122223333:role/on-call' },
  ]);
});

test('no function has a policy that somebody else keeps', () => {
  for (const [id, role] of Object.entries(template.findResources('AWS::IAM::Role'))) {
    const kept = role.Properties.ManagedPolicyArns ?? [];
    // The account's role for the logs of API Gateway is no function's, nor is that of deployments.
    expect(kept.length === 0 || /^ApiGatewayCloudWatchRole|^ApiShift/.test(id)).toBe(true);
  }
});

/** What the role of a program may do, each once: the action, on what, and of keys through which service. */
function grants(program: string): string[] {
  const own = all.filter(({ roles }) => roles.some((id) => id.startsWith(ROLES[program] ?? program)));
  const granted = own.flatMap(({ actions, conditions, resources }) => {
    const through = Object.values(conditions).flatMap((keys) => keys['kms:ViaService'] ?? []);
    const behind = through.map((service) => ` through ${String(service).replace(/\..*/, '')}`).join('');
    return actions.flatMap((action) => resources.map((of) => `${action} ${of}${behind}`));
  });
  return [...new Set(granted)].sort();
}

/** The same that its requests need. */
function needs(program: string, asked: Readonly<Record<string, readonly string[]>>): string[] {
  const operations = Object.entries(asked).filter(([operation]) => !(operation in (ELSEWHERE[program] ?? {})));
  return operations.flatMap(([operation, kinds]) =>
    kinds.flatMap((kind) => {
      const { actions, key = [] } = checksOf(operation, kind, program);
      const encrypted = `key of ${kind} through ${operation.replace(/:.*/, '')}`;
      return [
        ...actions.flatMap((action) => named(program, action, kind)),
        ...key.flatMap((action) => named(program, action, encrypted)),
      ];
    }),
  );
}

function excused(program: string): string[] {
  return (EXCUSES[program] ?? []).flatMap(([action, kind]) => named(program, action, kind));
}

/** An action with the names of all that it may be done on. */
function named(program: string, action: string, kind: string): string[] {
  const resources = resourcesOf(program, kind);
  // Of a bucket's objects the kind tells; a list is of the bucket.
  const of = action === 's3:ListBucket' ? resources.map((objects) => objects.replace(/\/.*/, '')) : resources;
  return of.map((each) => `${action} ${each}`);
}
