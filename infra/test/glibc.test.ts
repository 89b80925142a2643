import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

import { missingOnLambda } from '../lib/glibc.js';

test('a program that needs a newer C library than Lambda has is told which', () => {
  const listing = `
  0x0010:   Name: GLIBC_2.4  Flags: none  Version: 5
  0x0020:   Name: GLIBC_2.38  Flags: none  Version: 4
  0x0030:   Name: GLIBC_2.35  Flags: none  Version: 3
  0x0040:   Name: GLIBC_2.34  Flags: none  Version: 2`;

  expect(missingOnLambda(listing)).toEqual(['2.35', '2.38']);
});

test('what a program can do without does not count', () => {
  expect(missingOnLambda('  Name: GLIBC_2.39  Flags: WEAK  Version: 5')).toEqual([]);
});

test('versions are read from real programs', () => {
  const listing = execFileSync('readelf', ['--version-info', '--wide', process.execPath], {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });

  expect(missingOnLambda(listing.replace(/GLIBC_2\.2\.5/g, 'GLIBC_9.9'))).toContain('9.9');
});
