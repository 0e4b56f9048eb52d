import type { CommandCall } from '../fake-commands/command-call.ts'
import { type ClusterState, findRecords, isEnded, parseIdSelector, splitTask } from './cluster-state.ts'
import { OptionError, optionTable, parseOptions } from './command-options.ts'
import { compressHostlist, expandHostlist } from './hostlist.ts'
import { splitIds } from './job-filters.ts'
import type { JobLife } from './job-life.ts'
import { printConfiguration } from './scontrol-config.ts'
import { printJobRecord } from './scontrol-job.ts'
import { type CommandContext, CommandFailure, SLURM_VERSION } from './slurm-command.ts'
import type { SlurmJob } from './slurm-job.ts'
import { parseInstant, parseTimeLimit } from './slurm-times.ts'

const OPTIONS = optionTable('oneliner,o quiet,Q verbose,v version,V all,a details,d cluster=,M clusters= hide federation,F local')

/** scontrol: show, ping, and the verbs that change jobs. */
export function scontrol(context: CommandContext, call: CommandCall): number {
  const { state, life } = context
  const { options, rest } = readOptions(call)
  const has = (name: string): boolean => options.some((option) => option.name === name)
  if (has('version')) {
    call.out(`slurm-wlm ${SLURM_VERSION}\n`)
    return 0
  }
  const [verb = '', ...words] = rest
  switch (verb) {
    case 'ping':
      call.out('Slurmctld(primary) at localhost is UP\n')
      return 0
    case 'show':
      return show(state, call, words, has('oneliner'))
    case 'hold':
    case 'uhold':
    case 'release':
    case 'requeue':
    case 'requeuehold':
    case 'suspend':
    case 'resume':
      return change(state, life, call, verb, words)
    case 'update':
      return update(state, life, call, words)
    default:
      throw new CommandFailure(`invalid keyword: ${verb}`)
  }
}

function readOptions(call: CommandCall): ReturnType<typeof parseOptions> {
  try {
    return parseOptions(OPTIONS, call.argv, false)
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new CommandFailure(`scontrol: ${error.message}\nTry "scontrol --help" for more information`)
  }
}

function show(state: ClusterState, call: CommandCall, [entity, ...names]: readonly string[], oneLine: boolean): number {
  if (entity === undefined) throw new CommandFailure('too few arguments for keyword:show')
  const [name] = names
  if (/^jobs?$/.test(entity)) return showJob(state, call, name, oneLine)
  if (/^config/.test(entity)) {
    call.out(printConfiguration(state))
    return 0
  }
  if (/^hostn/.test(entity)) {
    const text = name ?? call.env['SLURM_JOB_NODELIST'] ?? ''
    if (text === '') {
      call.err('scontrol: error: host list is empty\n')
      return 0
    }
    call.out(`${(expandHostlist(text) ?? [text]).join('\n')}\n`)
    return 0
  }
  if (/^hostl/.test(entity)) {
    call.out(`${compressHostlist((name ?? '').split(','))}\n`)
    return 0
  }
  if (/^reserv/.test(entity)) {
    call.out('No reservations in the system\n')
    return 0
  }
  if (/^(node|partition|assoc|step|topology|burst|feder|licen)/.test(entity))
    throw new CommandFailure(`fake-slurm: scontrol show ${entity} is not there`)
  throw new CommandFailure(`invalid entity:${entity} for keyword:show `)
}

function showJob(state: ClusterState, call: CommandCall, id: string | undefined, oneLine: boolean): number {
  const selector = id === undefined ? undefined : parseIdSelector(id)
  if (id !== undefined && !selector) throw new CommandFailure('scontrol_print_job error: Invalid job id specified')
  const jobs = selector ? findRecords(state, selector) : [...state.jobs.values()]
  if (jobs.length === 0 && selector) throw new CommandFailure('slurm_load_jobs error: Invalid job id specified')
  if (jobs.length === 0) call.out('No jobs in the system\n')
  for (const job of jobs) {
    const [task] = selector?.tasks ?? []
    const one = job.pendingTasks && task !== undefined ? { ...job, arrayTask: task, pendingTasks: undefined } : job
    const lines = printJobRecord(state, one)
    call.out(oneLine ? `${lines.join(' ')} \n` : `${lines.join('\n   ')}\n   \n\n`)
  }
  return 0
}

