import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { attemptPaths } from '../../driver/protocol.ts'
import type { CaseContext, ExecutorCase } from '../executor-fixture.ts'
import { createTaskFile } from '../task-values.ts'
import { readLog, settled, until } from '../waiting.ts'
import { startMarked } from './cancel.ts'
import { onlyJob } from './exit.ts'

/** A task that appends one line per run to $RUNS, so that a second run is seen. */
function countedTask(context: CaseContext) {
  const runs = join(context.directory, `runs-${crypto.randomUUID()}`)
  return { runs, file: createTaskFile(context.target, { envs: { RUNS: runs }, run: 'echo run >> "$RUNS"' }) }
}

/** Kills the supervisor as soon as `reached` holds, starts another and expects one run and a success. */
async function survives(context: CaseContext, reached: (directory: string, state: string | undefined) => boolean): Promise<void> {
  const { runs, file } = countedTask(context)
  const key = crypto.randomUUID()
  let state: string | undefined
  const abort = new AbortController()
  const watching = (async () => {
    for await (const event of context.drover.events({ after: 0, signal: abort.signal })) state = String(event.data['to'] ?? state)
  })().catch(() => undefined)
  const submitted = context.drover.submit(file, { key }).catch(() => undefined)
  const jobs = await submitted
  const job = jobs?.[0]
  const directory = job ? context.attemptDir(job) : ''
  await until('the step', context.deadlineMs, () => reached(directory, state))
  await context.supervisorKill9()
  abort.abort()
  await watching
  await context.restart()
  // A client that lost its answer sends the same again.
  const again = onlyJob(await context.drover.submit(file, { key }))
  if (job) expect(again.id).toBe(job.id)
  expect(await settled(context.drover, again.id, context.deadlineMs)).toMatchObject({ state: 'succeeded', attempt: 1 })
  expect(await readFile(runs, 'utf8')).toBe('run\n')
  expect((await context.drover.list({ target: context.target })).length).toBe(1)
}

const STEPS: Readonly<Record<string, (directory: string, state: string | undefined) => boolean>> = {
  'it is recorded': () => true,
  'the first file is staged': (directory, state) => existsSync(directory) || state === 'succeeded',
  'the submit lock is taken': (directory, state) => existsSync(join(directory, attemptPaths.submitLock)) || state === 'succeeded',
  'the native id is written': (directory, state) => existsSync(join(directory, attemptPaths.nativeId)) || state === 'succeeded',
  'it runs': (_, state) => state === 'running' || state === 'succeeded',
  'it has ended': (_, state) => state === 'succeeded',
}

/** Each attempt runs once, whatever dies. */
export const onceCases: readonly ExecutorCase[] = [
  {
    name: 'two clients submit the same job: it runs once',
    needs: ['client'],
    run: async (context) => {
      const { runs, file } = countedTask(context)
      const other = await context.client()
      try {
        const key = crypto.randomUUID()
        const [one, two] = await Promise.all([context.drover.submit(file, { key }), other.submit(file, { key })])
        expect(one.map((job) => job.id)).toEqual(two.map((job) => job.id))
        await settled(context.drover, onlyJob(one).id, context.deadlineMs)
        expect(await readFile(runs, 'utf8')).toBe('run\n')
      } finally {
        await other.close()
      }
    },
  },
  ...Object.entries(STEPS).map(
    ([step, reached]): ExecutorCase => ({
      name: `a supervisor killed by signal 9 when ${step}: it runs once`,
      fresh: {},
      needs: ['supervisorKill9', 'restart', 'attemptDir'],
      run: (context) => survives(context, reached),
    }),
  ),
  {
    name: 'a supervisor killed by signal 9 while a job runs: the next one takes over',
    fresh: {},
    needs: ['supervisorKill9', 'restart'],
    run: async (context) => {
      const started = await startMarked(context, {
        run: 'echo before; echo on > "$MARK"; while [ ! -e "$MARK.go" ]; do sleep 0.05; done; echo after; exit 4',
      })
      await context.supervisorKill9()
      await context.restart()
      await until(
        'the next supervisor to see it run',
        context.deadlineMs,
        async () => (await context.drover.get(started.id)).state === 'running',
      )
      await writeFile(`${started.mark}.go`, '')
      const job = await settled(context.drover, started.id, context.deadlineMs)
      expect(job).toMatchObject({ state: 'failed', exit_code: 4, cause: { kind: 'exit', code: 4 }, attempt: 1 })
      expect((await readLog(context.drover, started.id)).toString()).toBe('before\nafter\n')
    },
  },
  {
    name: 'a job that ends while no supervisor lives is known afterwards',
    fresh: {},
    needs: ['supervisorKill9', 'restart', 'attemptDir'],
    run: async (context) => {
      const started = await startMarked(context, { run: 'echo on > "$MARK"; while [ ! -e "$MARK.go" ]; do sleep 0.05; done; exit 4' })
      const directory = context.attemptDir(await context.drover.get(started.id))
      await context.supervisorKill9()
      await writeFile(`${started.mark}.go`, '')
      await until('the exit record', context.deadlineMs, async () =>
        (await readFile(join(directory, attemptPaths.exit('job')), 'utf8')).endsWith('\n'),
      )
      await context.restart()
      const job = await settled(context.drover, started.id, context.deadlineMs)
      expect(job).toMatchObject({ state: 'failed', exit_code: 4, attempt: 1 })
    },
  },
]
