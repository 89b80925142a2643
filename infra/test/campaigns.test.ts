import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, expect, test } from 'vitest';

import { askedOfBedrock, campaignsFolder } from '../lib/campaigns.js';

const ROOT = join(import.meta.dirname, '../..');

/** The campaigns that all tests of the project share. */
const SHARED = 'campaign/tests/campaigns';

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

  expect(askedOfBedrock(folder)).toEqual({
    campaigns: ['one', 'three', 'two'],
    models: ['c.d', 'us.a.b'],
    guardrails: ['g'],
  });
});

test('a campaign as people write it can be read', () => {
  const { models } = askedOfBedrock(campaignsFolder(SHARED));

  expect(models).toEqual(['us.anthropic.claude-haiku-4-5-20251001-v1:0']);
});

test('what the programs take for a campaign counts, and nothing beside it', () => {
  const folder = campaigns({ one: 'model_id = "a"\n', '.git': undefined });
  writeFileSync(join(folder, 'README.md'), 'Ours.');
  const elsewhere = campaigns({ two: 'model_id = "b"\n' });
  symlinkSync(join(elsewhere, 'two'), join(folder, 'linked'));

  expect(askedOfBedrock(folder).models).toEqual(['a', 'b']);
});

test('campaigns stand in a folder that is named from the project or from the root', () => {
  const folder = join(campaigns({ 'of ours': undefined }), 'of ours');

  expect(campaignsFolder(folder)).toBe(folder);
  expect(campaignsFolder(relative(ROOT, folder))).toBe(folder);
  expect(campaignsFolder(SHARED)).toBe(join(ROOT, SHARED));
});

test.each(['not/there', 'README.md', ''])('what is no folder is refused with what to say: "%s"', (named) => {
  expect(() => campaignsFolder(named)).toThrow(/no folder of campaigns ".*": name one by CAMPAIGNS=DIR/);
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
