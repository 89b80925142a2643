import { expect, test } from 'vitest';

import { codePath } from '../lib/assets.js';
import { environment } from '../lib/environments.js';

test('a stage that does not exist is refused with those that do', () => {
  expect(() => environment('test')).toThrow('there is no stage "test"; there are dev, prod');
});

test('production alone is kept from being deleted', () => {
  expect(environment('prod').production).toBe(true);
  expect(environment('dev').production).toBe(false);
});

test('an instance of ingest has room for the two blocks that it holds', () => {
  for (const stage of ['dev', 'prod']) {
    const { ingest } = environment(stage);
    expect(ingest.memoryMiB).toBeGreaterThanOrEqual(4 * ingest.maxBlockMiB);
  }
});

test('a deployment without programs is refused, a look at the template is not', () => {
  const nowhere = { ...environment('dev'), architecture: 'sparc' as 'arm64' };

  expect(() => codePath(nowhere, 'api', { required: true })).toThrow(
    /run "make lambdas ARCH=sparc" first/,
  );
  expect(codePath(nowhere, 'api', { required: false })).toMatch(/fixtures\/bootstrap$/);
});
