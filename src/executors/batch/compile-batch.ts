import type { DriverAllocation } from '../../driver/driver-options.ts'
import { quoteShell } from '../../driver/quote.ts'
import { DroverError, InputError } from '../../errors.ts'
import { masterPortOf } from '../../launchers/master-port.ts'
import type { SchedulerFacts } from '../../targets/site-facts.ts'
import { arrayPositions } from '../array-positions.ts'
import { compilePlace } from '../compile-place.ts'
import type { KeyOutcome, Plan, PlanFor, PlannedFile, ResolvedTask, SiteFacts } from '../executor.ts'
import { keyOutcomes } from '../key-outcomes.ts'
import { taskOptions } from '../task-options.ts'
import { workDirOf } from '../work-dir.ts'
import { headOf, heldJobFiles, holderOptions, withAgent } from './held-job.ts'
import { nativeName, partName } from './native-name.ts'
import type { Scheduler, SubmitScript } from './scheduler.ts'

/** A batch executor's own part of a plan. */
export interface BatchRefs {
  /** What is submitted, in this order: one script, or the parts of an array that is longer than the site takes. */
  readonly scripts: readonly SubmitScript[]
  /** Tasks of each part of a native array; empty for a job that is none. */
  readonly parts: readonly { readonly first: number; readonly count: number }[]
}

/** Variable in which a task of a native array finds its number among all tasks of the attempt. */
const TASK_VARIABLE = 'DROVER_NATIVE_TASK'

/** What a site's scheduler told; a batch target is not used without. */
export function schedulerFacts(site: SiteFacts): SchedulerFacts {
  if (site.scheduler !== undefined) return site.scheduler
  throw new DroverError('internal', 'the facts of the scheduler are missing', { level: 'internal' })
}

/** Options that all batch kinds share: `pack` elements of an array in one task of the scheduler, `slots` of them at a time. */
function packing(options: Readonly<Record<string, unknown>>, elements: number): { readonly chunk: number; readonly slots: number } {
  const pack = options['pack']
  const slots = typeof options['pack_slots'] === 'number' ? options['pack_slots'] : 1
  if (pack === 'all') return { chunk: elements, slots }
  return { chunk: typeof pack === 'number' ? Math.min(pack, elements) : 1, slots }
}

/**
 * Compiles a task for a batch system: one place on the file system that login and compute nodes share, whose `job.sh` is
 * what is submitted: the scheduler's directives, then our driver.
 *
 * @throws InputError `unsupported` as the scheduler's own compiler does
 */
