/**
 * How a fake PJM (Fujitsu Technical Computing Suite V4) is to be set up. Marks say how sure a default is: [V] captured from a
 * real system, [D] stated by a guide, [P] relied on by published drivers, [I] inferred, [R] recollected. What is disputed or
 * differs between sites can be switched.
 */
export interface FakePjmOptions {
  /** Empty directory of the caller's; gets `bin/`, the socket and the client. Keep its path below 80 bytes (a socket's limit is 108). */
  readonly directory: string
  /** Nodes of the machine. Default 8. */
  readonly nodes?: number
  /** `x86`: jobs find `PJM_O_NODEINF`; `fx`: they don't [P]. Default `fx`. */
  readonly machine?: 'fx' | 'x86'
  /** Variable in which mpiexec tells a process its rank [P]. Default `PMIX_RANK`. */
  readonly rankVariable?: 'PMIX_RANK' | 'OMPI_COMM_WORLD_RANK' | 'PMI_RANK'
  /** Where output of ranks goes: Fujitsu's mpiexec writes files of its own [P]. Default `files` on fx, `stdout` on x86. */
  readonly rankOutput?: 'stdout' | 'files'
  /** Resource groups, the first being the default. Default `small`, `large`. */
  readonly rscgrps?: readonly string[]
  /** Groups that may submit; given, any other (and none) is refused with 0071 [V]. Default: any. */
  readonly groups?: readonly string[]
  /** Most nodes of a job, refused with 0057 [V]. Default 384. */
  readonly maxNodes?: number
  /** Elapse limit of a job that asks for none, ms. Default one hour. */
  readonly defaultElapseMs?: number
  /** Most accepted jobs, refused with 0072 [P]. Default 100 000. */
  readonly acceptLimit?: number
  /** False: bulk jobs are refused with 0070, as on Wisteria [V]. Default true. */
  readonly bulkAllowed?: boolean
  /** True: a comment behind options of a directive is taken, as the Fugaku guide prints it; false: refused, as Wisteria says [D]. Default false. */
  readonly trailingComments?: boolean
  /** True: `[INFO.]` as a page of the Fugaku guide prints it [D]; false: `[INFO]` [V]. Default false. */
  readonly infoDot?: boolean
  /** Lines that a site prints before the answers of pjsub [P]. Default none. */
  readonly banner?: readonly string[]
  /** Exit code of failing commands; the real numbers are not public. 0: as K's pjsub after a staging error [P]. Default 1 [I]. */
  readonly errorCode?: number
  /** Where errors go: ood_core reads stderr, AiiDA greps stdout [P]. Default `stderr`. */
  readonly errorStream?: 'stderr' | 'stdout'
  /** What `pjstat <id>` says of one that has ended or never was, when it is the only one asked for [P]. Default `empty`. */
  readonly oneEndedId?: 'empty' | 'header' | 'error'
  /** How long after leaving the active view a job is missing from the history, ms [P]. Default 0. */
  readonly historyDelayMs?: number
  /** Where ended sub-jobs of a bulk that still lives are shown; not public. Default `history` [I]. */
  readonly endedSubJobs?: 'history' | 'active' | 'nowhere'
  /** `runout`: a bulk parent says RNO as soon as one sub-job has ended, while others wait or run [D]. Default `summary`. */
  readonly parentState?: 'summary' | 'runout'
  /** Job names cut to 10 characters in CSV, too: not public. In tables they are [V]. Default false. */
  readonly csvNamesCut?: boolean
  /** State words: `RUN` as pjstat prints them [V], `RUNNING` as manuals list them [D]. Default `short`. */
  readonly words?: 'short' | 'long'
  /** `wisteria`: the site's front end with columns and words of its own, no --data [V]. `fx10`: a table of counts before all [V]. Default `tcs`. */
  readonly pjstat?: 'tcs' | 'wisteria' | 'fx10'
  /** First signal of pjdel; not public. Default SIGTERM [I]. */
  readonly deleteSignal?: 'SIGTERM' | 'SIGKILL'
  /** From there to KILL, and from SIGXCPU to KILL at the limit (10 s on Fugaku [P]), ms of the fake's clock. Default 2000. */
  readonly killWaitMs?: number
  /** How long a job is in RNA before it runs, and in RNO after it, ms. Default 0. */
  readonly stepMs?: number
  /** Resource groups whose jobs a site's own program holds when they are accepted (HLD, until pjrls). Default none [I]. */
  readonly holdRscgrps?: readonly string[]
  /** After so many real milliseconds a call to a hung manager is ended with code 124, as by the command `timeout`. Default 0: never. */
  readonly hangMs?: number
  /** First job id. Default 238. */
  readonly firstJobId?: number
}

/** The options with their defaults. */
export interface PjmSettings extends Required<Omit<FakePjmOptions, 'groups'>> {
  readonly groups: readonly string[] | undefined
  readonly user: { readonly name: string; readonly group: string }
}

/** Fills in the defaults. */
export function resolvePjmSettings(options: FakePjmOptions, user: PjmSettings['user']): PjmSettings {
  const machine = options.machine ?? 'fx'
  return {
    nodes: 8,
    rankVariable: 'PMIX_RANK',
    rankOutput: machine === 'fx' ? 'files' : 'stdout',
    rscgrps: ['small', 'large'],
    maxNodes: 384,
    defaultElapseMs: 3_600_000,
    acceptLimit: 100_000,
    bulkAllowed: true,
    trailingComments: false,
    infoDot: false,
    banner: [],
    errorCode: 1,
    errorStream: 'stderr',
    oneEndedId: 'empty',
    historyDelayMs: 0,
    endedSubJobs: 'history',
    parentState: 'summary',
    csvNamesCut: false,
    words: 'short',
    pjstat: 'tcs',
    deleteSignal: 'SIGTERM',
    killWaitMs: 2000,
    stepMs: 0,
    holdRscgrps: [],
    hangMs: 0,
    firstJobId: 238,
    ...options,
    machine,
    groups: options.groups,
    user,
  }
}
