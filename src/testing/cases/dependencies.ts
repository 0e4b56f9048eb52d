import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { ExecutorCase } from '../executor-fixture.ts'
import { createTaskFile } from '../task-values.ts'
import { settled } from '../waiting.ts'
import { runToEnd } from './exit.ts'

const CONDITIONS = ['ok', 'any', 'failed'] as const

/** Dependencies and retries. */
export const dependencyCases: readonly ExecutorCase[] = [
  ...[0, 1].map(
    (code): ExecutorCase => ({
      name: `dependents on ok, any and failed after exit ${code}`,
      run: async (context) => {
        const file = createTaskFile(
          context.target,
          { name: 'upstream', run: `exit ${code}` },
          ...CONDITIONS.map((condition) => ({ name: condition, run: 'exit 0', after: [{ task: 'upstream', condition }] })),
        )
        const submitted = await context.drover.submit(file)
        const ended = await Promise.all(submitted.map((job) => settled(context.drover, job.id, context.deadlineMs)))
        const states = Object.fromEntries(ended.map((job) => [job.name, job.state]))
        const never = code === 0 ? 'failed' : 'ok'
        const skipped = ended.find((job) => job.name === never)
        expect(states).toMatchObject({
          upstream: code === 0 ? 'succeeded' : 'failed',
          any: 'succeeded',
          [code === 0 ? 'ok' : 'failed']: 'succeeded',
        })
        expect(skipped?.started_at).toBeNull()
        expect(skipped?.state).not.toBe('succeeded')
        expect([skipped?.cause?.kind, skipped?.cause?.by]).toContain('dependency')
      },
    }),
  ),
  {
    name: 'a dependent finds the files of its upstream',
    run: async (context) => {
      const file = createTaskFile(
        context.target,
        { name: 'sample', run: 'echo 42 > answer' },
        { name: 'combine', run: 'test "$(cat "$DROVER_UPSTREAM_SAMPLE/answer")" = 42', after: [{ task: 'sample', condition: 'ok' }] },
      )
      const submitted = await context.drover.submit(file)
      const ended = await Promise.all(submitted.map((job) => settled(context.drover, job.id, context.deadlineMs)))
      expect(ended.map((job) => [job.name, job.state])).toEqual([
        ['sample', 'succeeded'],
        ['combine', 'succeeded'],
      ])
    },
  },
  {
    name: 'a retry on a code, then success',
    run: async (context) => {
      const runs = join(context.directory, `runs-${crypto.randomUUID()}`)
      const job = await runToEnd(context, {
        envs: { RUNS: runs },
        retries: { max: 3, when: [{ exitCode: 75 }], backoffMs: 10 },
        run: 'echo "$DROVER_ATTEMPT" >> "$RUNS"; [ "$(wc -l < "$RUNS")" -ge 3 ] || exit 75',
      })
      expect(job).toMatchObject({ state: 'succeeded', exit_code: 0, attempt: 3, cause: null })
      expect(job.attempts.map((attempt) => [attempt.number, attempt.state, attempt.exit_code])).toEqual([
        [1, 'failed', 75],
        [2, 'failed', 75],
        [3, 'succeeded', 0],
      ])
      expect(await readFile(runs, 'utf8')).toBe('1\n2\n3\n')
    },
  },
  {
    name: 'another code is not retried',
    run: async (context) => {
      const job = await runToEnd(context, { retries: { max: 3, when: [{ exitCode: 75 }], backoffMs: 0 }, run: 'exit 2' })
      expect(job).toMatchObject({ state: 'failed', exit_code: 2, attempt: 1 })
    },
  },
]
