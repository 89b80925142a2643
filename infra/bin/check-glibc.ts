import { execFileSync } from 'node:child_process';

import { missingOnLambda } from '../lib/glibc.js';

// Whoever builds on a newer system than Lambda's learns it here, and not from the first invocation.
let failed = false;
for (const program of process.argv.slice(2)) {
  const listing = execFileSync('readelf', ['--version-info', '--wide', program], {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  if (!listing.includes('GLIBC_')) {
    throw new Error(`${program} is no program for the GNU C library`);
  }
  const missing = missingOnLambda(listing);
  if (missing.length > 0) {
    console.error(`${program} needs glibc ${missing.join(', ')}; Lambda has an older one.`);
    console.error('Build on an older system, such as Debian 12 or Amazon Linux 2023.');
    failed = true;
  }
}
process.exitCode = failed ? 1 : 0;
