import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { ResolvedTask } from '../executors/executor.ts'
import type { JobContext } from './job-context.ts'
import { readJob } from './read-job.ts'

/** A notify command that runs longer is ended. */
const NOTIFY_LIMIT_MS = 60_000

/** Runs the `notify` commands that a change calls for, one after the other: its start, then its end. */
export async function notifyOf(
  task: ResolvedTask | undefined,
  jobId: string,
  { started, ended }: { readonly started: boolean; readonly ended: boolean },
  context: JobContext,
): Promise<void> {
  if (started && task?.notify.onStart !== undefined) await notifyClient(task, jobId, 'start', context)
  if (ended && task?.notify.onEnd !== undefined) await notifyClient(task, jobId, 'end', context)
}

/** Runs a `notify` command on the client's side, in the directory of the task file, with the job as JSON on stdin. */
async function notifyClient(task: ResolvedTask, jobId: string, when: 'start' | 'end', context: JobContext): Promise<void> {
  const command = when === 'end' ? task.notify.onEnd : task.notify.onStart
  const job = await readJob(context.store, jobId)
  if (command === undefined || job === undefined) return
  const child = spawn('sh', ['-c', command], {
    cwd: task.spec.baseDirectory,
    stdio: ['pipe', 'ignore', 'pipe'],
    signal: context.signal,
    timeout: NOTIFY_LIMIT_MS,
    env: { ...process.env, DROVER_JOB_ID: jobId, DROVER_JOB_STATE: job.state },
  })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString('utf8')).slice(-2000)
  })
  // A command that does not read its stdin closes it early; that is its right.
  child.stdin.on('error', () => undefined)
  child.stdin.end(`${JSON.stringify(job)}\n`)
  let problem: string | undefined
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
    if (code !== 0) problem = `ended with ${code ?? signal}: ${stderr.trim()}`
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error)
  }
  if (problem === undefined || context.signal.aborted) return
  await context.writer.apply({ jobId, at: context.now(), events: [{ type: 'warning', data: { warning: `notify.on_${when} ${problem}` } }] })
}
