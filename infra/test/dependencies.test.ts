import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { parse } from 'smol-toml';
import { expect, test } from 'vitest';

import { ALSO_FOR_TOOLS, isAllowed, locked, refused } from '../lib/licences.js';

const ROOT = join(import.meta.dirname, '../..');

const CRATES_IO = 'registry+https://github.com/rust-lang/crates.io-index';

/** A package as npm's lock file has it. */
interface Locked {
  readonly inBundle?: boolean;
  readonly integrity?: string;
  readonly link?: boolean;
}

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

test.each(['Cargo.lock', 'fuzz/Cargo.lock'])('crates of %s come from crates.io, or lie here', (path) => {
  const { package: crates } = parse(read(path)) as unknown as {
    package: { name: string; source?: string; checksum?: string }[];
  };
  const foreign = crates.filter(({ source, checksum }) => source !== undefined && !(source === CRATES_IO && checksum));

  expect(crates.length).toBeGreaterThan(0);
  expect(foreign).toEqual([]);
});

const FOLDERS = ['api/tests/render', 'dialect/conformance', 'infra', 'local/tests/page'];

test('the folders of npm packages are those that the commands look at', () => {
  const [, named = ''] = /^NODE_OF_TESTS := \$\(addsuffix \/node_modules,(.*)\)$/m.exec(read('Makefile')) ?? [];

  expect(['infra', ...named.split(' ')].sort()).toEqual(FOLDERS);
  expect(lockFiles(ROOT).map((path) => relative(ROOT, dirname(path))).sort()).toEqual(FOLDERS);
});

test.each(FOLDERS)('packages of %s have a checksum, or lie in one that has', (folder) => {
  const { packages } = JSON.parse(read(`${folder}/package-lock.json`)) as { packages: Record<string, Locked> };
  const loose = Object.entries(packages)
    // The first is the folder itself.
    .filter(([path]) => path !== '')
    .filter(([, { inBundle, integrity, link }]) => link || !(integrity?.startsWith('sha512-') || inBundle));

  expect(Object.keys(packages).length).toBeGreaterThan(1);
  expect(loose).toEqual([]);
});

test.each([
  ['MIT', true],
  ['MIT OR GPL-3.0-only', true],
  ['GPL-3.0-only OR MIT', true],
  ['GPL-3.0-only/MIT', true],
  ['MIT AND GPL-3.0-only', false],
  ['(MIT OR GPL-3.0-only) AND Zlib', true],
  ['GPL-3.0-only AND Zlib OR MIT', true],
  ['GPL-3.0-only AND (Zlib OR MIT)', false],
  ['Zlib WITH exception', true],
  ['MIT WITH exception', false],
  ['GPL-3.0-only', false],
  ['mit', false],
  ['(MIT', false],
  ['MIT MIT', false],
  ['', false],
])('a package under "%s" may be used: %s', (expression, allowed) => {
  expect(isAllowed(expression, ['MIT', 'Zlib', 'Zlib WITH exception'])).toBe(allowed);
});

test('an npm package is held to the licence that its lock file has', () => {
  const packages = {
    '': { license: 'none of it' },
    'node_modules/@a/good': { version: '1.0.0', license: '(MIT OR GPL-3.0-only)' },
    'node_modules/@a/good/node_modules/bad': { version: '2.0.0', license: 'GPL-3.0-only' },
    'node_modules/silent': { version: '3.0.0' },
  };

  expect(refused(locked({ packages }), ['MIT'])).toEqual([
    'bad 2.0.0: GPL-3.0-only',
    'silent 3.0.0: it names no licence',
  ]);
});

test('each licence that tools may have besides is one that some tool has', () => {
  const all = FOLDERS.flatMap((folder) => locked(JSON.parse(read(`${folder}/package-lock.json`))));
  const { licenses } = parse(read('deny.toml')) as { licenses: { allow: string[] } };
  const needed = (licence: string) => {
    const others = [...licenses.allow, ...ALSO_FOR_TOOLS].filter((each) => each !== licence);
    return refused(all, others).length > 0;
  };

  expect(ALSO_FOR_TOOLS.filter((licence) => !needed(licence))).toEqual([]);
});

test('a package that names no licence is refused, with its name', () => {
  const packages = [
    { name: 'good', version: '1.0.0', license: 'MIT' },
    { name: 'silent', version: '2.0.0', license: null },
  ];

  expect(refused(packages, ['MIT'])).toEqual(['silent 2.0.0: it names no licence']);
});

/** Lock files of npm below a folder, but for those of packages and of what was built. */
function lockFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      return ['.git', 'cdk.out', 'node_modules', 'target'].includes(entry.name) ? [] : lockFiles(path);
    }
    return entry.name === 'package-lock.json' ? [path] : [];
  });
}
