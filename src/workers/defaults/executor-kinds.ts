import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import type { Drover } from '../../jobs/drover.ts'
import { anything, dict, either, flag, list, text, whole, word } from '../../task/shape.ts'
import { checkJobTask, JOB_TASK_KEYS, type JobTask } from '../job/job-document.ts'
import { jobSpecToTask } from '../job/job-spec.ts'
import type { ExecutorKind } from '../multiple/parse-executors.ts'
import { registriesOf, registryShape, SCRIPT_KINDS } from '../multiple/script-kinds.ts'
import { createUvExecutor } from '../uv/uv-executor.ts'
import { lazyExecutor } from './lazy-executor.ts'

const MOST_JOBS = 10_000

/** What a run's executors need from outside. */
export interface ExecutorWorld {
  /** Opens Drover, for executors that run jobs; asked at their first call. */
  readonly drover: () => Promise<Drover>
  /** Told once why a worker can't be kept warm. Default: nobody. */
  readonly onNote?: (note: string) => void
}

interface UvOptions {
  readonly registry?: string | readonly string[] | null
  readonly env?: Readonly<Record<string, string>> | null
  readonly python?: string | null
  readonly warm?: boolean | null
  readonly offline?: boolean | null
  readonly max_parallel?: number | null
}

interface JobOptions extends JobTask {
  readonly target?: string
  readonly registry?: string | null
  readonly command?: string | readonly string[] | null
  readonly files?: string | null
  readonly ranks?: string | null
  readonly arrays?: boolean | null
  readonly max_elements?: number | null
  readonly job_spec?: Readonly<Record<string, unknown>> | null
  readonly max_parallel?: number | null
}

/** Every kind of executor that a document of executors can name: `uv`, `shell`, `stdinout`, `custom`, `job`. */
export function executorKinds(world: ExecutorWorld): Readonly<Record<string, ExecutorKind>> {
  return { uv: uvKind(world), ...SCRIPT_KINDS, job: jobKind(world) }
}

function uvKind({ onNote }: ExecutorWorld): ExecutorKind {
  return {
    keys: { registry: registryShape, env: dict(text()), python: text(), warm: flag, offline: flag, max_parallel: whole(1) },
    create: (options: UvOptions, { directory }) => {
      const registries = registriesOf(options.registry, directory)
      const most = options.max_parallel ?? availableParallelism()
      const chosen = {
        registries: registries.length === 0 ? [resolve(directory, 'workers')] : registries,
        maxParallel: most,
        ...(onNote === undefined ? {} : { onNote }),
        ...(options.env ? { env: options.env } : {}),
        ...(options.python ? { python: options.python } : {}),
        ...(typeof options.warm === 'boolean' ? { warm: options.warm } : {}),
        ...(typeof options.offline === 'boolean' ? { offline: options.offline } : {}),
      }
      return lazyExecutor('uv', most, () => createUvExecutor(chosen))
    },
  }
}

function jobKind(world: ExecutorWorld): ExecutorKind {
  return {
    keys: {
      target: text(),
      registry: text(),
      command: either('a command line, or a list of words', text(), list(text(), { min: 1 })),
      files: word('auto', 'shared', 'staged'),
      ranks: word('first_rank', 'all'),
      arrays: flag,
      max_elements: whole(1),
      job_spec: dict(anything),
      max_parallel: whole(1),
      // The task's own schema checks their values.
      ...Object.fromEntries(JOB_TASK_KEYS.map((key) => [key, anything])),
    },
    required: ['target'],
    create: (options: JobOptions, { directory }) => {
      const { target = '', registry: folder, command, files, ranks, arrays, max_elements, max_parallel, job_spec, ...task } = options
      checkJobTask(task)
      const most = max_parallel ?? MOST_JOBS
      return lazyExecutor('job', most, async () => {
        // With it come targets, transports and the drivers of jobs, which a run without jobs has no use for.
        const { createJobExecutor } = await import('../job/job-executor.ts')
        const drover = await world.drover()
        const spec = job_spec ? await specOf(drover, target, job_spec, directory, world) : undefined
        return createJobExecutor({
          drover,
          target,
          task: { ...spec?.task, ...task },
          clientDirectory: directory,
          maxParallel: most,
          ...(folder ? { registry: resolve(directory, folder) } : {}),
          ...(command ? { command } : spec === undefined ? {} : { command: spec.command }),
          ...(files === 'shared' || files === 'staged' || files === 'auto' ? { files } : {}),
          ...(ranks === 'all' || ranks === 'first_rank' ? { ranks } : {}),
          ...(typeof arrays === 'boolean' ? { arrays } : {}),
          ...(max_elements ? { maxElements: max_elements } : {}),
        })
      })
    },
  }
}

/** Tierkreis's `JobSpec`, for a target of that kind. */
async function specOf(
  drover: Drover,
  target: string,
  document: Readonly<Record<string, unknown>>,
  directory: string,
  world: ExecutorWorld,
) {
  const targets = await drover.targets({ clientDirectory: directory })
  const spec = jobSpecToTask(document, targets.find(({ name }) => name === target)?.kind ?? 'local')
  for (const note of spec.notes) world.onNote?.(note)
  return spec
}
