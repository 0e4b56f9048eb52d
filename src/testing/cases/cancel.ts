import { join } from 'node:path'
import { expect } from 'vitest'
import type { CaseContext, ExecutorCase } from '../executor-fixture.ts'
import type { CaseTask } from '../task-values.ts'
import { settled, textOf, until, written } from '../waiting.ts'
import { runToEnd, submitOne } from './exit.ts'

/** Submits a task whose script (or setup) writes a line to $MARK once it runs; resolves then. */
export async function startMarked(
  context: CaseContext,
  task: CaseTask,
): Promise<{ readonly id: string; readonly mark: string; readonly line: string }> {
  const mark = join(context.directory, `mark-${crypto.randomUUID()}`)
  const job = await submitOne(context, { ...task, envs: { ...task.envs, MARK: mark } })
  return { id: job.id, mark, line: await written(mark, context.deadlineMs) }
}

/** Cancels and time limits. */
export const cancelCases: readonly ExecutorCase[] = [
  {
    name: 'cancel before the start: nothing runs',
    run: async (context) => {
      const first = await startMarked(context, { name: 'first', run: 'echo on > "$MARK"; exec sleep 300' })
      const ran = join(context.directory, `ran-${crypto.randomUUID()}`)
      const waiting = await submitOne(context, { run: 'touch "$RAN"', envs: { RAN: ran }, after: [{ task: first.id, condition: 'any' }] })
      await context.drover.cancel(waiting.id, { by: 'user' })
      const job = await settled(context.drover, waiting.id, context.deadlineMs)
      expect(job).toMatchObject({ state: 'cancelled', cause: { kind: 'cancelled', by: 'user' }, started_at: null })
      await context.drover.cancel(first.id)
      await settled(context.drover, first.id, context.deadlineMs)
      expect(await textOf(ran)).toBeUndefined()
    },
  },
  {
    name: 'cancel during setup: run never starts',
    run: async (context) => {
      const started = await startMarked(context, { setup: 'echo on > "$MARK"; exec sleep 300', run: 'echo ran > "$MARK"', graceMs: 2_000 })
      await context.drover.cancel(started.id)
      expect(await settled(context.drover, started.id, context.deadlineMs)).toMatchObject({ state: 'cancelled' })
      expect(await textOf(started.mark)).toBe('on\n')
    },
  },
  {
    name: 'cancel during run, and twice',
    needs: ['alive'],
    run: async (context) => {
      const started = await startMarked(context, { run: 'echo $$ > "$MARK"; exec sleep 300', graceMs: 5_000 })
      await Promise.all([context.drover.cancel(started.id), context.drover.cancel(started.id)])
      const job = await settled(context.drover, started.id, context.deadlineMs)
      expect(job).toMatchObject({ state: 'cancelled', cause: { kind: 'cancelled' } })
      await until('the script to be gone', 5_000, () => !context.alive(Number(started.line)))
      expect(await context.drover.cancel(started.id)).toMatchObject({ state: 'cancelled' })
    },
  },
  {
    name: 'cancel after the end changes nothing',
    run: async (context) => {
      const job = await runToEnd(context, { run: 'exit 0' })
      await context.drover.cancel(job.id).catch(() => undefined)
      expect(await context.drover.get(job.id)).toMatchObject({ state: 'succeeded', exit_code: 0, ended_at: job.ended_at })
    },
  },
  {
    name: 'a script that ignores TERM is killed after the grace',
    needs: ['alive'],
    run: async (context) => {
      const started = await startMarked(context, {
        run: 'trap "" TERM; echo $$ > "$MARK"; while :; do sleep 1; done',
        graceMs: 1_000,
      })
      await context.drover.cancel(started.id)
      expect(await settled(context.drover, started.id, context.deadlineMs)).toMatchObject({ state: 'cancelled' })
      await until('the script to be gone', 5_000, () => !context.alive(Number(started.line)))
    },
  },
  ...[0, 7].map(
    (code): ExecutorCase => ({
      name: `a script that traps TERM and exits ${code} after a cancel is cancelled`,
      run: async (context) => {
        const started = await startMarked(context, {
          run: `trap 'exit ${code}' TERM; echo on > "$MARK"; while :; do sleep 0.1; done`,
          graceMs: 20_000,
        })
        await context.drover.cancel(started.id)
        expect(await settled(context.drover, started.id, context.deadlineMs)).toMatchObject({
          state: 'cancelled',
          cause: { kind: 'cancelled' },
        })
      },
    }),
  ),
  {
    name: 'a time limit ends the script, cause timeout',
    run: async (context) => {
      const job = await runToEnd(context, { run: 'exec sleep 300', timeoutMs: 1_000, graceMs: 5_000 })
      expect(job).toMatchObject({ state: 'failed', cause: { kind: 'timeout' } })
    },
  },
  {
    name: 'a time limit covers setup',
    run: async (context) => {
      const job = await runToEnd(context, { setup: 'exec sleep 300', run: 'exit 0', timeoutMs: 1_000, graceMs: 5_000 })
      expect(job).toMatchObject({ state: 'failed', cause: { kind: 'timeout' } })
    },
  },
  ...[0, 7].map(
    (code): ExecutorCase => ({
      name: `a script that traps TERM and exits ${code} at its time limit has timed out`,
      run: async (context) => {
        const job = await runToEnd(context, {
          run: `trap 'exit ${code}' TERM; while :; do sleep 0.1; done`,
          timeoutMs: 1_000,
          graceMs: 20_000,
        })
        expect(job).toMatchObject({ state: 'failed', cause: { kind: 'timeout' } })
      },
    }),
  ),
]
