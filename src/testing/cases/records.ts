import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { attemptPaths } from '../../driver/protocol.ts'
import type { CaseContext, ExecutorCase } from '../executor-fixture.ts'
import { settled, until } from '../waiting.ts'
import { startMarked } from './cancel.ts'
import { runToEnd } from './exit.ts'

/** Lets a script end while no supervisor looks, changes its records, and starts a supervisor on the result. */
async function withTamperedRecords(context: CaseContext, tamper: (path: string) => Promise<void>): Promise<string> {
  const started = await startMarked(context, { run: 'echo on > "$MARK"; while [ ! -e "$MARK.go" ]; do sleep 0.05; done; exit 0' })
  const directory = context.attemptDir(await context.drover.get(started.id))
  await context.supervisorKill9()
  await writeFile(`${started.mark}.go`, '')
  const [rank, job] = [join(directory, attemptPaths.exit(0)), join(directory, attemptPaths.exit('job'))]
  await until('the exit records', context.deadlineMs, async () => (await readFile(job, 'utf8')).endsWith('\n'))
  await tamper(rank)
  await context.restart()
  return started.id
}

/** The proof: what the files of an attempt can look like after a crash. */
export const recordCases: readonly ExecutorCase[] = [
  {
    name: 'a missing exit record is never a success',
    fresh: {},
    needs: ['supervisorKill9', 'restart', 'attemptDir'],
    run: async (context) => {
      const id = await withTamperedRecords(context, (path) => truncate(path))
      const job = await settled(context.drover, id, context.deadlineMs * 2)
      expect(job).toMatchObject({ state: 'lost', cause: { kind: 'unknown' } })
      expect(await context.drover.settle(id, { as: 'succeeded', reason: 'seen its output' })).toMatchObject({ state: 'succeeded' })
    },
  },
  {
    name: 'a half-written exit record does not count',
    fresh: {},
    needs: ['supervisorKill9', 'restart', 'attemptDir'],
    run: async (context) => {
      const id = await withTamperedRecords(context, async (path) => truncate(path, (await readFile(path)).length - 1))
      expect(await settled(context.drover, id, context.deadlineMs * 2)).toMatchObject({ state: 'lost' })
    },
  },
  {
    name: 'an unreadable exit record decides nothing and warns',
    fresh: {},
    needs: ['supervisorKill9', 'restart', 'attemptDir'],
    run: async (context) => {
      const id = await withTamperedRecords(context, async (path) => {
        const text = await readFile(path, 'utf8')
        // Another exit code under the old checksum.
        await writeFile(path, text.replace(/^exit 1 0 0 /, 'exit 1 0 1 '))
      })
      const warned = await until('a warning', context.deadlineMs, async () => {
        for await (const event of context.drover.events({ jobs: [id], after: 0, signal: AbortSignal.timeout(1_000) }))
          if (event.type === 'warning') return event
        return undefined
      })
      expect(JSON.stringify(warned.data)).toMatch(/exit/)
      expect(['succeeded', 'failed']).not.toContain((await context.drover.get(id)).state)
    },
  },
  {
    name: 'a full disk under the job directory never makes a success',
    fresh: { diskBytes: 2 * 1024 * 1024 },
    run: async (context) => {
      const job = await runToEnd(context, { run: 'head -c 8000000 /dev/zero || exit 3; exit 4' })
      expect(['failed', 'lost']).toContain(job.state)
      expect((await context.drover.list()).map((each) => each.id)).toContain(job.id)
    },
  },
]
