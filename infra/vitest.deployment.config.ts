import { defineConfig } from 'vitest/config';

// Real programs on an emulated AWS: minutes, and nothing that the other tests should wait for.
export default defineConfig({
  test: {
    include: ['test/deployment/**/*.test.ts'],
    // Longest wait for one thing to happen, on a machine with two busy cores.
    hookTimeout: 900_000,
    testTimeout: 600_000,
  },
});
