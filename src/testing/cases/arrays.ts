import { expect } from 'vitest'
import type { ExecutorCase } from '../executor-fixture.ts'
import { readLog, settled, until } from '../waiting.ts'
import { runToEnd, submitOne } from './exit.ts'

/** Job arrays. */
export const arrayCases: readonly ExecutorCase[] = [
  {
    name: 'an array of 1,000 with 3 failures counts and names them',
    run: async (context) => {
      const job = await runToEnd(context, {
        ...context.manyElements,
        array: { elements: { kind: 'count', count: 1000 }, size: 1000 },
        run: 'echo "element $DROVER_ARRAY_INDEX"; case $DROVER_ARRAY_INDEX in 17|500|999) exit 4;; esac',
      })
      expect(job).toMatchObject({
        state: 'failed',
        exit_code: 4,
        cause: { kind: 'exit', code: 4 },
        elements: { total: 1000, succeeded: 997, failed: 3, queued: 0, running: 0, cancelled: 0, lost: 0 },
      })
      expect(job.elements?.first_failed.map((element) => [element.position, element.exit_code])).toEqual(
        [17, 500, 999].map((at) => [at, 4]),
      )
      for (const position of [0, 17, 999]) {
        const text = (await readLog(context.drover, job.id, { elements: [position], streams: ['stdout'] })).toString()
        expect(text).toBe(`element ${position}\n`)
      }
    },
  },
  {
    name: 'a matrix gives each element its parameters by name',
    run: async (context) => {
      const parameters = [
        { name: 'LR', values: ['0.1', '0.2'] },
        { name: 'OPT', values: ['sgd', 'adam w'] },
      ]
      const job = await runToEnd(context, { array: { elements: { kind: 'matrix', parameters }, size: 4 }, run: 'echo "$LR $OPT"' })
      expect(job.state).toBe('succeeded')
      const texts = await Promise.all(
        [0, 1, 2, 3].map(async (at) => (await readLog(context.drover, job.id, { elements: [at], streams: ['stdout'] })).toString()),
      )
      expect(texts).toEqual(['0.1 sgd\n', '0.1 adam w\n', '0.2 sgd\n', '0.2 adam w\n'])
    },
  },
  {
    name: 'only the failed elements run again at a retry by hand',
    run: async (context) => {
      const job = await runToEnd(context, {
        array: { elements: { kind: 'count', count: 6 }, size: 6 },
        run: 'echo "$DROVER_ATTEMPT"; [ "$DROVER_ATTEMPT" = 2 ] || [ $((DROVER_ARRAY_INDEX % 3)) != 1 ]',
      })
      expect(job).toMatchObject({ state: 'failed', elements: { failed: 2, succeeded: 4 } })
      await context.drover.retry(job.id, { elements: 'failed' })
      const again = await until('the second attempt', context.deadlineMs, async () => {
        const seen = await settled(context.drover, job.id, context.deadlineMs)
        return seen.attempt === 2 && seen
      })
      expect(again).toMatchObject({ state: 'succeeded', exit_code: 0, elements: { failed: 0, succeeded: 6 } })
    },
  },
  {
    name: 'cancelling an array ends what runs and what waits',
    run: async (context) => {
      const job = await submitOne(context, {
        array: { elements: { kind: 'count', count: 50 }, size: 50, maxParallel: 2 },
        graceMs: 1_000,
        run: 'exec sleep 300',
      })
      await until('a running element', context.deadlineMs, async () => ((await context.drover.get(job.id)).elements?.running ?? 0) > 0)
      await context.drover.cancel(job.id)
      const ended = await settled(context.drover, job.id, context.deadlineMs)
      expect(ended).toMatchObject({ state: 'cancelled', elements: { cancelled: 50, succeeded: 0, failed: 0, running: 0, queued: 0 } })
    },
  },
]
