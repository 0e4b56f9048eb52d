import { compilePrologue, prependPrologue } from '../driver/prologue.ts'
import { InputError } from '../errors.ts'
import { compileMountScript, copiedUri } from '../packaging/mount-script.ts'
import { describeGpus, matchesGpu } from '../targets/gpu-match.ts'
import type { Target } from '../targets/target.ts'
import { containerImageOf } from '../task/container.ts'
import type { ResourceCandidate, TaskSpec } from '../task/task-spec.ts'
import type { Capabilities } from './capabilities.ts'
import type { ResolvedTask, SiteFacts } from './executor.ts'
import { containerOf, prepareContainer } from './prepare-container.ts'
import { prepareRun } from './prepare-run.ts'
import { isKindOption } from './task-options.ts'

/** What resolving a task needs to know beside the task. */
export interface ResolveContext {
  readonly target: string
  readonly kind: string
  readonly capabilities: Capabilities
  readonly site: SiteFacts
  /** Kept with the job; its prologue runs before setup and run. */
  readonly definition?: Target
  /** Other configured targets, for naming those that could honour a refused key. */
  readonly others: readonly { readonly name: string; readonly capabilities: Capabilities }[]
  /** Where the bundler put the code; absent: an empty directory. */
  readonly code?: ResolvedTask['code']
  readonly upstreams: Readonly<Record<string, string>>
}

/** Keys of a task as `refusedKeys` names them: top level, `resources.x`, and the forms of file mounts. */
function usedKeys(spec: TaskSpec, candidate: ResourceCandidate, { containers }: Capabilities): readonly string[] {
  const mounts = spec.fileMounts.flatMap((mount) =>
    copiedUri(mount) !== undefined ? ['file_mounts.uri'] : mount.source.kind === 'storage' ? ['file_mounts.storage'] : [],
  )
  const inactive = (key: string, value: unknown): boolean =>
    value === undefined ||
    value === null ||
    (key === 'use_spot' && value === false) ||
    (key === 'image_id' && containers && containerImageOf(value) !== undefined)
  const resources = Object.entries(candidate.raw).flatMap(([key, value]) => (inactive(key, value) ? [] : [`resources.${key}`]))
  const own = [
    ...(spec.remoteScript === undefined ? [] : ['remote_script']),
    ...(Object.keys(spec.options ?? {}).some((name) => !isKindOption(name, spec.options)) ? ['options'] : []),
  ]
  return [...Object.keys(spec.foreign), ...own, ...resources, ...mounts]
}

function refuse(spec: TaskSpec, context: ResolveContext, key: string, reason: string, own?: string): InputError {
  const able = context.others.filter((other) => other.capabilities.refusedKeys[key] === undefined).map((other) => other.name)
  const hint =
    own !== undefined
      ? own
      : able.length > 0
        ? `Targets that can: ${able.join(', ')} (use --on).`
        : 'No configured target can honour it; remove the key, or add a target of a kind that can.'
  return new InputError(
    'unsupported',
    `task ${spec.name ?? ''}: target "${context.target}" (${context.kind}) cannot honour "${key}": ${reason}`.replace('task :', 'task:'),
    { hint },
  )
}

interface Fit {
  readonly perNode: ResolvedTask['perNode']
  readonly problem?: { readonly key: string; readonly why: string }
}

