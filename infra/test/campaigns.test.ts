import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';

import { askedOfBedrock } from '../lib/campaigns.js';

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) {
    rmSync(folder, { recursive: true });
  }
});

test('every model, profile and guardrail of any campaign is asked for, each once', () => {
  const folder = campaigns({
    one: 'model_id = "us.a.b"\n[guardrail]\nid = "g"\nversion = "1"\n',
    two: 'model_id = "c.d"\n',
    three: 'model_id = "us.a.b"\n',
  });

  expect(askedOfBedrock(folder)).toEqual({ models: ['c.d', 'us.a.b'], guardrails: ['g'] });
});

test('the campaigns of this repository can be read', () => {
  const { models } = askedOfBedrock(join(import.meta.dirname, '../../campaigns'));

  expect(models.length).toBeGreaterThan(0);
});

test.each([
  ['no campaign', {}, /campaign\.toml is not there/],
  ['a campaign without its file', { one: undefined }, /one\/campaign\.toml is not there/],
  ['a campaign without a model', { one: 'ttl_days = 1' }, /one\/campaign\.toml: model_id is no text/],
  ['a guardrail without an id', { one: 'model_id = "m"\n[guardrail]\n' }, /guardrail\.id is no text/],
])('%s is refused with the place to look at', (_, files, reason) => {
  expect(() => askedOfBedrock(campaigns(files))).toThrow(reason);
});

function campaigns(files: Record<string, string | undefined>): string {
  const folder = mkdtempSync(join(tmpdir(), 'campaigns-'));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name));
    if (text !== undefined) {
      writeFileSync(join(folder, name, 'campaign.toml'), text);
    }
  }
  return folder;
}
