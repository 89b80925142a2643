/** Version of the GNU C library on Amazon Linux 2023, where the functions run. */
const OFFERED = '2.34';

/**
 * The versions of the C library that a program needs and Lambda does not have, newest last.
 * `listing` is what `readelf --version-info --wide` prints. What a program can do without is
 * marked weak there, and does not count.
 */
export function missingOnLambda(listing: string): string[] {
  const needed = [...listing.matchAll(/Name: GLIBC_([0-9.]+)\s+Flags: (\S+)/g)]
    .filter(([, , flags]) => flags !== 'WEAK')
    .map(([, version]) => version ?? '');
  return [...new Set(needed)].filter((version) => compare(version, OFFERED) > 0).sort(compare);
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
