import type { Drover, Job, JobEvent, LogChunk } from '../../src/jobs/drover.ts'

/** A job as the tests want it; every field can be replaced. */
export function fakeJob(part: Partial<Job> = {}): Job {
  return {
    id: 'k3v9x2',
    name: 'hello',
    target: 'local',
    kind: 'local',
    group: null,
    state: 'succeeded',
    cause: null,
    exit_code: 0,
    native_id: '4711',
    native_word: null,
    reason: null,
    attempt: 1,
    attempts: [],
    elements: null,
    ranks: [{ rank: 0, node: 'localhost', pid: 4711, state: 'succeeded', exit_code: 0, signal: null, killed_by_peer: false }],
    after: [],
    created_at: '2026-01-02T03:04:05.000Z',
    started_at: '2026-01-02T03:04:06.000Z',
    ended_at: '2026-01-02T03:04:07.000Z',
    checked_at: '2026-01-02T03:04:07.000Z',
    usage: { wall_ms: 1000, cpu_ms: 10, peak_memory_bytes: 1_048_576 },
    collected: null,
    directory: '/home/me/.drover/jobs/k3v9x2/1',
    ...part,
  }
}

/** A call the fake received. */
export interface FakeCall {
  readonly method: string
  readonly args: readonly unknown[]
}

/** Text as one log chunk. */
export function fakeChunk(text: string, part: Partial<LogChunk> = {}): LogChunk {
  return { attempt: 1, rank: 0, stream: 'stdout', file: '1/0.out', offset: 0, bytes: Buffer.from(text), ...part }
}

async function* iterate<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values
}

/** A `Drover` that records its calls and gives fixed answers; `answers` replaces methods. */
export function fakeDrover(answers: Partial<Drover> = {}): { readonly drover: Drover; readonly calls: FakeCall[] } {
  const calls: FakeCall[] = []
  const job = fakeJob()
  const event: JobEvent = { seq: 7, job: job.id, attempt: 1, at: job.created_at, type: 'state', data: { from: 'queued', to: 'running' } }
  const base: Drover = {
    submit: async (file) =>
      file.tasks.map((task, index) => fakeJob({ id: `job${index}`, name: task.name ?? 'task', state: 'created', exit_code: null })),
    plan: async (file) =>
      file.tasks.map((task) => ({
        name: task.name ?? 'task',
        target: task.target,
        kind: 'local',
        keys: [{ key: 'run', became: 'run.sh' }],
        warnings: [],
        places: [
          {
            node: '',
            attempt_dir: '/root/jobs/x/1',
            ranks: [0],
            command: ['sh', 'driver.sh'],
            files: [{ path: 'run.sh', mode: '0700', content: 'echo hi\n' }],
            env: { A: '1' },
          },
        ],
        secret_names: Object.keys(task.secrets),
        prologue: null,
        demand: { cpus: 1, memory_bytes: 0, gpus: 0 },
        after: [],
        native: null,
      })),
    list: async () => [job],
    get: async () => job,
    wait: async () => job,
    events: () => iterate([event]),
    elements: () => iterate([{ position: 0, state: 'succeeded', attempt: 1, exit_code: 0, signal: null, cause: null }]),
    logs: () => iterate([fakeChunk('hi\n')]),
    cancel: async () => fakeJob({ state: 'cancelled' }),
    retry: async () => fakeJob({ state: 'created', attempt: 2 }),
    settle: async () => fakeJob({ state: 'failed' }),
    remove: async (selectors) => ({ removed: [...selectors], warnings: [] }),
    fetch: async () => ({ directory: '/tmp/out', files: ['a.txt'] }),
    explain: async () => ({
      job,
      summary: 'It succeeded.',
      chain: [{ at: job.created_at, text: 'created' }],
      log_tail: null,
      log_error: null,
      next_step: 'Nothing to do.',
    }),
    locate: async (_selector, { rank = 0 } = {}) => ({
      job: job.id,
      attempt: 1,
      rank,
      state: 'running',
      node: 'localhost',
      kind: 'local',
      attempt_dir: '/root/jobs/x/1',
      work_dir: '/root/jobs/x/work/0',
      env_file: '/root/jobs/x/1/env',
      ended: false,
      container: false,
      enter: 'cd /root/jobs/x/work/0\n',
      address: null,
    }),
    prune: async () => ({ removed: [job.id], bytes: 1024, warnings: [] }),
    targets: async () => [],
    clusters: async () => [],
    checkTarget: async () => [{ check: 'shell', ok: true, detail: '/bin/sh', fix: null }],
    status: async () => ({
      pid: 1,
      version: '0.1.0',
      home: '/h',
      socket: '/h/s',
      host: 'host',
      started_at: job.created_at,
      jobs: { running: 1 },
      memory_bytes: 50_000_000,
      idle_exit_ms: null,
    }),
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
  const merged = { ...base, ...answers }
  const drover = new Proxy(merged, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key)
      if (typeof value !== 'function' || typeof key !== 'string' || key === 'then') return value
      return (...args: unknown[]) => {
        calls.push({ method: key, args })
        return Reflect.apply(value, target, args)
      }
    },
  })
  return { drover, calls }
}
