import { expect, test } from 'vitest';

import names from '../../contract/golden/names.json' with { type: 'json' };
import { type Command, commands, runbook } from './deployment/runbook/commands.js';
import { beginning, FATES, fate } from './deployment/runbook/fates.js';
import { FAULTS } from './deployment/runbook/faults.js';

const PAGE = runbook();
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
  const [, table = ''] = /\n\| variable \| is \|\n([\s\S]*?)\n\n/.exec(PAGE) ?? [];
  const explained = [...table.matchAll(/^\| (.*?) \|/gm)].flatMap(([, cell = '']) => cell.match(/[A-Z_]+/g) ?? []);
  const known = new Set([...names, ...explained, 'STAGE']);
  const unknown = COMMANDS.flatMap((command) => unknownOf(command).map((name) => `${name}: ${command.text}`));

  expect(explained.length).toBeGreaterThan(5);
  expect(unknown).toEqual([]);

  function unknownOf({ chapter, text }: Command): string[] {
    const set = COMMANDS.filter((each) => each.chapter === chapter).flatMap((each) =>
      [...each.text.matchAll(/(?:^|\s)(?:for )?(\w+)(?:=| in )/g)].map(([, name = '']) => name),
    );
    const used = [...text.matchAll(/\$\{?([A-Za-z_]+)/g)].map(([, name = '']) => name);
    return used.filter((name) => !known.has(name) && !set.includes(name));
  }
});

test('no word of a command is left for the reader to replace', () => {
  const words = ['ALARM', 'ALL', 'AWSPREVIOUS', 'DAILY', 'SERVICE'];
  const left = COMMANDS.filter(({ text }) => {
    const found = fate(text);
    return !(found !== undefined && 'excuse' in found && found.excuse.startsWith('shows the form'));
  }).flatMap(({ text }) => [...text.matchAll(/(?<=[\s/=])[A-Z][A-Z-]+(?=["\s/]|$)/g)].map(([word]) => word));

  expect(left.filter((word) => !words.includes(word))).toEqual([]);
});
