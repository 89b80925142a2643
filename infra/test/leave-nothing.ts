import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Lets CDK write what it synthesises for tests into one folder, and removes that at the end. */
export default function leaveNothing(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'infra-test-'));
  process.env['TMPDIR'] = folder;
  return () => rmSync(folder, { recursive: true });
}
