import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

import { example, VARIANTS } from './example.js';

const CFN_LINT = join(import.meta.dirname, '../../target/python/bin/cfn-lint');

const folder = mkdtempSync(join(tmpdir(), 'templates-'));

afterAll(() => rmSync(folder, { recursive: true }));

test.each(Object.entries(VARIANTS))('CloudFormation would take the template: %s', (name, settings) => {
  expect(existsSync(CFN_LINT), 'make target/python/ready installs cfn-lint').toBe(true);
  const file = join(folder, `${name.replaceAll(' ', '-')}.template.json`);
  writeFileSync(file, JSON.stringify(example(settings).template.toJSON()));

  const { stdout, status } = spawnSync(CFN_LINT, [file], {
    cwd: join(import.meta.dirname, '..'),
    encoding: 'utf8',
  });

  expect(stdout).toBe('');
  expect(status).toBe(0);
});
