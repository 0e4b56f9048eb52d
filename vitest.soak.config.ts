import { defineConfig } from 'vitest/config'

/** Long runs, by `npm run soak`. */
export default defineConfig({
  test: {
    name: 'soak',
    include: ['test/soak/**/*.test.ts'],
    testTimeout: 3_600_000,
    hookTimeout: 60_000,
    globalSetup: ['test/global-setup.ts'],
  },
})
