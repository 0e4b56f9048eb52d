/**
 * The job directory protocol, version 1: names and line formats that driver and node runners write and Drover reads.
 * Everything that is awaited exists from staging on and is appended to in place; an incomplete line doesn't count.
 *
 *   exit/<rank>   one line: `exit 1 <rank> <code> <signal> <start> <end> <told> <phase> <checksum>`
 *   exit/job      one line, same form, rank `-1`: the driver's own end, written last
 *   events/<rank> lines `<seconds> <word> <detail…>`; events/job is the driver's
 *   slots/<k>     lines `c <position> <cs>` and `r <position> <code> <told> <cs> <cs>`, see SlotLine
 *   bell          under the root: every writer appends `<job-id> <attempt> <word>` after each event or record;
 *                 a slot only when its last ring is 0.2 s ago: who hears a bell reads at once and once more 0.25 s later
 *   claim/<n>/    the programs' own, n being the scheduler's restart count: id (`<pid>:<start time>:<boot id>` of the driver; who creates it
 *                 has the claim), stop (why all are to stop: `term`, `peer` or `timeout`, written before the TERMs that it explains; the first
 *                 line counts), warn (a line per warning of the scheduler), nodes (`<name> <address>` by rank), timeouts, end-*, tally-*, now-*,
 *                 times-*, told-*, lost, wake
 *
 * Inside an allocation the driver is the scheduler's own job: native_id is not the driver's to write. A requeued instance has
 * `<attempt>r<n>/` for all of this. A task of a native array has `tasks/<t>/` with claim, events, exit and slots of its own,
 * rings `<job-id> <attempt> <word> <t>`, and shares the rest; its setup writes logs/setup-<t>.log.
 *
 * `told`: `0` not told to stop, `term` (TERM or INT, or the cancel mark), `timeout` (its own time limit),
 * `peer` (ended because another rank failed). `phase`: `setup` or `run`.
 * The checksum is plain shell arithmetic, so that no process is needed; see `exitChecksum`.
 */
export const TOLD = ['0', 'term', 'timeout', 'peer'] as const
export type Told = (typeof TOLD)[number]

/** How a rank's script ended, proved by its own runner. */
export interface ExitRecord {
  /** -1 for the driver's own record. */
  readonly rank: number
  /** 0-255; 128 + n when a signal n ended it. */
  readonly code: number
  /** Signal number; 0 for none. A shell cannot tell `exit 143` from a TERM: codes 129..192 count as signals. */
  readonly signal: number
  /** Epoch seconds. */
  readonly startedAt: number
  readonly endedAt: number
  /** Whether the runner had been told to stop before the script ended, and by what. */
  readonly told: Told
  readonly phase: 'setup' | 'run'
}

/** What reading one record file gave. `unreadable`: there is a complete line that does not parse or check. */
export type RecordReading =
  | { readonly kind: 'none' }
  | { readonly kind: 'record'; readonly record: ExitRecord }
  | { readonly kind: 'unreadable'; readonly why: string }

/**
 * Words of events/<rank>:
 * `runner pid=… start=… boot=… node=…` the node runner's identity ·
 * `setup cs=… pid=… start=… boot=…` setup began (cs: hundredths of a second of uptime; the time limit counts from there) · `setup_end code=…` · `script pid=… start=… boot=…` the user's script began, leader of its group ·
 * `told why=…` · `script_end code=… cpu_cs=… oom=…` · `container kind=image|driver|out_of_memory|staging element=… text=…` written by the wrapper of a
 * container (src/containers/), or by what brings files before setup (src/packaging/mount-script.ts), before it ends: why, text with %20 for a space and %25 for %.
 * · `no_proof` written by a script that stands for a process it did not start, before it ends with a code above 0: nobody knows how that one ended.
 * Words of events/job: `driver pid=… start=… boot=…` · `no_room rank=… what=gpus|cpus|memory|turn by=…` other jobs (ids by commas) hold what this one asks of the machine · `lease_failed rank=…` what it takes cannot be noted there · `ready` setup done here, the gate is awaited · `gate` setup done on all ranks · `slot k=… pid=… start=… boot=…` · `rank_lost rank=… code=…` (a runner died without a record) · `launch phase=… pid=… start=… boot=…` the scheduler's launcher began · `launch_failed phase=… code=… text=…` it ended with that code, or without a record of every rank; the last line of logs/launch.log, as above · `nodes_failed wanted=… found=… code=… text=…` which nodes there are could not be found out · `warning` the scheduler announced its limit · `driver_end` · `requeued restart=…` the scheduler has started the attempt again: it goes on in the directory of that restart.
 */
