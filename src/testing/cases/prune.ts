import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import type { ExecutorCase } from '../executor-fixture.ts'
import { settled } from '../waiting.ts'
import { startMarked } from './cancel.ts'
import { runToEnd } from './exit.ts'

/** Clearing away. */
export const pruneCases: readonly ExecutorCase[] = [
  {
    name: 'prune removes what ended and keeps what runs',
    fresh: {},
    needs: ['attemptDir'],
    run: async (context) => {
      const ended = await runToEnd(context, { run: 'echo done' })
      const started = await startMarked(context, { run: 'echo on > "$MARK"; while [ ! -e "$MARK.go" ]; do sleep 0.05; done' })
      const directory = context.attemptDir(ended)
      expect(existsSync(directory)).toBe(true)
      expect((await context.drover.prune({ olderThanMs: 0, dryRun: true })).removed).toEqual([ended.id])
      expect(existsSync(directory)).toBe(true)
      expect(await context.drover.prune({ olderThanMs: 0 })).toMatchObject({ removed: [ended.id], warnings: [] })
      expect(existsSync(directory)).toBe(false)
      await expect(context.drover.get(ended.id)).rejects.toMatchObject({ code: 'unknown_job' })
      await writeFile(`${started.mark}.go`, '')
      expect(await settled(context.drover, started.id, context.deadlineMs)).toMatchObject({ state: 'succeeded' })
    },
  },
  {
    name: 'a running job is removed only by force',
    fresh: {},
    run: async (context) => {
      const started = await startMarked(context, { run: 'echo on > "$MARK"; exec sleep 300', graceMs: 1_000 })
      await expect(context.drover.remove([started.id])).rejects.toMatchObject({ code: 'conflict' })
      expect(await context.drover.remove([started.id], { force: true })).toMatchObject({ removed: [started.id] })
      await expect(context.drover.get(started.id)).rejects.toMatchObject({ code: 'unknown_job' })
    },
  },
]
