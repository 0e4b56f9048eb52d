import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { InputError } from '../../errors.ts'
import { parseDuration } from '../../task/durations.ts'
import { isName } from '../../task/names.ts'
import { nearestName } from '../../task/nearest-name.ts'
import type { TaskInput } from '../../task/task-input.ts'
import type { WorkerCall } from '../../workflow/calls/worker-call.ts'
import type { FileSight } from './file-sight.ts'
import { compileCallScript, type WritingRanks } from './job-script.ts'
import { STAGED_ROOT } from './staged-call.ts'
import type { FoundWorker } from './worker-command.ts'

/**
 * Keys of a task file that a job of worker calls takes as they are. Of the others the executor fills in `run`, `array`, `name`,
 * `target`.
 */
export const JOB_TASK_KEYS = [
  ...['num_nodes', 'resources', 'envs', 'secrets', 'workdir', 'file_mounts', 'setup', 'retries', 'timeout', 'grace'],
  ...['processes_per_node', 'cpus_per_process', 'image', 'container', 'launcher', 'options', 'notify'],
] as const satisfies readonly (keyof TaskInput)[]

/** What is said of a job of worker calls. */
export type JobTask = Pick<TaskInput, (typeof JOB_TASK_KEYS)[number]>

/** Throws InputError `invalid_argument` on a key that is no part of a `JobTask`. The values are checked with the task itself. */
export function checkJobTask(task: Readonly<Record<string, unknown>>): void {
  for (const key of Object.keys(task)) {
    if (TAKEN.has(key)) continue
    const nearest = nearestName(key, JOB_TASK_KEYS)
    throw new InputError('invalid_argument', `a job of worker calls has no task key "${key}"`, {
      hint: OWN[key] ?? (nearest === undefined ? `Use ${JOB_TASK_KEYS.join(', ')}.` : `Did you mean "${nearest}"?`),
    })
  }
  const launcher = launcherKind(task['launcher'])
  if (launcher === 'optuna')
    throw new InputError('invalid_argument', 'the launcher optuna runs a command once per trial, and a worker call is run once', {
      hint: 'Leave the launcher out, or use mpirun, torchrun or distributed.',
    })
}

const TAKEN: ReadonlySet<string> = new Set(JOB_TASK_KEYS)
const OWN: Readonly<Record<string, string>> = {
  run: 'The command of a worker is the option command.',
  array: 'Calls of one map become an array by themselves.',
  name: 'Jobs are named by worker and task.',
  target: 'The target is an option of the executor.',
  after: 'The graph says what comes after what.',
  collect: 'Outputs are brought back by themselves.',
}

function launcherKind(launcher: unknown): string | undefined {
  if (typeof launcher === 'string') return launcher
  const kind = typeof launcher === 'object' && launcher !== null ? (launcher as Readonly<Record<string, unknown>>)['kind'] : undefined
  return typeof kind === 'string' ? kind : undefined
}

/** Who writes a call's outputs, by the task's nodes and launcher; see `WritingRanks`. */
export function writingRanksOf(task: JobTask): WritingRanks {
  const kind = launcherKind(task.launcher)
  if (kind !== undefined && kind !== 'single') return 'first_rank'
  return (task.num_nodes ?? 1) > 1 ? 'first_node' : 'all'
}

/** Of one job. */
export interface JobDocument {
  readonly calls: readonly WorkerCall[]
  readonly key: string
  readonly target: string
  readonly task: JobTask
  readonly worker: FoundWorker
  readonly sight: FileSight
  readonly writing: WritingRanks
  /** Staged: the checkpoints directory made for the job. Undefined for a plan that packages nothing. */
  readonly stage?: string
  /** Most elements at one time. */
  readonly maxElements?: number
}

/** Name of a call's job: worker and task, and twelve digits of the hash of its key, by which it is found. */
export function jobNameOf({ worker, task }: Pick<WorkerCall, 'worker' | 'task'>, key: string): string {
  const plain = `${worker}.${task}`.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-|-$/g, '')
  const hash = createHash('sha256').update(key).digest('hex').slice(0, 12)
  const name = `${plain.slice(0, 100).replace(/-$/, '')}-${hash}`
  return isName(name) ? name : `call-${hash}`
}

/**
 * The task of a call's job, or of the array of several calls: the user's keys, the worker's command with the path of the call's
 * arguments, and where files travel, the work directory that carries them.
 */
