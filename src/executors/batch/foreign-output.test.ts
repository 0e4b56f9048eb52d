import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import type { Io, NativeObservation, NativeRef, TaskObservation } from '../executor.ts'
import { noteForeignOutput } from './foreign-output.ts'
import type { Scheduler } from './scheduler.ts'

const JOBS = 7

function ref(jobId: string): NativeRef {
  const place = { node: '', attemptDir: `/x/${jobId}/1`, workDir: '/x', files: [], ranks: [] }
  return { jobId, attempt: 1, nativeId: jobId, places: [place] } as unknown as NativeRef
}

/** A scheduler whose command prints the id that it is asked for; a job fails with 200, an array by its task 4. */
const scheduler = {
  outputOf: {
    command: (id: string) => `echo 'of ${id}'; echo more`,
    parse({ stdout }: { readonly stdout: string }) {
      const id = /^of (.*)/.exec(stdout)?.[1]
      return {
        files: [{ stdout: `/out/${id}` }],
        exits:
          id === 'arr'
            ? [
                { task: 3, code: 1, signal: 0 },
                { task: 4, code: 200, signal: 0 },
              ]
            : [{ code: 200, signal: 0 }],
      }
    },
  },
} as unknown as Scheduler

test('scripts that are not ours are asked for together, as one question, and the code of each is told', async () => {
  const [runs, written, questions] = [[] as string[], [] as string[], { count: 0 }]
  const io = {
    signal: new AbortController().signal,
    now: () => 0,
    log: { warn: (text: string) => expect.fail(text) },
    onQuery: () => (questions.count += 1),
    transport: {
      async run(script: string) {
        runs.push(script)
        return { code: 0, stdout: execFileSync('sh', ['-c', script], { encoding: 'utf8' }), stderr: '' }
      },
      read: async () => [undefined],
      write: async (_: unknown, files: readonly { readonly path: string }[]) => written.push(...files.map(({ path }) => path)),
    },
  } as unknown as Io
  const failed = { kind: 'state', word: 'FAILED', state: 'failed', cause: 'exit' } as const
  const names = Array.from({ length: JOBS }, (_, index) => `j${index}`)
  const results = new Map<string, NativeObservation>(names.map((name) => [`${name}/1`, failed]))
  const tasks = new Map<number, TaskObservation>([
    [3, { kind: 'state', word: 'COMPLETED', state: 'succeeded' }],
    [4, failed],
  ])
  results.set('arr/1', { ...failed, tasks })
  const known = new Map()
  const refs = [...names, 'arr'].map(ref)
  const noted = await noteForeignOutput(scheduler, refs, results, known, io)
  expect([...noted.values()].map((each) => (each.kind === 'state' ? each.exitCode : each))).toEqual(Array(JOBS + 1).fill(200))
  expect(written).toHaveLength(JOBS + 1)
  expect([runs.length, questions.count]).toEqual([1, 1])
  await noteForeignOutput(scheduler, refs, results, known, io)
  expect([runs.length, questions.count], 'nothing has changed').toEqual([1, 1])
})
