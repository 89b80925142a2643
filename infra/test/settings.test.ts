import { expect, test } from 'vitest';

import names from '../../contract/golden/names.json' with { type: 'json' };
import environment from '../../contract/golden/environment.json' with { type: 'json' };
import { DEV, example } from './example.js';

const { template } = example();

test.each(Object.entries(environment))('%s is given exactly the settings it reads', (name, names) => {
  expect(Object.keys(settings(name)).sort()).toEqual(names);
});

test('ops is told the names that it looks for, and by the stage alone', () => {
  const [parameter] = Object.values(template.findResources('AWS::SSM::Parameter'));
  const [open, ...rest] = parameter?.Properties.Value['Fn::Join'][1];
  const told = [open, ...rest].filter((part) => typeof part === 'string').join('');

  expect([...told.matchAll(/"([A-Z_]+)":/g)].map(([, name]) => name).sort()).toEqual(names);
  expect(parameter?.Properties.Name).toBe('/Test/names');
});

test('both functions of the processor are given the same settings', () => {
  expect(settings('asksworker')).toEqual(settings('processor'));
});

test('both functions of ingest are given settings of the same names', () => {
  expect(Object.keys(settings('eventsdoor')).sort()).toEqual(environment.ingest);
});

test('instances share the quota with all others while its table is out of reach, whichever their function', () => {
  const functions = Object.values(template.findResources('AWS::Lambda::Function'));
  const sharing = functions.filter(({ Properties }) => 'MODEL_QUOTAS' in Properties.Environment.Variables);
  const reserved = sharing.map(({ Properties }) => Properties.ReservedConcurrentExecutions);

  expect(reserved.sort()).toEqual([DEV.asks.maxInstances, DEV.processor.maxInstances].sort());
  expect(settings('processor')['MAX_INSTANCES']).toBe(String(reserved[0] + reserved[1]));
});

test('the quota arrives by model, as the processor reads it', () => {
  expect(JSON.parse(settings('processor')['MODEL_QUOTAS'] ?? '')).toEqual({
    '*': { tokens_per_minute: 100_000 },
  });
});

function settings(program: string): Record<string, string> {
  const functions = Object.entries(template.findResources('AWS::Lambda::Function'));
  const [, found] = functions.find(([id]) => id.toLowerCase().startsWith(`${program}program`)) ?? [];
  return found?.Properties.Environment.Variables;
}
