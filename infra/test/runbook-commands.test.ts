import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import names from '../../contract/golden/names.json' with { type: 'json' };
import { commands, runbook } from './deployment/runbook/commands.js';
import { beginning, FATES, fate } from './deployment/runbook/fates.js';
import { FAULTS } from './deployment/runbook/faults.js';
import { explained, targets, unset } from './deployment/runbook/variables.js';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = runbook();
const FIRST_DAY = readFileSync(join(ROOT, 'docs/aws-first-day.md'), 'utf8');
const COMMANDS = commands(PAGE);

test('each command of the runbook is typed at the emulated AWS, or is excused', () => {
  expect(COMMANDS.length).toBeGreaterThan(50);
  expect(COMMANDS.filter(({ text }) => fate(text) === undefined)).toEqual([]);
});

test('no fate is of a command that the runbook has no more, and no fault of such a chapter', () => {
  const used = new Set(COMMANDS.map(({ text }) => beginning(text)));
  const chapters = new Set(COMMANDS.map(({ chapter }) => chapter));

  expect(Object.keys(FATES).filter((each) => !used.has(each))).toEqual([]);
  expect(Object.keys(FAULTS).filter((chapter) => !chapters.has(chapter))).toEqual([]);
});

test('each variable is a name that ops where tells, one that the page explains, or one that was just set', () => {
  const known = [...names, ...explained(PAGE), 'STAGE'];
  const unknown = COMMANDS.flatMap((command) => {
    const setters = COMMANDS.filter(({ chapter }) => chapter === command.chapter);
    return unset(command, known, setters).map((name) => `${name}: ${command.text}`);
  });

  expect(explained(PAGE).length).toBeGreaterThan(5);
  expect(unknown).toEqual([]);
});

test('no word of a command is left for the reader to replace', () => {
  const words = ['ALARM', 'ALL', 'AWSPREVIOUS', 'DAILY', 'FAILED', 'SERVICE'];
  const left = COMMANDS.filter(({ text }) => {
    const found = fate(text);
    return !(found !== undefined && 'excuse' in found && found.excuse.startsWith('shows the form'));
  }).flatMap(({ text }) => [...text.matchAll(/(?<=[\s/=])[A-Z][A-Z-]+(?=["\s/]|$)/g)].map(([word]) => word));

  expect(left.filter((word) => !words.includes(word))).toEqual([]);
});

test.each([
  ['the runbook', PAGE],
  ['the first hour on AWS', FIRST_DAY],
])('%s names commands of make that there are', (_, page) => {
  const all = [...readFileSync(join(ROOT, 'Makefile'), 'utf8').matchAll(/^([a-z-]+):/gm)].map(([, name]) => name);
  const named = targets(commands(page));

  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => !all.includes(name))).toEqual([]);
});

test('each variable of the first hour on AWS is a name that ops where tells, or one that the page sets', () => {
  const all = commands(FIRST_DAY);
  // The page says where its value is read.
  const known = [...names, 'BRAZE_ID'];

  expect(all.length).toBeGreaterThan(20);
  expect(all.flatMap((command) => unset(command, known, all))).toEqual([]);
});
