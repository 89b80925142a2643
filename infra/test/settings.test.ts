import { expect, test } from 'vitest';

import environment from '../../contract/golden/environment.json' with { type: 'json' };
import { DEV, example } from './example.js';

const { template } = example();

test.each(Object.entries(environment))('%s is given exactly the settings it reads', (name, names) => {
  expect(Object.keys(settings(name)).sort()).toEqual(names);
});

test('the processors are as many as share the quota while its table is out of reach', () => {
  const instances = DEV.processor.maxInstances;

  expect(settings('processor')['MAX_INSTANCES']).toBe(String(instances));
  template.hasResourceProperties('AWS::Lambda::Function', {
    ReservedConcurrentExecutions: instances,
  });
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
