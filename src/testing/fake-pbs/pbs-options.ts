/** A host that runs jobs of a fake PBS; its jobs are processes of this machine. */
export interface FakePbsNode {
  readonly name: string
  readonly ncpus: number
  /** KiB. */
  readonly memKb: number
  readonly ngpus: number
}

/** How a fake PBS is set up; everything has a default. */
export interface FakePbsOptions {
  /** A directory of its own, kept short: a socket lies in it. */
  readonly directory: string
  /** Default: `node1` and `node2` with 4 cores, 16 GiB and no GPU each. */
  readonly nodes?: readonly (Partial<FakePbsNode> & { readonly name: string })[]
  /** Default: one, `workq`. The first is the default queue. */
  readonly queues?: readonly string[]
  /**
   * Whose answers: those of the release 23.06.06 or those of a later development build that says the same version. They differ
   * in the JSON of qstat: layout, and that the latter knows only the first of several ids. Default `release`.
   */
  readonly build?: 'release' | 'head'
  /** `job_history_enable`. Default true. */
  readonly history?: boolean
  /** How long history keeps a job, ms. Default two weeks, as PBS. */
  readonly historyMs?: number
  /** Default 10,000. */
  readonly maxArraySize?: number
  /** From TERM to KILL of a deleted job, ms of the fake's clock. Default 10 s, as PBS. */
  readonly killDelayMs?: number
  /**
   * After so many real milliseconds a call to a hung server is ended with code 124, as by the command `timeout`. Default: it hangs
   * until `recover`, as in 45 s of OpenPBS 23.06.06.
   */
  readonly hangMs?: number
}

/** Options with their defaults. */
export interface PbsSettings {
  readonly directory: string
  readonly nodes: readonly FakePbsNode[]
  readonly queues: readonly string[]
  readonly build: 'release' | 'head'
  readonly historyMs: number
  readonly maxArraySize: number
  readonly killDelayMs: number
  readonly hangMs: number | undefined
  readonly user: string
}

/** Name of the server, as in the captured output. */
export const SERVER = 'pbshead'

/** Version that both builds name. */
export const PBS_VERSION = '23.06.06'

/** Fills in what was left out. */
export function resolvePbsSettings(options: FakePbsOptions, user: string): PbsSettings {
  const nodes = options.nodes ?? [{ name: 'node1' }, { name: 'node2' }]
  return {
    directory: options.directory,
    nodes: nodes.map((node) => ({ ncpus: 4, memKb: 16 * 1024 ** 2, ngpus: 0, ...node })),
    queues: options.queues ?? ['workq'],
    build: options.build ?? 'release',
    historyMs: options.historyMs ?? 14 * 24 * 3_600_000,
    maxArraySize: options.maxArraySize ?? 10_000,
    killDelayMs: options.killDelayMs ?? 10_000,
    hangMs: options.hangMs,
    user,
  }
}