export function compileJobDocument(document: JobDocument): TaskInput {
  const { calls, key, target, task, worker, sight, writing, stage, maxElements } = document
  const [first] = calls
  if (first === undefined) throw new InputError('internal', 'a job of no calls')
  const { workdir: _, image, ...others } = task
  const place = sight === 'shared' ? sharedPlace(first.root, task, worker) : stagedPlace(task, worker, stage)
  const run = compileCallScript({
    root: sight === 'shared' ? first.root : { inWorkDir: STAGED_ROOT },
    ...(place.directory === undefined ? {} : { directory: place.directory }),
    command: worker.command,
    ...(calls.length > 1 ? {} : { argsPath: first.argsPath }),
    writing,
    variables: worker.variables === true,
    given: task.envs ?? {},
  })
  const timeoutMs = shortest(task.timeout, first.timeoutMs)
  return {
    ...others,
    // As `container` where it also needs mounts.
    ...(image === undefined || 'container' in place.keys ? {} : { image }),
    ...place.keys,
    name: jobNameOf(first, key),
    target,
    run,
    ...(timeoutMs === undefined ? {} : { timeout: `${timeoutMs}ms` }),
    ...(calls.length > 1
      ? {
          array: {
            values: calls.map(({ argsPath }) => argsPath),
            ...(maxElements === undefined ? {} : { max_parallel: maxElements }),
          },
        }
      : {}),
  }
}

interface Place {
  readonly directory?: string
  readonly keys: Partial<TaskInput>
}

/** Where the user names no work directory, the worker runs in its own folder, as upstream has it. */
function sharedPlace(root: string, task: JobTask, worker: FoundWorker): Place {
  const folder = task.workdir === undefined ? worker.directory : undefined
  const directory = folder === undefined ? undefined : join(folder, worker.inside ?? '')
  const seen = [root, ...(folder === undefined ? [] : [folder])]
  return {
    ...(directory === undefined ? {} : { directory }),
    keys: { ...(task.workdir === undefined ? {} : { workdir: task.workdir }), ...mounted(task, seen) },
  }
}

/** A container sees what is mounted: here the run's directory and the worker's folder, under their own names. */
function mounted(task: JobTask, paths: readonly string[]): Partial<TaskInput> {
  const { image, container } = task
  if (image === undefined && container === undefined) return {}
  const given = typeof container === 'string' ? { image: container } : (container ?? (image === undefined ? {} : { image }))
  const mounts = [...('mounts' in given ? (given.mounts ?? []) : []), ...paths.map((path) => ({ source: path, target: path }))]
  return { container: { ...given, mounts } }
}

/** The call's files and, unless it lies on the target already, the worker's folder are the parts of the work directory. */
function stagedPlace(task: JobTask, worker: FoundWorker, stage: string | undefined): Place {
  const { workdir } = task
  const link = linkOf(workdir)
  if (typeof workdir === 'object' && ('parts' in workdir || 'none' in workdir) && (workdir.parts ?? workdir.none) !== undefined)
    throw new InputError(
      'invalid_argument',
      'the work directory of a job whose files are staged is one source of code, not parts or none',
      {
        hint: 'Name a directory, a repository, patterns, or {link: PATH} for code that lies on the target.',
      },
    )
  const code = link !== undefined ? undefined : (workdir ?? codeOf(worker))
  const directory = link ?? (code === undefined ? undefined : join('worker', workdir === undefined ? (worker.inside ?? '') : ''))
  if (stage === undefined) return { ...(directory === undefined ? {} : { directory }), keys: {} }
  const parts = {
    [STAGED_ROOT]: { directory: stage, ignore_files: false },
    ...(code === undefined ? {} : { worker: code }),
  }
  return {
    ...(directory === undefined ? {} : { directory }),
    keys: { workdir: { parts } as NonNullable<TaskInput['workdir']> },
  }
}

/** What of a worker's folder travels. */
function codeOf({ directory, only }: FoundWorker): object | undefined {
  if (directory === undefined) return undefined
  return only === undefined ? { directory } : { patterns: [only.replace(/[\\*?[\]{}!]/g, '\\$&')], root: directory }
}

function linkOf(workdir: JobTask['workdir']): string | undefined {
  return typeof workdir === 'object' && 'link' in workdir && typeof workdir.link === 'string' ? workdir.link : undefined
}

function shortest(own: JobTask['timeout'], ofCall: number | undefined): number | undefined {
  const ownMs = own === undefined ? undefined : parseDuration(own)
  // A duration that can't be read is refused with the task.
  if (own !== undefined && ownMs === undefined)
    throw new InputError('invalid_argument', `timeout: ${JSON.stringify(own)} is no duration`, { hint: 'Write 90s, 10m or 1h30m.' })
  if (ownMs === undefined || ofCall === undefined) return ownMs ?? ofCall
  return Math.min(ownMs, ofCall)
}

/** Where a job's stage is made: beside the arguments of its first call. */
export function stageDirectory({ directory }: Pick<WorkerCall, 'directory'>): string {
  return join(directory, `drover-stage-${crypto.randomUUID()}`)
}
