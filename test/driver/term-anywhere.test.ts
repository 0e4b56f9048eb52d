import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { shells, withAttempt } from './attempt-fixture.ts'

/** `DROVER_TERM_TRIALS=200` for many: a window of a few microseconds is not met by a few. */
const TRIALS = Number(process.env['DROVER_TERM_TRIALS'] ?? 16)
const AT_ONCE = 4

/** A shell that parses, forks, or waits for `$(…)` must not lose the trap that fires meanwhile. */
describe.each(shells)('TERM at any moment of a driver with slots under %s', (_, shell) => {
  test(`${TRIALS} times: it is heard, and everything ends`, { timeout: 60_000 + TRIALS * 2_000 }, async () => {
    const trial = async (): Promise<void> => {
      const array = { kind: 'count', count: 4, size: 4, width: 2 } as const
      await withAttempt({ shell, run: 'sleep 60', array, graceSeconds: 15 }, async (attempt) => {
        attempt.start()
        await sleep(Math.random() * 250)
        process.kill(attempt.pid, 'SIGTERM')
        const code = await attempt.end()
        // Before it has a trap nothing has been claimed, and nothing runs.
        if (code === -1 && !existsSync(join(attempt.dir, 'claim/0/id'))) return
        expect(code, attempt.describe()).toBe(143)
        expect(attempt.record('job'), attempt.describe()).toMatchObject({ told: 'term' })
      })
    }
    for (let done = 0; done < TRIALS; done += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, trial))
  })
})
