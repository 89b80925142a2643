import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';

import { type Package, refused } from '../lib/licences.js';

// Reads what `cargo metadata` says. The list of licences is that of `make deny`, which looks at more
// than this, and whose tool takes minutes to build.
const { packages } = JSON.parse(readFileSync(0, 'utf8')) as { packages: Package[] };
const settings = parse(readFileSync(join(import.meta.dirname, '../../deny.toml'), 'utf8'));
const { allow } = settings['licenses'] as { allow: string[] };
const found = refused(packages, allow);
for (const each of found) {
  console.error(`${each}: none of the licences in deny.toml`);
}
process.exitCode = found.length > 0 ? 1 : 0;
