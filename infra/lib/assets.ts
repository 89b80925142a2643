import { existsSync } from 'node:fs';
import { join } from 'node:path';

import type { Environment } from './environments.js';
import type { ProgramName } from './program.js';

/** Where `make lambdas` leaves the programs, by architecture. */
const BUILT = join(import.meta.dirname, '../../target/lambda-assets');

/** Stands for a program where only the template is asked for. */
const PLACEHOLDER = join(import.meta.dirname, '../test/fixtures/bootstrap');

/**
 * The folder of a program, below `programs` if that is given; `required` says that a placeholder
 * will not do.
 */
export function codePath(
  environment: Environment,
  program: ProgramName,
  { programs, required }: { readonly programs?: string; readonly required: boolean },
): string {
  const built = join(programs ?? join(BUILT, environment.architecture), program);
  if (existsSync(join(built, 'bootstrap'))) {
    return built;
  }
  if (required) {
    const make = `make lambdas ARCH=${environment.architecture}`;
    throw new Error(`${built} holds no program: run "${make}" first`);
  }
  return PLACEHOLDER;
}