export function compileBatch<Options>(scheduler: Scheduler<Options>, given: ResolvedTask, site: SiteFacts, as: PlanFor): Plan<BatchRefs> {
  // Of nodes that are held, the head node alone runs something of ours.
  const task = withAgent(scheduler, given, site)
  const holds = task.spec.holder !== undefined
  const facts = schedulerFacts(site)
  const asked = { ...task.definition?.options, ...taskOptions(task.spec, scheduler.kind) }
  const written = holds ? holderOptions(scheduler, asked) : asked
  const options = scheduler.parseOptions(written)
  const attemptDir = `${site.root}/jobs/${as.jobId}/${as.attempt}`
  const workDir = workDirOf(task, site.root, as.jobId, 0)
  const positions = arrayPositions(task)
  const { chunk, slots } = packing(written, positions.length)
  const tasks = task.array ? Math.ceil(positions.length / chunk) : 0
  const name = nativeName(as.jobId, as.attempt)
  // Parts of equal length, as few as the site's largest array allows.
  const partCount = Math.ceil(tasks / Math.max(1, facts.maxArraySize))
  const partSize = Math.ceil(tasks / Math.max(1, partCount))
  const parts = Array.from({ length: partCount }, (_, part) => ({
    first: part * partSize,
    count: Math.min(partSize, tasks - part * partSize),
  }))
  // Setup has a time limit of its own where elements have theirs.
  const rounds = task.array ? Math.ceil(chunk / slots) + (task.setup === undefined ? 0 : 1) : 1
  const request = (part?: { readonly count: number }, suffix = name) => ({
    task: { ...given, perNode: demandOf(given, slots) },
    ...(task.timeoutMs === undefined ? {} : { limitMs: task.timeoutMs * rounds + task.graceMs }),
    options,
    site,
    facts,
    jobId: as.jobId,
    attempt: as.attempt,
    nativeName: suffix,
    attemptDir,
    workDir,
    after: as.after ?? [],
    ...(part === undefined
      ? {}
      : {
          array: {
            first: 0,
            last: part.count - 1,
            ...(task.array?.maxParallel === undefined
              ? {}
              : { atOnce: Math.max(1, Math.floor(task.array.maxParallel / slots / parts.length)) }),
          },
        }),
  })
  const single = parts.length < 2
  const heads = (task.array ? parts : [undefined]).map((part, index) => {
    const suffix = single ? name : partName(name, index)
    return { part, nativeName: suffix, file: single ? 'job.sh' : `job-${index}.sh`, head: scheduler.compile(request(part, suffix)) }
  })
  const [first] = heads
  if (first === undefined) throw new DroverError('internal', `job ${as.jobId} has no script`, { level: 'internal' })
  const { remoteScript } = task.spec
  const scripts = heads.map(
    ({ nativeName: own, file, head }): SubmitScript =>
      remoteScript === undefined
        ? { kind: 'ours', file, nativeName: own }
        : { kind: 'foreign', ...remoteScript, nativeName: own, options: head.foreignOptions },
  )
  const allocation = holds ? headOf(first.head.allocation) : first.head.allocation
  const place = compilePlace({
    task,
    facts: { ...site, gpus: [], tools: withoutNvidia(site.tools) },
    jobId: as.jobId,
    attempt: as.attempt,
    kind: scheduler.kind,
    node: '',
    attemptDir,
    ranks: Array.from({ length: task.numNodes }, (_, rank) => ({ rank, node: '', ip: '', workDir })),
    nodes: Array.from({ length: task.numNodes }, () => ({ node: '', ip: '' })),
    devices: [],
    positions,
    width: task.array ? slots : 1,
    gate: false,
    allocation: task.array ? { ...allocation, task: { variable: TASK_VARIABLE, offset: 0, count: tasks, chunk } } : allocation,
    ...(task.spec.launcher === undefined ? {} : { env: { DROVER_MASTER_PORT: String(masterPortOf(as.jobId, as.attempt)) } }),
  })
  const jobScripts = heads.map(({ part, file, head }): PlannedFile => {
    const index =
      part === undefined
        ? []
        : [`${TASK_VARIABLE}=$((${allocation.task?.variable ?? 'DROVER_NO_TASK'} + ${part.first}))`, `export ${TASK_VARIABLE}`]
    const lines = ['#!/bin/sh', ...head.directives, ...(head.before ?? []), ...index, ...startOf(allocation, `${attemptDir}/driver.sh`)]
    return { path: file, mode: 0o700, content: `${lines.join('\n')}\n` }
  })
  const plan: Plan<BatchRefs> = {
    version: 1,
    kind: scheduler.kind,
    target: task.target,
    jobId: as.jobId,
    attempt: as.attempt,
    places: [
      remoteScript === undefined
        ? {
            ...place,
            directories: [...place.directories, ...(holds ? ['cluster'] : [])],
            files: [...jobScripts, ...(holds ? heldJobFiles : []), ...place.files],
          }
        : { ...place, files: [], ranks: [] },
    ],
    ...(task.code === undefined ? {} : { code: task.code }),
    mounts: task.mounts,
    ...(task.bundlesFrom === undefined ? {} : { bundlesFrom: task.bundlesFrom }),
    secretNames: task.secretNames,
    ranks: Array.from({ length: remoteScript === undefined ? task.numNodes : 0 }, (_, rank) => ({ rank, node: '' })),
    elements: positions,
    width: task.array ? tasks * slots : 1,
    demand: { cpus: 0, memoryBytes: 0, gpus: 0 },
    graceMs: task.graceMs,
    keys: withKeys(keyOutcomes(task, attemptDir, tasks * slots, `${task.numNodes} of the allocation`), first.head.keys),
    warnings: first.head.warnings,
    refs: { scripts, parts },
  }
  return Object.freeze(plan)
}

/** A signal that warns of the limit may come at once: it must not end the shell that is about to wait for it. */
function startOf({ warning }: DriverAllocation, driver: string): readonly string[] {
  return warning === undefined ? [`exec sh ${quoteShell(driver)}`] : [`trap : ${warning.received}`, `. ${quoteShell(driver)}`]
}

/** What one task of the scheduler needs for elements that run side by side in it. */
function demandOf({ name, perNode }: ResolvedTask, slots: number): ResolvedTask['perNode'] {
  if (slots === 1) return perNode
  if (perNode.gpus > 0)
    throw new InputError(
      'unsupported',
      `task ${name}: pack_slots is ${slots}, and elements that run side by side would share the same GPUs`,
      {
        hint: 'Leave pack_slots out: packed elements run one after another, each with all GPUs of its task.',
      },
    )
  const { cpus, memoryBytes } = perNode
  return { ...perNode, cpus: cpus * slots, ...(memoryBytes === undefined ? {} : { memoryBytes: memoryBytes * slots }) }
}

/** The login node's devices are none of the job's: those the scheduler gives. */
function withoutNvidia({ 'nvidia-smi': _, ...tools }: SiteFacts['tools']): SiteFacts['tools'] {
  return tools
}

function withKeys(general: readonly KeyOutcome[], own: readonly KeyOutcome[]): readonly KeyOutcome[] {
  const better = new Map(own.map(({ key, became }) => [key, became]))
  return general.map(({ key, became }) => ({ key, became: better.get(key) ?? became }))
}
