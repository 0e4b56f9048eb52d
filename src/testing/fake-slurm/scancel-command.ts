import type { CommandCall } from '../fake-commands/command-call.ts'
import { type ClusterState, findRecords, isEnded, parseIdSelector, waitingText } from './cluster-state.ts'
import { OptionError, optionTable, parseOptions } from './command-options.ts'
import { readStates, splitIds } from './job-filters.ts'
import { signalByName } from './job-request.ts'
import { type CommandContext, CommandFailure, SLURM_VERSION } from './slurm-command.ts'
import { publicId, type SlurmJob, shownState } from './slurm-job.ts'

const OPTIONS = optionTable(`
  account=,A batch,b ctld full,f interactive,i jobname=,n me name= nodelist=,w partition=,p qos=,q quiet,Q reservation=,R
  signal=,s state=,t user=,u verbose,v version,V hurry,H wckey= sibling= clusters=,M cron
`)

/** scancel. Ids that nobody knows are no error, and without -v not even a word. */
export function scancel({ state, life }: CommandContext, call: CommandCall): number {
  const { options, rest } = readOptions(call)
  const last = new Map(options.map(({ name, value }) => [name, value]))
  if (last.has('version')) {
    call.out(`slurm-wlm ${SLURM_VERSION}\n`)
    return 0
  }
  const filters = ['jobname', 'name', 'partition', 'user', 'state', 'me', 'account', 'qos', 'reservation', 'nodelist'].filter((name) =>
    last.has(name),
  )
  if (rest.length === 0 && filters.length === 0) throw new CommandFailure('scancel: error: No job identification provided')
  const user = last.get('user')
  if (user !== undefined && ![state.settings.user.name, String(state.settings.user.uid)].includes(user)) {
    throw new CommandFailure(`scancel: error: Invalid user name: ${user}`)
  }
  const signal = last.has('signal') ? signalByName(last.get('signal') ?? '') : undefined
  if (last.has('signal') && !signal) throw new CommandFailure(`Unknown job signal: ${last.get('signal')}`)
  const states = last.has('state') ? readStates('scancel', last.get('state') ?? '') : undefined
  const matches = (job: SlurmJob): boolean => {
    if (states && !states.has(shownState(job))) return false
    const name = last.get('jobname') ?? last.get('name')
    if (name !== undefined && !name.split(',').includes(job.request.name)) return false
    return !last.has('partition') || last.get('partition') === job.request.partition
  }
  const ids = rest.flatMap(splitIds)
  const chosen = ids.length === 0 ? [...state.jobs.values()].filter((job) => !isEnded(job)) : undefined
  let code = 0
  for (const job of chosen ?? []) if (matches(job)) code = apply(job, undefined) || code
  for (const id of ids) {
    const selector = parseIdSelector(id)
    if (!selector) throw new CommandFailure(`scancel: error: Invalid job id ${id}`)
    if (last.has('verbose')) call.err(`scancel: Terminating job ${id}\n`)
    const records = select(state, selector.id, findRecords(state, selector)).filter(matches)
    const unknown = records.length === 0 || records.every(isEnded)
    if (unknown && (last.has('verbose') || signal)) call.err(`scancel: error: Kill job error on job id ${id}: Invalid job id specified\n`)
    if (unknown && signal) code = 1
    if (!unknown) for (const record of records) code = apply(record, selector.tasks) || code
  }
  return code

  function apply(job: SlurmJob, tasks: readonly number[] | undefined): number {
    if (isEnded(job)) return 0
    if (signal && signal !== 'SIGKILL' && job.state === 'PENDING') {
      call.err(`scancel: error: Kill job error on job id ${publicId(job, waitingText(job))}: Job can not be altered now, try again later\n`)
      return 228
    }
    if (signal) send(job, signal)
    else if (job.pendingTasks && tasks) life.cancelTasks(job, new Set(tasks))
    else life.cancel(job)
    return 0
  }

  /** --batch: the script alone. Without it steps alone, but for KILL, which cancels the job, TERM first (22.05.8). */
  function send(job: SlurmJob, name: NodeJS.Signals): void {
    const running = life.runningOf(job)
    if (name === 'SIGKILL' && !last.has('batch')) {
      life.cancel(job)
      return
    }
    if (last.has('batch') || last.has('full')) {
      if (name === 'SIGTERM' || name === 'SIGKILL') life.sayCancelled(job)
      running?.signalBatch(name)
    }
    if (!last.has('batch')) running?.signalSteps(name)
  }
}

/** `scancel 123` of a heterogeneous job means all of its parts. */
function select(state: ClusterState, id: number, records: readonly SlurmJob[]): readonly SlurmJob[] {
  const het = records[0]?.het
  return het && het.id === id ? [...state.jobs.values()].filter((job) => job.het?.id === id) : records
}

function readOptions(call: CommandCall): ReturnType<typeof parseOptions> {
  try {
    return parseOptions(OPTIONS, call.argv, false)
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new CommandFailure(`scancel: ${error.message}\nTry "scancel --help" for more information`)
  }
}
