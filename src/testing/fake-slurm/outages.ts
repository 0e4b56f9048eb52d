import type { CommandCall } from '../fake-commands/command-call.ts'

/** Ways in which Slurm is broken. `down`: slurmctld stopped; `hung`: it accepts and does not answer; the others by name. */
export type OutageKind = 'down' | 'hung' | 'accounting_down' | 'accounting_hung' | 'munge_down'

/** What a command does while Slurm is broken. */
export interface OutageAnswer {
  readonly code: number
  /** How long the real one takes. */
  readonly ms: number
  readonly out?: string
  readonly err?: string
  /** The request is in the controller's queue, and is carried out when it wakes. */
  readonly carriedOutLater?: boolean
}

const CONNECT = 'Unable to contact slurm controller (connect failure)'
const TIMED_OUT = 'Socket timed out on send/recv operation'

/** The answer of one command; undefined: it works as ever. Rows of slurm.md's table, measured on 22.05.8 with MessageTimeout=10. */
export function outageAnswer(kind: OutageKind, call: CommandCall): OutageAnswer | undefined {
  // Version and help are printed without asking anyone; so are lists of hosts.
  if (call.argv.some((word) => word === '--version' || word === '-V')) return undefined
  if (call.command === 'scontrol' && /^hostn|^hostl/.test(call.argv[1] ?? '')) return undefined
  const database = call.command === 'sacct' || call.command === 'sacctmgr'
  if (kind === 'munge_down') return mungeDown(call)
  if (kind === 'accounting_down') return database ? accountingDown(call) : undefined
  if (kind === 'accounting_hung') return database ? accountingHung(call) : undefined
  if (database) return undefined
  return controllerGone(call, kind === 'hung')
}

/** Words before the error: each command has its own. */
function prefix(call: CommandCall): string {
  switch (call.command) {
    case 'sbatch':
      return 'sbatch: error: Batch job submission failed: '
    case 'sinfo':
      return 'slurm_load_partitions: '
    case 'srun':
      return 'srun: error: Unable to allocate resources: '
    case 'scontrol':
      return /^conf/.test(call.argv[1] ?? '') ? 'slurm_load_ctl_conf error: ' : 'slurm_load_jobs error: '
    default:
      return 'slurm_load_jobs error: '
  }
}

/** The job that `scontrol hold 5` and its like would change; undefined for any other call. */
function changedJob({ command, argv }: CommandCall): string | undefined {
  const verb = argv.find((word) => !word.startsWith('-')) ?? ''
  if (command !== 'scontrol' || !/^(u?hold|release|requeue|requeuehold|suspend|resume|update)$/.test(verb)) return undefined
  return argv.findLast((word) => /^(jobid=)?\d/i.test(word))?.replace(/^jobid=/i, '') ?? ''
}

function suspendLine({ argv }: CommandCall): string {
  return argv.some((word) => /^(u?hold|release)$/.test(word)) ? 'slurm_suspend error: Unexpected message received\n' : ''
}

function controllerGone(call: CommandCall, hung: boolean): OutageAnswer {
  const error = hung ? TIMED_OUT : CONNECT
  const once = hung ? 10_000 : 9000
  const { command, argv } = call
  if (command === 'scontrol' && argv.includes('ping')) {
    return hung
      ? { code: 1, ms: 10_000, out: 'Slurmctld(primary) at localhost is DOWN\n' }
      : { code: 1, ms: 100, out: 'Slurmctld(primary) at localhost is DOWN\n' }
  }
  const change = changedJob(call)
  if (change !== undefined) {
    return { code: 1, ms: once, err: `Unexpected message received for job ${change}\n${suspendLine(call)}`, carriedOutLater: hung }
  }
  const id = argv.findLast((word) => /^\d/.test(word))
  if (command === 'scancel' && id !== undefined) {
    return { code: hung ? 140 : 8, ms: once, err: `scancel: error: Kill job error on job id ${id}: ${error}\n`, carriedOutLater: hung }
  }
  if (command === 'sbatch') return { code: 1, ms: hung ? 10_500 : once, err: `${prefix(call)}${error}\n`, carriedOutLater: hung }
  // One id: asked for twice, with and without the array form.
  const twice = (command === 'scontrol' && argv.includes('job')) || (command === 'squeue' && argv.some((word) => /^(-j|--jobs)/.test(word)))
  return { code: 1, ms: twice ? 2 * once : once, err: `${prefix(call)}${error}\n` }
}

