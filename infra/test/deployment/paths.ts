import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The project's folder, where people type commands. */
export const ROOT = join(import.meta.dirname, '../../..');

/** The CDK app, where its command line runs. */
export const INFRA = join(ROOT, 'infra');

/** The campaigns that all tests of the project share. */
export const CAMPAIGNS = join(ROOT, 'campaign/tests/campaigns');

/** One that speaks of catalog items and of what Braze knows of users. */
export const GROUNDED = join(ROOT, 'processor/tests/grounded');

/** The one that the canary asks for. */
export const CANARY = join(ROOT, 'examples/canary/campaigns');

/** A program that `cargo test --workspace` builds. */
export function program(name: string): string {
  return needed(join(ROOT, 'target/debug', name), 'make test-deployment builds it');
}

/** The emulator of AWS. */
export function miniStack(): string {
  const installed = join(ROOT, 'target/ministack/bin/ministack');
  return needed(installed, 'make target/ministack/ready installs it');
}

/** The AWS CLI, as people type its commands. */
export function awsCli(): string {
  return needed(join(ROOT, 'target/ministack/bin/aws'), 'make target/ministack/ready installs it');
}

/** Says what to do instead of testing less. */
function needed(path: string, remedy: string): string {
  if (!existsSync(path)) {
    throw new Error(`${path} is not there: ${remedy}`);
  }
  return path;
}
