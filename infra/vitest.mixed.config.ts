import { defineConfig } from 'vitest/config';

// Two revisions of the programs on an emulated AWS: minutes, and nothing that the other tests should wait for.
export default defineConfig({
  test: {
    include: ['test/mixed/**/*.test.ts'],
    // Longest wait for one thing to happen, on a machine with two busy cores.
    hookTimeout: 900_000,
    testTimeout: 600_000,
  },
});
