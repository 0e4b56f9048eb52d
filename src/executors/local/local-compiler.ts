import { compileElements } from '../../driver/array-elements.ts'
import type { DriverOptions } from '../../driver/driver-options.ts'
import { compileDriver, compileNodeRunner } from '../../driver/driver-script.ts'
import { jobEnvironment } from '../../driver/job-environment.ts'
import { attemptPaths, BELL } from '../../driver/protocol.ts'
import { compileRunScript, compileSetupScript } from '../../driver/run-script.ts'
import type { KeyOutcome, Plan, PlannedFile, ResolvedTask, SiteFacts } from '../executor.ts'

/** The local executor's own part of a plan. */
export interface LocalRefs {
  /** Device indices given to the job, by rank; for an array by slot. */
  readonly gpus: readonly (readonly number[])[]
}

const LOOPBACK = '127.0.0.1'
const CUDA_DEVICES = 'CUDA_VISIBLE_DEVICES'

/** Deals `per` of the assigned devices to each of `count` ranks or slots; where they are too few (a clamped demand), in turn. */
function dealDevices(assigned: readonly number[], per: number, count: number): readonly (readonly number[])[] {
  return Array.from({ length: count }, (_, at) =>
    Array.from({ length: Math.min(per, assigned.length) }, (_, each) => assigned[(at * per + each) % assigned.length] ?? 0),
  )
}

function directories(task: ResolvedTask, workDirs: readonly string[]): readonly string[] {
  return ['claim/0', 'events', 'exit', 'logs', ...(task.array ? ['slots'] : []), ...(task.code?.kind === 'link' ? [] : workDirs)]
}

/** What is awaited exists from the start: opened by its known name, appended to in place. */
function awaitedFiles(task: ResolvedTask, width: number): readonly string[] {
  const ranks = Array.from({ length: task.numNodes }, (_, rank) => rank)
  return [
    attemptPaths.nativeId,
    attemptPaths.exit('job'),
    attemptPaths.events('job'),
    ...ranks.flatMap((rank) => [
      attemptPaths.exit(rank),
      attemptPaths.events(rank),
      ...(task.setup === undefined ? [] : [attemptPaths.setupLog(rank)]),
    ]),
    // An array's element claims its log by making it; a whole task's logs are followed from the start.
    ...(task.array
      ? [...Array.from({ length: width }, (_, slot) => attemptPaths.slot(slot)), attemptPaths.cancelElements]
      : ranks.flatMap((rank) => [attemptPaths.stdout(rank), attemptPaths.stderr(rank)])),
  ]
}

