import { existsSync } from 'node:fs'
import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { attemptPaths } from '../../driver/protocol.ts'
import type { CaseContext, ExecutorCase } from '../executor-fixture.ts'
import { settled, textOf, until } from '../waiting.ts'
import { startMarked } from './cancel.ts'

/** A number out of a line of events/<rank>: the `pid` of the newest line with that word. */
async function pidOf(context: CaseContext, id: string, file: number | 'job', word: string): Promise<number> {
  const job = await context.drover.get(id)
  const path = join(context.attemptDir(job), attemptPaths.events(file))
  return until(`${word} in ${path}`, context.deadlineMs, async () => {
    const lines = ((await textOf(path)) ?? '').split('\n').filter((line) => line.split(' ')[1] === word)
    const pid = Number(/ pid=(\d+)/.exec(lines.at(-1) ?? '')?.[1])
    return pid > 0 ? pid : undefined
  })
}

/** Processes that stay behind, die by violence, or have been replaced by others. */
export const processCases: readonly ExecutorCase[] = [
  {
    name: 'a process left in the background holds up nothing and is ended',
    needs: ['alive'],
    run: async (context) => {
      const started = await startMarked(context, { run: 'sleep 300 & echo $! > "$MARK"; exit 0', graceMs: 1_000 })
      expect(await settled(context.drover, started.id, context.deadlineMs)).toMatchObject({ state: 'succeeded', exit_code: 0 })
      await until('the left process to be gone', 10_000, () => !context.alive(Number(started.line)))
    },
  },
  {
    name: 'a node runner killed by signal 9: never a success, and its script is ended',
    needs: ['alive', 'kill9', 'attemptDir'],
    run: async (context) => {
      const started = await startMarked(context, { run: 'echo $$ > "$MARK"; exec sleep 300', graceMs: 1_000 })
      context.kill9(await pidOf(context, started.id, 0, 'runner'))
      const job = await settled(context.drover, started.id, context.deadlineMs)
      expect(job).toMatchObject({ state: 'failed', cause: { kind: 'driver', rank: 0 } })
      await until('the script to be gone', 10_000, () => !context.alive(Number(started.line)))
    },
  },
  {
    name: 'a driver killed by signal 9: the end is the one the records prove',
    needs: ['alive', 'kill9', 'attemptDir'],
    run: async (context) => {
      const started = await startMarked(context, {
        run: 'echo $$ > "$MARK"; while [ ! -e "$MARK.go" ]; do sleep 0.05; done; exit 6',
      })
      context.kill9(await pidOf(context, started.id, 'job', 'driver'))
      await writeFile(`${started.mark}.go`, '')
      const job = await settled(context.drover, started.id, context.deadlineMs)
      // A scheduler's word for it is that its own process, the driver, ended by a signal.
      if (job.state === 'failed') expect(['exit', 'driver', 'signal']).toContain(job.cause?.kind)
      else expect(job.state).toBe('lost')
      await until('the script to be gone', 10_000, () => !context.alive(Number(started.line)))
    },
  },
  {
    name: 'a recycled pid is never taken for the job, nor killed for it',
    fresh: {},
    needs: ['alive', 'kill9', 'attemptDir', 'supervisorKill9', 'restart'],
    run: async (context) => {
      const foreign = await startMarked(context, { run: 'echo $$ > "$MARK"; exec sleep 300', graceMs: 1_000 })
      const started = await startMarked(context, { run: 'echo $$ > "$MARK"; exec sleep 300', graceMs: 1_000 })
      const driver = await pidOf(context, started.id, 'job', 'driver')
      const runner = await pidOf(context, started.id, 0, 'runner')
      const directory = context.attemptDir(await context.drover.get(started.id))
      await context.supervisorKill9()
      for (const pid of [driver, runner, Number(started.line)]) {
        // Some targets end all that is left of a job when its driver has gone.
        try {
          context.kill9(pid)
        } catch (error) {
          if (context.alive(pid)) throw error
        }
      }
      await until('the job to be gone', 10_000, () => !context.alive(driver) && !context.alive(runner))
      // What the kernel does when pids wrap around: the numbers on record belong to a stranger.
      const stranger = Number(foreign.line)
      for (const path of [attemptPaths.events('job'), attemptPaths.events(0), attemptPaths.nativeId]) {
        // The number of a scheduler's job is no process.
        if (path === attemptPaths.nativeId && !existsSync(join(directory, path))) continue
        const text = await readFile(join(directory, path), 'utf8')
        await truncate(join(directory, path))
        await appendFile(
          join(directory, path),
          text.replaceAll(new RegExp(`\\b(${driver}|${runner}|${Number(started.line)})\\b`, 'g'), String(stranger)),
        )
      }
      await context.restart()
      await context.drover.cancel(started.id).catch(() => undefined)
      const job = await settled(context.drover, started.id, context.deadlineMs)
      expect(job.state).not.toBe('succeeded')
      expect(context.alive(stranger)).toBe(true)
      await context.drover.cancel(foreign.id)
      await settled(context.drover, foreign.id, context.deadlineMs)
    },
  },
]