export interface JobEventLine {
  readonly atSeconds: number
  readonly word: string
  readonly detail: Readonly<Record<string, string>>
}

/** One line of a slot's journal. Times: centiseconds of system uptime, 0 where unknown. */
export type SlotLine =
  | { readonly kind: 'claim'; readonly position: number; readonly at: number }
  | {
      readonly kind: 'result'
      readonly position: number
      readonly code: number
      readonly told: Told
      readonly startedAt: number
      readonly endedAt: number
    }

/** Paths inside an attempt directory, relative. */
export const attemptPaths = {
  driver: 'driver.sh',
  node: 'node.sh',
  setup: 'setup.sh',
  run: 'run.sh',
  env: 'env',
  /** Values of array elements: line n belongs to the nth element of this attempt, see driver/array-elements. */
  elements: 'elements',
  submitLock: 'submit.lock',
  nativeId: 'native_id',
  /** Where the supervisor opens the gate: empty, then `open` or `stop`. */
  gate: 'gate',
  /** Made before a TERM that comes because another node failed. */
  peerMark: 'peer',
  cancelMark: 'cancel',
  claim: (restart: number) => `claim/${restart}`,
  events: (rank: number | 'job') => `events/${rank}`,
  exit: (rank: number | 'job') => `exit/${rank}`,
  slot: (slot: number) => `slots/${slot}`,
  /** Which elements are to be ended: a line `<position>` each, appended by Drover. */
  cancelElements: 'cancel_elements',
  stdout: (rank: number) => `logs/${rank}.out`,
  stderr: (rank: number) => `logs/${rank}.err`,
  elementStdout: (position: number) => `logs/${position}.out`,
  elementStderr: (position: number) => `logs/${position}.err`,
  setupLog: (rank: number) => `logs/setup-${rank}.log`,
  driverLog: 'logs/driver.log',
  /** What the scheduler's launcher says, both phases; made by the driver. */
  launchLog: 'logs/launch.log',
  /** What task t of a native array writes: claim, events, exit, slots. */
  task: (task: number) => `tasks/${task}`,
  /** Name of the attempt directory of restart n, beside the first one's. */
  requeued: (attemptDir: string, restart: number) => `${attemptDir}r${restart}`,
} as const

/** Name of the doorbell below a target's root. */
export const BELL = 'bell'

/** Code of the records of a driver that was refused what it asks of its machine (phase `setup`, told `0`); nothing was run. */
export const LEASE_EXIT_CODE = 98

/** Code of the records of a driver that could not find out which nodes its allocation has (phase `setup`, told `0`); nothing was run. */
export const ALLOCATION_EXIT_CODE = 94

/** A driver that the scheduler started again after the first had begun, or after its end, ends with this code and runs nothing. */
export const REQUEUED_EXIT_CODE = 95

/**
 * The driver could not begin: its mark in the claim directory can't be made (full disk, permissions), or it cannot tell which
 * task of a native array it is. Nothing was run.
 */
export const DRIVER_UNUSABLE_EXIT_CODE = 96

/** A driver that finds its claim taken ends with this code and runs nothing. */
export const DUPLICATE_EXIT_CODE = 97