function fitCandidate(spec: TaskSpec, candidate: ResourceCandidate, context: ResolveContext): Fit {
  const { site } = context
  const empty = { cpus: 1, gpus: 0 }
  const slots = context.capabilities.capacity === 'slots'
  const cpus = candidate.cpus?.value ?? (spec.cpusPerProcess ?? 1) * (spec.processesPerNode ?? 1)
  const memoryBytes = candidate.memoryBytes?.value
  if (slots && cpus > site.cpus) {
    return {
      perNode: empty,
      problem: { key: 'resources.cpus', why: `it asks for ${cpus} cores per node and the target gives ${site.cpus}` },
    }
  }
  if (slots && memoryBytes !== undefined && memoryBytes > site.memoryBytes) {
    const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`
    return {
      perNode: empty,
      problem: {
        key: 'resources.memory',
        why: `it asks for ${gigabytes(memoryBytes)} per node and the target gives ${gigabytes(site.memoryBytes)}`,
      },
    }
  }
  const base = { cpus, ...(memoryBytes === undefined ? {} : { memoryBytes }) }
  if (candidate.accelerators.length === 0) return { perNode: { ...base, gpus: 0 } }
  if (!slots) {
    const first = candidate.accelerators[0]
    return { perNode: { ...base, gpus: Math.ceil(first?.count ?? 0), ...(first ? { gpuType: first.type } : {}) } }
  }
  for (const choice of candidate.accelerators) {
    const wish = { gpuType: choice.type, ...(choice.minMemoryBytes === undefined ? {} : { gpuMemoryBytes: choice.minMemoryBytes }) }
    const gpus = Math.ceil(choice.count)
    if (site.gpus.filter((gpu) => matchesGpu(gpu, wish)).length >= gpus) return { perNode: { ...base, gpus, ...wish } }
  }
  const why = `it asks for ${askedGpus(candidate)} and the target gives ${describeGpus(site.gpus)}`
  return { perNode: empty, problem: { key: 'resources.accelerators', why } }
}

function askedGpus({ accelerators }: ResourceCandidate): string {
  return accelerators
    .map(({ type, count, minMemoryBytes }) => {
      const what = type === '*' ? `${count} GPUs` : `${type}:${count}`
      return minMemoryBytes === undefined ? what : `${what} of ${(minMemoryBytes / 1e9).toFixed(0)} GB`
    })
    .join(' or ')
}

/** As `fitCandidate`; of several nodes, as many as the task needs have to give it. */
function fitTarget(spec: TaskSpec, candidate: ResourceCandidate, context: ResolveContext): Fit {
  const { nodes } = context.site
  if (nodes === undefined) return fitCandidate(spec, candidate, context)
  const needed = spec.array ? 1 : spec.numNodes
  // One kind of device for all of its nodes: each alternative is looked at by itself.
  const choices = candidate.accelerators.length > 1 ? candidate.accelerators : [undefined]
  const tried = choices.map((choice) => {
    const alone = choice === undefined ? candidate : { ...candidate, accelerators: [choice] }
    return nodes.map((site) => fitCandidate(spec, alone, { ...context, site }))
  })
  for (const fits of tried) {
    const able = fits.filter((fit) => fit.problem === undefined)
    if (able[0] !== undefined && able.length >= needed) return able[0]
  }
  const able = Math.max(...tried.map((fits) => fits.filter((fit) => fit.problem === undefined).length))
  const problem = tried.flat().find((fit) => fit.problem !== undefined)?.problem
  const count = `${able} of ${nodes.length} nodes can give it, and it needs ${needed}`
  if (problem?.key === 'resources.accelerators') {
    const has = nodes.map(({ node, gpus }) => `${node} has ${describeGpus(gpus)}`).join(', ')
    return {
      perNode: { cpus: 1, gpus: 0 },
      problem: { key: problem.key, why: `it asks for ${askedGpus(candidate)} per node: ${has} (${count})` },
    }
  }
  if (problem === undefined)
    return { perNode: { cpus: 1, gpus: 0 }, problem: { key: 'num_nodes', why: `the target has ${nodes.length} nodes` } }
  return { perNode: { cpus: 1, gpus: 0 }, problem: { key: problem.key, why: `${problem.why} (${count})` } }
}

/** Picks the first resource candidate that the target can give, and refuses with the first one's reason when none fits. */
function resolveResources(
  spec: TaskSpec,
  context: ResolveContext,
): { readonly candidate: ResourceCandidate; readonly perNode: ResolvedTask['perNode'] } {
  let refusal: InputError | undefined
  for (const candidate of spec.resources.candidates) {
    const refused = usedKeys(spec, candidate, context.capabilities).find((key) => context.capabilities.refusedKeys[key] !== undefined)
    if (refused !== undefined) {
      refusal ??= refuse(spec, context, refused, context.capabilities.refusedKeys[refused] ?? '')
      continue
    }
    if (!context.capabilities.containers && containerOf(spec, candidate) !== undefined) {
      refusal ??= refuse(spec, context, spec.container === undefined ? 'resources.image_id' : 'container', 'it runs no containers')
      continue
    }
    if (spec.container?.runtime === 'pyxis' && context.capabilities.launchesContainers !== true) {
      refusal ??= refuse(spec, context, 'container.runtime', 'pyxis is a part of Slurm', 'Use docker, podman or apptainer here.')
      continue
    }
    const fit = fitTarget(spec, candidate, context)
    if (fit.problem === undefined) return { candidate, perNode: fit.perNode }
    // What another target has room for is known only when it is asked.
    refusal ??= refuse(
      spec,
      context,
      fit.problem.key,
      fit.problem.why,
      'Ask for less, or choose a larger target with --on: drover target list.',
    )
  }
  throw refusal ?? new InputError('invalid_task', `task ${spec.name ?? ''} has no resources candidate`)
}

/** Retries of SkyPilot's `job_recovery` (max_restarts_on_errors, recover_on_exit_codes), where the task has no `retries` of its own. */
function recoveryRetries(spec: TaskSpec, candidate: ResourceCandidate): ResolvedTask['retries'] {
  const recovery = candidate.raw['job_recovery']
  if (spec.retries.max > 0 || typeof recovery !== 'object' || recovery === null) return spec.retries
  const settings = recovery as Readonly<Record<string, unknown>>
  const restarts = settings['max_restarts_on_errors']
  const codes = settings['recover_on_exit_codes']
  const exitCodes = (Array.isArray(codes) ? codes : codes === undefined ? [] : [codes]).filter(
    (code): code is number => typeof code === 'number',
  )
  const max = typeof restarts === 'number' ? restarts : exitCodes.length > 0 ? 3 : 0
  const when = exitCodes.length > 0 ? exitCodes.map((exitCode) => ({ exitCode })) : spec.retries.when
  return { max, when, backoffMs: spec.retries.backoffMs }
}

/** How many elements of this size the target's slots hold. */
function elementsAtOnce(perNode: ResolvedTask['perNode'], site: SiteFacts): number {
  if (site.nodes !== undefined) return site.nodes.reduce((sum, node) => sum + elementsAtOnce(perNode, node), 0)
  const { cpus, memoryBytes, gpus } = perNode
  return Math.min(
    Math.floor(site.cpus / Math.max(cpus, 0.001)),
    gpus > 0 ? Math.floor(site.gpus.filter((gpu) => matchesGpu(gpu, perNode)).length / gpus) : Number.POSITIVE_INFINITY,
    memoryBytes ? Math.floor(site.memoryBytes / memoryBytes) : Number.POSITIVE_INFINITY,
  )
}

/** Applies a target's facts and every default. Throws InputError `unsupported` for what the target cannot honour. */
export function resolveTask(spec: TaskSpec, context: ResolveContext): ResolvedTask {
  const { capabilities, site } = context
  if (spec.numNodes > capabilities.maxNodes) throw refuse(spec, context, 'num_nodes', `it runs at most ${capabilities.maxNodes} nodes`)
  if (spec.array && spec.array.size > capabilities.maxArraySize) {
    throw refuse(spec, context, 'array', `it takes at most ${capabilities.maxArraySize} elements`)
  }
  if (spec.array && spec.numNodes > 1) throw refuse(spec, context, 'array', 'an array element runs on one node; set num_nodes: 1')
  const { candidate, perNode } = resolveResources(spec, context)
  const width = spec.array ? Math.max(1, Math.min(spec.array.size, spec.array.maxParallel ?? elementsAtOnce(perNode, site))) : 1
  const processesPerNode = spec.processesPerNode ?? Math.max(1, perNode.gpus)
  const launched = prepareRun(spec, {
    cpus: perNode.cpus,
    gpus: perNode.gpus,
    processesPerNode,
    sharedHome: site.sharedHome ?? site.nodes === undefined,
  })
  const { setup: contained, run } = prepareContainer(spec, candidate, launched, perNode.gpus)
  const prologue = context.definition?.prologue
  const parameters = spec.array?.elements.kind === 'matrix' ? spec.array.elements.parameters.map(({ name }) => name) : []
  const kept = [...Object.keys(spec.envs), ...Object.keys(spec.secrets), ...parameters]
  const before = prologue === undefined ? undefined : compilePrologue({ text: prologue, target: context.target, kept })
  const brought = compileMountScript(spec.fileMounts, spec.secrets)
  // What is brought from elsewhere comes to the node itself, before anything runs in a container.
  const setup = brought === undefined ? contained : prependPrologue(brought, contained ?? '')
  return {
    name: spec.name ?? 'task',
    target: context.target,
    ...(context.definition === undefined ? {} : { definition: context.definition }),
    numNodes: spec.numNodes,
    perNode,
    priority: candidate.priority ?? 0,
    envs: spec.envs,
    secretNames: Object.keys(spec.secrets),
    ...(setup === undefined ? {} : { setup: before === undefined ? setup : prependPrologue(before, setup) }),
    run: before === undefined ? run : { ...run, before },
    ...(context.code === undefined ? {} : { code: context.code }),
    mounts: spec.fileMounts.flatMap((mount) =>
      mount.source.kind === 'local' ? [{ destination: mount.destination, source: mount.source.path }] : [],
    ),
    ...(spec.array ? { array: { ...spec.array, width } } : {}),
    ...(spec.timeoutMs === undefined ? {} : { timeoutMs: spec.timeoutMs }),
    graceMs: spec.graceMs,
    processesPerNode,
    ...(spec.cpusPerProcess === undefined ? {} : { cpusPerProcess: spec.cpusPerProcess }),
    retries: recoveryRetries(spec, candidate),
    collect: spec.collect,
    notify: spec.notify,
    upstreams: context.upstreams,
    ...(candidate.autostop?.idleMs === undefined ? {} : { idleStopMs: candidate.autostop.idleMs }),
    spec: { ...spec, secrets: {} },
  }
}
