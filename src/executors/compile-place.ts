import { compileElements } from '../driver/array-elements.ts'
import type { DriverAllocation, DriverLease, DriverOptions, DriverRank } from '../driver/driver-options.ts'
import { compileDriver, compileNodeRunner } from '../driver/driver-script.ts'
import { jobEnvironment } from '../driver/job-environment.ts'
import { attemptPaths, BELL } from '../driver/protocol.ts'
import { compileRunScript, compileSetupScript } from '../driver/run-script.ts'
import type { PlannedFile, PlanPlace, ResolvedTask, SiteFacts } from './executor.ts'

const CUDA_DEVICES = 'CUDA_VISIBLE_DEVICES'

/** One node's part of a job that Drover starts itself, without a scheduler. */
export interface PlaceOptions {
  readonly task: ResolvedTask
  /** Of this node. */
  readonly facts: SiteFacts
  readonly jobId: string
  readonly attempt: number
  /** Executor kind. */
  readonly kind: string
  /** Name of the node in the plan; '' on a target of one machine. */
  readonly node: string
  readonly attemptDir: string
  /** Ranks here, rising. */
  readonly ranks: readonly DriverRank[]
  /** All nodes of the job, in order of rank. */
  readonly nodes: readonly { readonly node: string; readonly ip: string }[]
  /** Devices by rank here, in their order; for an array by slot here. */
  readonly devices: readonly (readonly number[])[]
  /** Arrays: positions that run here, and how many at one time. */
  readonly positions: readonly number[]
  readonly width: number
  /** The supervisor opens the gate before run. */
  readonly gate: boolean
  /** What this place takes of a machine that other clients use as well. Default: nothing is noted there. */
  readonly lease?: DriverLease
  /** Inside a scheduler's allocation. */
  readonly allocation?: DriverAllocation
  /** Further variables, below the task's own. */
  readonly env?: Readonly<Record<string, string>>
}

/** Deals `per` of the assigned devices to each of `count` ranks or slots; where they are too few (a clamped demand), in turn. */
export function dealDevices(assigned: readonly number[], per: number, count: number): readonly (readonly number[])[] {
  return Array.from({ length: count }, (_, at) =>
    Array.from({ length: Math.min(per, assigned.length) }, (_, each) => assigned[(at * per + each) % assigned.length] ?? 0),
  )
}

/** What is awaited exists from the start: opened by its known name, appended to in place. */
function awaitedFiles(task: ResolvedTask, ranks: readonly number[], width: number, { gate, allocation }: PlaceOptions): readonly string[] {
  // Tasks of a native array make their own, which are looked for when there is reason to.
  if (allocation?.task !== undefined) return [attemptPaths.cancelElements]
  return [
    attemptPaths.nativeId,
    ...(gate ? [attemptPaths.gate] : []),
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

/**
 * Compiles one place: `driver.sh`, `node.sh`, `run.sh`, `setup.sh`, `elements` and the empty files that are awaited, started
 * as `sh <attempt>/driver.sh`.
 */
export function compilePlace(options: PlaceOptions): PlanPlace {
  const { task, facts, jobId, attempt, attemptDir, ranks, positions, width, devices, gate } = options
  const elements = task.array ? compileElements(task.array, positions) : undefined
  // Devices that the target's options keep from jobs are hidden as well.
  const hasDevices = facts.gpus.length > 0 || facts.tools['nvidia-smi'] !== undefined
  // The user's own value holds for all ranks; it is in the job's environment, which a rank's would override.
  const ownDevices = CUDA_DEVICES in task.envs || task.secretNames.includes(CUDA_DEVICES)
  const devicesOf = (at: number): Readonly<Record<string, string>> =>
    ownDevices || !hasDevices ? {} : { [CUDA_DEVICES]: (devices[at] ?? []).join(',') }
  const driver: DriverOptions = {
    jobId,
    attempt,
    attemptDir,
    bellPath: `${facts.root}/${BELL}`,
    // Setup of an array sees the devices of its first slot: as many as the variables of a node promise.
    ranks: ranks.map((rank, at) => ({ ...rank, env: { ...rank.env, ...devicesOf(at) } })),
    hasSetup: task.setup !== undefined,
    run: task.run,
    shell: facts.tools['bash'] === undefined ? 'sh' : 'bash',
    ...(task.timeoutMs === undefined ? {} : { timeoutSeconds: task.timeoutMs / 1000 }),
    graceSeconds: task.graceMs / 1000,
    processGroups: facts.processGroups,
    gpusPerNode: task.perNode.gpus,
    ...(gate ? { gate } : {}),
    ...(options.lease ? { lease: options.lease } : {}),
    ...(options.allocation ? { allocation: options.allocation } : {}),
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
  const workDirs = ranks.map((rank) => rank.workDir)
  return {
    node: options.node,
    attemptDir,
    ranks: ranks.map(({ rank }) => rank),
    slots: task.array ? width : 0,
    ...(options.allocation?.task ? { tasks: { count: options.allocation.task.count, chunk: options.allocation.task.chunk } } : {}),
    workDirs,
    directories: [
      'claim/0',
      'events',
      'exit',
      'logs',
      ...(options.allocation?.task ? ['tasks'] : task.array ? ['slots'] : []),
      ...(task.code?.kind === 'link' ? [] : workDirs),
    ],
    files: [
      script(attemptPaths.driver, compileDriver(driver)),
      script(attemptPaths.node, compileNodeRunner(driver)),
      ...(task.setup === undefined ? [] : [script(attemptPaths.setup, compileSetupScript(task.setup))]),
      script(attemptPaths.run, compileRunScript(task.run)),
      ...(elements?.file === undefined ? [] : [{ path: attemptPaths.elements, mode: 0o600, content: elements.file }]),
      ...awaitedFiles(
        task,
        ranks.map(({ rank }) => rank),
        width,
        options,
      ).map((path) => ({ path, mode: 0o600, content: '' })),
    ],
    env: {
      ...jobEnvironment({
        jobId,
        jobName: task.name,
        attempt,
        target: task.target,
        kind: options.kind,
        nodes: options.nodes,
        cpus: task.perNode.cpus,
        gpus: task.perNode.gpus,
        processesPerNode: task.processesPerNode,
        ...(task.cpusPerProcess === undefined ? {} : { cpusPerProcess: task.cpusPerProcess }),
        attemptDir,
        user: facts.user,
        upstreams: task.upstreams,
      }),
      ...(task.array ? { SKYPILOT_NUM_JOBS: String(task.array.size) } : {}),
      // nvidia-smi counts in the order of the bus, CUDA by default from the fastest device on.
      ...(hasDevices ? { CUDA_DEVICE_ORDER: 'PCI_BUS_ID' } : {}),
      ...options.env,
      ...task.envs,
    },
    command: ['sh', `${attemptDir}/${attemptPaths.driver}`],
  }
}
