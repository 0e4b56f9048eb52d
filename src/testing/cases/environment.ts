import { lstat, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { expect } from 'vitest'
import type { ExecutorCase } from '../executor-fixture.ts'
import { createTaskFile } from '../task-values.ts'
import { readLog, settled, written } from '../waiting.ts'
import { onlyJob, runToEnd } from './exit.ts'

/** Files below a directory that hold the bytes; sockets and vanishing files passed over. */
async function filesHolding(directory: string, needle: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const entry of await readdir(directory, { recursive: true })) {
    const path = join(directory, entry)
    try {
      if (!(await lstat(path)).isFile()) continue
      if ((await readFile(path)).includes(needle)) found.push(path)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  }
  return found
}

/** What a script sees, and what nothing else may see. */
export const environmentCases: readonly ExecutorCase[] = [
  {
    name: "env and secrets reach setup and run, with Drover's and SkyPilot's variables",
    run: async (context) => {
      const print = (rank: string): string => `echo "$PLAIN/$TOKEN/$DROVER_NODE_RANK/$DROVER_NUM_NODES/$${rank}/$SKYPILOT_NUM_NODES"`
      const job = await runToEnd(context, {
        envs: { PLAIN: 'p' },
        secrets: { TOKEN: 't' },
        // SkyPilot 0.14 names the rank otherwise in setup.
        setup: print('SKYPILOT_SETUP_NODE_RANK'),
        run: print('SKYPILOT_NODE_RANK'),
      })
      expect(job.state).toBe('succeeded')
      expect((await readLog(context.drover, job.id)).toString()).toBe('p/t/0/1/0/1\n')
      expect((await readLog(context.drover, job.id, { streams: ['setup'] })).toString()).toContain('p/t/0/1/0/1\n')
    },
  },
  {
    name: 'a secret reaches the script and nothing else',
    needs: ['commandLines'],
    run: async (context) => {
      const secret = `s3cret-${crypto.randomUUID()}`
      const mark = join(context.directory, `secret-${crypto.randomUUID()}`)
      const file = createTaskFile(context.target, {
        envs: { MARK: mark },
        secrets: { TOKEN: secret },
        // The length proves that it came without writing it anywhere.
        run: 'echo "${#TOKEN}" > "$MARK"; while [ ! -e "$MARK.go" ]; do sleep 0.05; done',
      })
      expect(JSON.stringify(await context.drover.plan(file))).not.toContain(secret)
      const job = onlyJob(await context.drover.submit(file))
      expect(await written(mark, context.deadlineMs)).toBe(`${secret.length}\n`)
      expect(await context.commandLines()).not.toContain(secret)
      const during = await filesHolding(context.home, secret)
      // The attempt's own file, and the supervisor's for a retry: both the user's alone, both gone at the end.
      expect(during.filter((path) => !path.endsWith(`${sep}env`) && !path.includes(`${sep}secrets${sep}`))).toEqual([])
      for (const path of during) expect((await lstat(path)).mode & 0o077).toBe(0)
      await writeFile(`${mark}.go`, '')
      expect((await settled(context.drover, job.id, context.deadlineMs)).state).toBe('succeeded')
      expect(await filesHolding(context.home, secret)).toEqual([])
      const events = []
      for await (const event of context.drover.events({ jobs: [job.id], after: 0, signal: AbortSignal.timeout(5_000) })) events.push(event)
      expect(events.length).toBeGreaterThan(0)
      const told = [events, await context.drover.get(job.id), await context.drover.explain(job.id), await context.drover.status()]
      expect(JSON.stringify(told)).not.toContain(secret)
    },
  },
  {
    name: 'stdin is closed',
    run: async (context) => {
      const job = await runToEnd(context, { run: 'if read line; then echo "got $line"; else echo end; fi' })
      expect((await readLog(context.drover, job.id)).toString()).toBe('end\n')
    },
  },
  {
    name: 'the environment of the client is not carried over',
    run: async (context) => {
      process.env['DROVER_CASE_CLIENT_ONLY'] = 'leaked'
      try {
        const job = await runToEnd(context, { run: 'echo "[$DROVER_CASE_CLIENT_ONLY]"' })
        expect((await readLog(context.drover, job.id)).toString()).toBe('[]\n')
      } finally {
        delete process.env['DROVER_CASE_CLIENT_ONLY']
      }
    },
  },
]
