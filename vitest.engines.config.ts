import { defineConfig } from 'vitest/config'

/** Tests against real systems, by `npm run test:engines`, which brings those up. One file at a time: they break machines. */
export default defineConfig({
  test: {
    name: 'engines',
    include: ['test/engines/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    // Real machines under load: what fails is tried once more, and the report says so (retry x1).
    retry: 1,
    globalSetup: ['test/global-setup.ts'],
  },
})
