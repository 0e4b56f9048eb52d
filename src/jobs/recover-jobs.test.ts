import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { JobControl } from './job-context.ts'
import { recoverJobs } from './recover-jobs.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

test('targets that do not answer hold a supervisor up for 5 s in all, and nobody else’s jobs', async () => {
  const rows = ['hung', 'hung', 'silent', 'well'].map((target, at) => ({
    id: `j${at}`,
    target,
    state: 'running',
    attempt: 1,
    task: '{}',
    nativeId: '7',
  }))
  const [adopted, later, warned, begun] = [[] as string[], [] as Promise<void>[], [] as string[], vi.fn()]
  const ready = new Map<string, unknown>()
  const stopping = new AbortController()
  const well = { adopt: async ({ id }: { readonly id: string }) => adopted.push(id) > 0 }
  const control = {
    store: {
      openJobs: async () => rows,
      job: async (id: string) => rows.find((row) => row.id === id),
      attempts: async () => [{ number: 1 }],
    },
    graph: { restore: async () => ({ begin: begun }) },
    companions: { add: async () => {} },
    targets: {
      opened: ({ target }: { readonly target: string }) => ready.get(target),
      open: async ({ target }: { readonly target: string }) => {
        if (target !== 'well') return await new Promise(() => {})
        ready.set(target, well)
        return well
      },
    },
    log: { warn: (text: string) => warned.push(text) },
    own: (work: Promise<void>) => later.push(work),
    signal: stopping.signal,
    now: () => 0,
  } as unknown as JobControl
  let isOver = false
  const recovering = recoverJobs(control).then(() => {
    isOver = true
  })
  await vi.advanceTimersByTimeAsync(4_900)
  expect([isOver, adopted]).toEqual([false, []])
  await vi.advanceTimersByTimeAsync(100)
  await recovering
  expect(adopted).toEqual(['j3'])
  expect(begun).toHaveBeenCalledOnce()
  expect(warned).toEqual([0, 1, 2].map((at) => `job j${at}: its target has not answered within 5 s; it is taken over when it does`))
  expect(later).toHaveLength(3)
  stopping.abort()
  await Promise.allSettled(later)
})
