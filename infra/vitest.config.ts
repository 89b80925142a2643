import { defineConfig } from 'vitest/config';

export default defineConfig({
  // The first synthesis of a run loads all of the library, which takes many seconds on a busy machine.
  test: { testTimeout: 120_000 },
});
