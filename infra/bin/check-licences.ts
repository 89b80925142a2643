import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';

import { ALSO_FOR_TOOLS, type Lock, locked, type Package, refused } from '../lib/licences.js';

// Reads what `cargo metadata` says, and the lock files of npm that are named. The list of licences is
// that of `make deny`, which looks at more than this, and whose tool takes minutes to build.
const { packages } = JSON.parse(readFileSync(0, 'utf8')) as { packages: Package[] };
const settings = parse(readFileSync(join(import.meta.dirname, '../../deny.toml'), 'utf8'));
const { allow } = settings['licenses'] as { allow: string[] };
const crates = refused(packages, allow).map((each) => `${each}: none of the licences in deny.toml`);
const tools = process.argv.slice(2).flatMap((path) => {
  const lock = JSON.parse(readFileSync(path, 'utf8')) as Lock;
  return refused(locked(lock), [...allow, ...ALSO_FOR_TOOLS]).map(
    (each) => `${path}: ${each}: none of the licences in deny.toml and infra/lib/licences.ts`,
  );
});
const found = [...crates, ...tools];
for (const each of found) {
  console.error(each);
}
process.exitCode = found.length > 0 ? 1 : 0;