function change(state: ClusterState, life: JobLife, call: CommandCall, verb: string, words: readonly string[]): number {
  if (words.length === 0) throw new CommandFailure(`too few arguments for keyword:${verb}`)
  let code = 0
  for (const id of words.flatMap(splitIds)) {
    const refused = changeOne(state, life, verb, id)
    if (refused === undefined) continue
    call.err(`${refused} for job ${id}\n`)
    if (verb === 'hold' || verb === 'uhold' || verb === 'release') call.err(`slurm_suspend error: ${refused}\n`)
    code = 1
  }
  return code
}

/** The refusal, or undefined when it was done. */
function changeOne(state: ClusterState, life: JobLife, verb: string, id: string): string | undefined {
  const selector = parseIdSelector(id)
  const records = selector ? findRecords(state, selector) : []
  if (verb === 'suspend' || verb === 'resume') return records.length === 0 ? 'Unexpected message received' : 'Access/permission denied'
  if (records.length === 0) return 'Invalid job id specified'
  for (const record of records) {
    const [task] = selector?.tasks ?? []
    const job = record.pendingTasks && task !== undefined ? splitTask(state, record, task) : record
    if (verb === 'hold' || verb === 'uhold') {
      if (job.state === 'PENDING') life.hold(job)
      else if (!isEnded(job)) job.reason = 'JobHeldUser'
    } else if (verb === 'release') {
      if (job.state === 'PENDING') life.release(job)
    } else if (job.state === 'PENDING') return 'Job is pending execution'
    else if (!job.request.requeue) return 'Requested operation is presently disabled'
    else life.requeue(job, verb === 'requeuehold')
  }
  return undefined
}

function update(state: ClusterState, life: JobLife, call: CommandCall, words: readonly string[]): number {
  if (words.length === 0) throw new CommandFailure('too few arguments for update keyword')
  const given = words.map((word) => [word.split('=')[0]?.toLowerCase() ?? '', word.slice(word.indexOf('=') + 1), word] as const)
  const id = given.find(([key]) => key === 'jobid' || key === 'job')?.[1]
  if (id === undefined) throw new CommandFailure('fake-slurm: scontrol update of anything but jobs is not there')
  for (const [key, , word] of given) {
    if (!['jobid', 'job', 'starttime', 'timelimit', 'arraytaskthrottle', 'comment', 'priority'].includes(key)) {
      throw new CommandFailure(`Update of this parameter is not supported: ${word}\nRequest aborted`)
    }
  }
  const selector = parseIdSelector(id)
  const records = selector ? findRecords(state, selector) : []
  if (records.length === 0) throw new CommandFailure(`Invalid job id specified for job ${id}`)
  for (const job of records) for (const [key, value] of given) updateOne(state, job, key, value, id)
  life.wake()
  call.out('')
  return 0
}

function updateOne(state: ClusterState, job: SlurmJob, key: string, value: string, id: string): void {
  if (key === 'jobid' || key === 'job' || key === 'comment') return
  if (key === 'starttime' && isEnded(job)) return
  if (isEnded(job)) throw new CommandFailure(`Job has already finished for job ${id}`)
  if (key === 'arraytaskthrottle') job.throttle = Number(value)
  if (key === 'priority') job.priority = Number(value)
  if (key === 'timelimit') {
    const minutes = parseTimeLimit(value)
    if (minutes === undefined) throw new CommandFailure('Invalid TimeLimit value')
    if (minutes > job.minutes) throw new CommandFailure(`Access/permission denied for job ${id}`)
    job.minutes = minutes
  }
  if (key === 'starttime') {
    const ms = parseInstant(value, state.clock.now())
    if (ms === undefined) throw new CommandFailure(`Invalid time specification (pos=0): ${value}`)
    job.beginMs = ms
    job.eligibleMs = ms
  }
}
