import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Job } from '../../src/jobs/drover.ts'
import { createTaskFile, settled, until } from '../../src/testing/index.ts'
import type { CaseTask } from '../../src/testing/task-values.ts'
import { textOf, written } from '../../src/testing/waiting.ts'
import type { SlurmHome } from './slurm-home.ts'

/** How long a test waits for one thing, ms: a node failure takes Slurm half a minute, on a busy machine more. */
export const PATIENCE_MS = 110_000

/** A job whose script notes each of its runs. */
export interface CountedJob {
  readonly id: string
  /** Holds a line `<rank or element> <attempt>` for each run. */
  readonly runs: string
}

/** Submits a task whose script notes that it runs before anything else; `run` is what it does then. */
export async function submitCounted(home: SlurmHome, task: CaseTask & { readonly run: string }): Promise<CountedJob> {
  const runs = join(home.directory, `runs-${randomUUID()}`)
  const [job] = await home.drover.submit(
    createTaskFile('hpc', {
      graceMs: 2_000,
      ...task,
      envs: { ...task.envs, RUNS: runs },
      run: `echo "\${DROVER_ARRAY_INDEX:-$DROVER_NODE_RANK} $DROVER_ATTEMPT" >>"$RUNS"\n${task.run}`,
    }),
  )
  if (job === undefined) throw new Error('submit gave no job')
  return { id: job.id, runs }
}

/** The first run of its script has begun. */
export async function hasBegun(job: CountedJob): Promise<void> {
  await written(job.runs, PATIENCE_MS)
}

/** Waits for a state; fails at once at an end that is another. */
export function reaches(home: SlurmHome, id: string, what: string, look: (job: Job) => boolean): Promise<Job> {
  return until(what, PATIENCE_MS, async () => {
    const job = await home.drover.get(id)
    return look(job) && job
  })
}

/** Its end; then: the script ran as often as it says, once by default, and no process of it is left on any machine. */
export async function endsCleanly(home: SlurmHome, job: CountedJob, runs: readonly string[] = ['0 1']): Promise<Job> {
  const ended = await settled(home.drover, job.id, PATIENCE_MS)
  await expectClean(home, job, runs)
  return ended
}

/** The script ran as often as that, and no process of the job is left on any machine. */
export async function expectClean(home: SlurmHome, job: CountedJob, runs: readonly string[]): Promise<void> {
  await until(`no process of ${job.id} on any machine`, 60_000, () => home.processesOfJob(job).length === 0).catch((error: unknown) => {
    throw new Error(home.processesOfJob(job).join('\n'), { cause: error })
  })
  const noted = ((await textOf(job.runs)) ?? '').split('\n').filter((line) => line !== '')
  expect(noted.toSorted()).toEqual([...runs].toSorted())
}

/** `State|ExitCode` of every row that accounting has of a native id. */
export function accounted(home: SlurmHome, nativeId: string | null): readonly string[] {
  return home
    .login(`sacct -X -D -n -P -j ${nativeId} -o State,ExitCode`)
    .split('\n')
    .filter((line) => line !== '')
}

/** The native id of a job that has one. */
export async function nativeIdOf(home: SlurmHome, id: string): Promise<string> {
  const job = await reaches(home, id, 'its native id', ({ native_id }) => native_id !== null)
  return job.native_id ?? ''
}

/** Accounting, which lags a little, has one row of a job, and that says so. */
export function untilAccounted(home: SlurmHome, nativeId: string | null, row: RegExp): Promise<boolean> {
  return until(`${row} in accounting`, 30_000, () => {
    const rows = accounted(home, nativeId)
    return rows.length === 1 && row.test(rows[0] ?? '')
  }) as Promise<boolean>
}
