import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Have commands and a configuration of their own.
    exclude: ['node_modules', 'test/deployment', 'test/mixed'],
    globalSetup: 'test/leave-nothing.ts',
    // Loading the library takes seconds, and the tests change nothing that others could see.
    isolate: false,
    // The first synthesis of a worker loads much more of it, on a busy machine for many seconds.
    testTimeout: 120_000,
  },
});