/** sacct's last line; sacctmgr has none. */
function problem({ command }: CommandCall, why: string): string {
  return command === 'sacct' ? `sacct: error: Problem talking to the database: ${why}\n` : ''
}

function accountingDown(call: CommandCall): OutageAnswer {
  const { command } = call
  return {
    code: 1,
    ms: 100,
    err: `${command}: error: slurm_persist_conn_open_without_init: failed to open persistent connection to host:localhost:6819: Connection refused\n${command}: error: Sending PersistInit msg: Connection refused\n${problem(call, 'Connection refused')}`,
  }
}

function accountingHung(call: CommandCall): OutageAnswer {
  const { command } = call
  return {
    code: 1,
    ms: 46_000,
    err: `${command}: error: slurm_persist_conn_open: No response to persist_init\n${command}: error: Sending PersistInit msg: Resource temporarily unavailable\n${problem(call, 'Resource temporarily unavailable')}`,
  }
}

/** Requests a command sends, each of which munge would have to sign; `squeue -j` and `scontrol show job` send two. */
function requests(call: CommandCall): readonly string[] {
  const { command, argv } = call
  if (command === 'sacct' || command === 'sacctmgr') return ['REQUEST_PERSIST_INIT']
  if (command === 'sbatch') return ['REQUEST_SUBMIT_BATCH_JOB']
  if (command === 'scancel') return ['REQUEST_KILL_JOB']
  if (command === 'sinfo') return ['REQUEST_PARTITION_INFO']
  if (command === 'srun') return ['REQUEST_RESOURCE_ALLOCATION']
  if (changedJob(call) !== undefined) return ['REQUEST_UPDATE_JOB']
  if (argv.includes('ping')) return ['REQUEST_PING']
  if (command === 'scontrol' && /^conf/.test(argv[1] ?? '')) return ['REQUEST_BUILD_INFO']
  const one = argv.includes('job') || argv.some((word) => /^(-j|--jobs)/.test(word))
  return one ? ['REQUEST_FED_INFO', 'REQUEST_JOB_INFO_SINGLE'] : ['REQUEST_JOB_INFO']
}

function mungeDown(call: CommandCall): OutageAnswer {
  const { command, argv } = call
  const sent = requests(call)
  const error = 'Protocol authentication error'
  const munge = sent
    .map((request) =>
      [
        'If munged is up, restart with --num-threads=10',
        'Munge encode failed: Failed to connect to "/run/munge/munge.socket.2": Connection refused',
        `slurm_send_node_msg: auth_g_create: ${request} has authentication error`,
      ]
        .map((line) => `${command}: error: ${line}\n`)
        .join(''),
    )
    .join('')
  const ms =
    command === 'srun' ? 200_000 : sent.length * (command === 'sbatch' || command === 'squeue' || sent.length > 1 ? 50_000 : 51_000)
  const change = changedJob(call)
  const id = argv.findLast((word) => /^\d/.test(word))
  if (change !== undefined) return { code: 1, ms, err: `${munge}Unexpected message received for job ${change}\n${suspendLine(call)}` }
  if (argv.includes('ping')) return { code: 1, ms, out: 'Slurmctld(primary) at localhost is DOWN\n', err: munge }
  if (command === 'scancel' && id !== undefined)
    return { code: 239, ms, err: `${munge}scancel: error: Kill job error on job id ${id}: ${error}\n` }
  if (command === 'sacct' || command === 'sacctmgr') {
    const persist = `${command}: error: slurm_persist_conn_open: failed to send persistent connection init message to localhost:6819\n${command}: error: Sending PersistInit msg: ${error}\n`
    return { code: 1, ms, err: `${munge}${persist}${problem(call, error)}` }
  }
  return { code: 1, ms, err: `${munge}${prefix(call)}${error}\n` }
}