function amount(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`
}

/** What each key became here, for `drover plan`. */
function keyOutcomes(task: ResolvedTask, attemptDir: string, width: number): readonly KeyOutcome[] {
  const { perNode, spec } = task
  const known: Readonly<Record<string, () => string>> = {
    name: () => `job name "${task.name}"`,
    target: () => task.target,
    num_nodes: () => `${task.numNodes} node runner${task.numNodes === 1 ? '' : 's'} on this machine`,
    resources: () =>
      [
        `${perNode.cpus} core${perNode.cpus === 1 ? '' : 's'}`,
        ...(perNode.memoryBytes === undefined ? [] : [amount(perNode.memoryBytes)]),
        ...(perNode.gpus === 0 ? [] : [`${perNode.gpus} GPU by CUDA_VISIBLE_DEVICES`]),
        ...(task.priority === 0 ? [] : [`priority ${task.priority}`]),
      ].join(', ') + ' per node, as slots',
    envs: () => `${attemptDir}/env: ${Object.keys(task.envs).join(', ')}`,
    secrets: () => `${attemptDir}/env (0600, removed at the end): ${task.secretNames.join(', ')}`,
    workdir: () =>
      task.code === undefined
        ? 'a copy in the work directory'
        : task.code.kind === 'link'
          ? `runs in ${task.code.path}`
          : `bundle ${task.code.hash.slice(0, 12)}, copied to the work directory`,
    file_mounts: () => task.mounts.map((mount) => `${mount.destination} copied from ${mount.source}`).join('; '),
    setup: () => 'setup.sh on every node, before run on any',
    run: () => (task.run.kind === 'argv' ? 'run.sh: one command' : 'run.sh'),
    array: () => `${task.array?.positions?.length ?? task.array?.size ?? 0} elements in ${width} slots`,
    retries: () => `at most ${task.retries.max}, by the supervisor`,
    timeout: () => `${(task.timeoutMs ?? 0) / 1000} s, enforced by the node runner`,
    grace: () => `${task.graceMs / 1000} s from TERM to KILL`,
    after: () => spec.after.map((edge) => `${edge.task} (${edge.condition})`).join(', '),
    collect: () => `${task.collect.join(', ')} brought back at the end`,
    processes_per_node: () => `DROVER_PROCESSES_PER_NODE=${task.processesPerNode}`,
    cpus_per_process: () => `DROVER_CPUS_PER_PROCESS=${task.cpusPerProcess ?? 0}`,
    notify: () => 'run by the supervisor in the directory of the task file',
    event_callback: () => 'not run: use notify',
    api_server_access: () => 'nothing: there is no API server here',
  }
  return Object.keys(spec.written).map((key) => ({ key, became: known[key]?.() ?? 'checked; without effect on this target' }))
}

/**
 * Compiles a task for this machine. `run: echo hi` becomes a directory of `driver.sh`, `node.sh`, `run.sh`, `env` and the
 * empty files that are awaited, started as `sh <attempt>/driver.sh`.
 */
export function compileLocal(
  task: ResolvedTask,
  site: SiteFacts,
  as: { readonly jobId: string; readonly attempt: number; readonly assignedGpus?: readonly number[] },
): Plan<LocalRefs> {
  const attemptDir = `${site.root}/jobs/${as.jobId}/${as.attempt}`
  const { code } = task
  const ranks = Array.from({ length: task.numNodes }, (_, rank) => ({
    rank,
    node: site.hostname,
    ip: LOOPBACK,
    workDir: code?.kind === 'link' ? code.path : `${site.root}/jobs/${as.jobId}/work/${rank}`,
  }))
  const elements = task.array ? compileElements(task.array, task.array.positions) : undefined
  const positions = task.array ? (task.array.positions ?? Array.from({ length: task.array.size }, (_, position) => position)) : []
  const width = task.array ? Math.max(1, Math.min(task.array.width, positions.length)) : 1
  const gpus = dealDevices(as.assignedGpus ?? [], task.perNode.gpus, task.array ? width : task.numNodes)
  // Devices that the target's options keep from jobs are hidden as well.
  const hasDevices = site.gpus.length > 0 || site.tools['nvidia-smi'] !== undefined
  // The user's own value holds for all ranks; it is in the job's environment, which a rank's would override.
  const ownDevices = CUDA_DEVICES in task.envs || task.secretNames.includes(CUDA_DEVICES)
  const devicesOf = (at: number): Readonly<Record<string, string>> =>
    ownDevices || !hasDevices ? {} : { [CUDA_DEVICES]: (gpus[at] ?? []).join(',') }
  const shell = site.tools['bash'] === undefined ? 'sh' : 'bash'
  const driver: DriverOptions = {
    jobId: as.jobId,
    attempt: as.attempt,
    attemptDir,
    bellPath: `${site.root}/${BELL}`,
    // Setup of an array sees the devices of its first slot: as many as the variables of a node promise.
    ranks: ranks.map((rank) => ({ ...rank, env: devicesOf(rank.rank) })),
    hasSetup: task.setup !== undefined,
    run: task.run,
    shell,
    ...(task.timeoutMs === undefined ? {} : { timeoutSeconds: task.timeoutMs / 1000 }),
    graceSeconds: task.graceMs / 1000,
    processGroups: site.processGroups,
    gpusPerNode: task.perNode.gpus,
    ...(elements
      ? {
          slots: {
            width,
            elements: elements.source,
            size: task.array?.size ?? positions.length,
            env: Array.from({ length: width }, (_, slot) => devicesOf(slot)),
          },
        }
      : {}),
  }
  const script = (path: string, content: string): PlannedFile => ({ path, mode: 0o700, content })
  const env = {
    ...jobEnvironment({
      jobId: as.jobId,
      jobName: task.name,
      attempt: as.attempt,
      target: task.target,
      kind: 'local',
      nodes: ranks.map(({ node, ip }) => ({ node, ip })),
      cpus: task.perNode.cpus,
      gpus: task.perNode.gpus,
      processesPerNode: task.processesPerNode,
      ...(task.cpusPerProcess === undefined ? {} : { cpusPerProcess: task.cpusPerProcess }),
      attemptDir,
      user: site.user,
      upstreams: task.upstreams,
    }),
    ...(task.array ? { SKYPILOT_NUM_JOBS: String(task.array.size) } : {}),
    // nvidia-smi counts in the order of the bus, CUDA by default from the fastest device on.
    ...(hasDevices ? { CUDA_DEVICE_ORDER: 'PCI_BUS_ID' } : {}),
    ...task.envs,
  }
  const nodes = task.array ? 1 : task.numNodes
  const plan: Plan<LocalRefs> = {
    version: 1,
    kind: 'local',
    target: task.target,
    jobId: as.jobId,
    attempt: as.attempt,
    attemptDir,
    workDirs: ranks.map((rank) => rank.workDir),
    directories: directories(
      task,
      ranks.map((rank) => rank.workDir),
    ),
    files: [
      script(attemptPaths.driver, compileDriver(driver)),
      script(attemptPaths.node, compileNodeRunner(driver)),
      ...(task.setup === undefined ? [] : [script(attemptPaths.setup, compileSetupScript(task.setup))]),
      script(attemptPaths.run, compileRunScript(task.run)),
      ...(elements?.file === undefined ? [] : [{ path: attemptPaths.elements, mode: 0o600, content: elements.file }]),
      ...awaitedFiles(task, width).map((path) => ({ path, mode: 0o600, content: '' })),
    ],
    ...(code === undefined ? {} : { code }),
    mounts: task.mounts,
    env,
    secretNames: task.secretNames,
    command: ['sh', `${attemptDir}/${attemptPaths.driver}`],
    ranks: ranks.map(({ rank, node }) => ({ rank, node })),
    elements: positions,
    width,
    demand: {
      cpus: Math.min(task.perNode.cpus * (task.array ? width : nodes), site.cpus),
      memoryBytes: Math.min((task.perNode.memoryBytes ?? 0) * (task.array ? width : nodes), site.memoryBytes),
      gpus: Math.min(task.perNode.gpus * (task.array ? width : nodes), site.gpus.length),
    },
    graceMs: task.graceMs,
    keys: keyOutcomes(task, attemptDir, width),
    warnings:
      task.perNode.cpus * task.numNodes > site.cpus
        ? [`${task.numNodes} nodes of ${task.perNode.cpus} cores share the ${site.cpus} cores of this machine`]
        : [],
    refs: { gpus },
  }
  return Object.freeze(plan)
}
