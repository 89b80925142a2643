import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { expect, test } from 'vitest';

import { isAllowed, refused } from '../lib/licences.js';

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

test.each([
  'api/tests/render',
  'dialect/conformance',
  'infra',
  'local/tests/page',
])('packages of %s have a checksum, or lie in one that has', (folder) => {
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

test('a package that names no licence is refused, with its name', () => {
  const packages = [
    { name: 'good', version: '1.0.0', license: 'MIT' },
    { name: 'silent', version: '2.0.0', license: null },
  ];

  expect(refused(packages, ['MIT'])).toEqual(['silent 2.0.0: it names no licence']);
});
