import type { CommandCall } from '../fake-commands/command-call.ts'
import { printArrayTasks } from './array-tasks.ts'
import type { ClusterState } from './cluster-state.ts'
import { OptionError, optionTable, type ParsedOptions, parseOptions } from './command-options.ts'
import { isActive, readStates, recordsOfIds, splitIds } from './job-filters.ts'
import { type CommandContext, CommandFailure, SLURM_VERSION } from './slurm-command.ts'
import { type SlurmJob, STATE_CODES, shownState } from './slurm-job.ts'
import { printQueueField, QUEUE_HEADERS } from './squeue-fields.ts'

const OPTIONS = optionTable(`
  account=,A array,r noheader,h format=,o jobs=?,j name=,n me partition=,p states=,t user=,u start sort=,S all,a version,V
  clusters=,M steps=?,s nodelist=,w qos=,q reservation=,R long,l verbose,v hide federation local priority,P Format=,O json yaml
`)
const DEFAULT_FORMAT = '%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R'
const START_FORMAT = '%.18i %.9P %.8j %.8u %.2t %.19S %.6D %20Y %R'

/** squeue -o. Without -t only what has not ended; sorted by partition, state code and priority as squeue does by default. */
export function squeue({ state }: CommandContext, call: CommandCall): number {
  const { options, rest } = readOptions(call)
  const last = new Map(options.map(({ name, value }) => [name, value]))
  if (last.has('version')) {
    call.out(`slurm-wlm ${SLURM_VERSION}\n`)
    return 0
  }
  for (const name of ['json', 'yaml', 'steps', 'Format', 'long', 'sort'] as const) {
    if (last.has(name)) throw new CommandFailure(`fake-slurm: squeue --${name} is not there`)
  }
  if (rest.length > 0) throw new CommandFailure(`squeue: error: Unrecognized option: ${rest[0]}\nTry "squeue --help" for more information`)
  const user = last.get('user')
  let userFails = false
  if (user !== undefined && user !== state.settings.user.name && user !== String(state.settings.user.uid)) {
    call.err(`squeue: error: Invalid user: ${user}\n\n`)
    userFails = true
  }
  const ids = last.get('jobs') || rest[0]
  let jobs = ids === undefined ? [...state.jobs.values()] : recordsOfIds(state, 'squeue', ids)
  if (ids !== undefined && jobs.length === 0 && splitIds(ids).length === 1 && /^\d+$/.test(ids)) {
    throw new CommandFailure('slurm_load_jobs error: Invalid job id specified')
  }
  const states = last.has('states') ? readStates('squeue', last.get('states') ?? '') : 'active'
  const names = last.get('name')?.split(',')
  const partitions = last.get('partition')?.split(',')
  jobs = jobs.filter((job) => {
    if (userFails) return false
    if (names && !names.includes(job.request.name)) return false
    if (partitions && !partitions.includes(job.request.partition)) return false
    if (last.has('start')) return job.state === 'PENDING' && !job.completing
    return states === 'active' ? isActive(job) : states === undefined || states.has(shownState(job)) || states.has(job.state)
  })
  const format = last.get('format') ?? call.env['SQUEUE_FORMAT'] ?? (last.has('start') ? START_FORMAT : DEFAULT_FORMAT)
  const lines: string[] = []
  const columns = parseFormat(format)
  if (!last.has('noheader')) lines.push(printLine(columns, (key) => QUEUE_HEADERS[key] ?? ''))
  const print = createPrinter(state, columns, call.env)
  for (const job of sortJobs(jobs)) {
    if (last.has('array') && job.pendingTasks && job.state === 'PENDING') {
      for (const task of job.pendingTasks) lines.push(print({ ...job, arrayTask: task, pendingTasks: undefined }))
    } else lines.push(print(job))
  }
  if (lines.length > 0) call.out(`${lines.join('\n')}\n`)
  return 0
}

function readOptions(call: CommandCall): ParsedOptions {
  try {
    return parseOptions(OPTIONS, joinJobsValue(call.argv), false)
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new CommandFailure(`squeue: ${error.message}\nTry "squeue --help" for more information`)
  }
}

/** `-j 5` in two words: squeue takes the next word though the value is optional. */
function joinJobsValue(argv: readonly string[]): readonly string[] {
  return argv.flatMap((word, index) => {
    if ((word === '-j' || word === '--jobs') && argv[index + 1] !== undefined && !argv[index + 1]?.startsWith('-')) {
      return [`--jobs=${argv[index + 1]}`]
    }
    const before = argv[index - 1]
    return (before === '-j' || before === '--jobs') && !word.startsWith('-') ? [] : [word]
  })
}

function sortJobs(jobs: readonly SlurmJob[]): readonly SlurmJob[] {
  const code = (job: SlurmJob): string => STATE_CODES[shownState(job)]
  const keyed = jobs.map((job) => ({ job, partition: job.request.partition, code: code(job) }))
  keyed.sort(
    (a, b) => compare(a.partition, b.partition) || compare(a.code, b.code) || b.job.priority - a.job.priority || a.job.id - b.job.id,
  )
  return keyed.map(({ job }) => job)
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** A piece of a format: text as it stands, or a field with its width. */
export interface FormatPiece {
  readonly text: string
  readonly key?: string
  readonly width: number
  readonly right: boolean
}

/** Pieces of `%.18i|%T`. Widths cut and pad; a dot aligns to the right. */
export function parseFormat(format: string): readonly FormatPiece[] {
  const pieces: FormatPiece[] = []
  for (const [, right, width, key, text] of format.matchAll(/%(\.)?(\d+)?([A-Za-z])|((?:[^%]|%(?![.\dA-Za-z]))+)/g)) {
    if (key !== undefined) pieces.push({ text: '', key, width: Number(width ?? 0), right: right !== undefined })
    else pieces.push({ text: (text ?? '').replaceAll('\\n', '\n').replaceAll('\\t', '\t').replaceAll('%%', '%'), width: 0, right: false })
  }
  return pieces
}

/** One line of a format. */
export function printLine(pieces: readonly FormatPiece[], field: (key: string) => string): string {
  let line = ''
  for (const piece of pieces) {
    if (piece.key === undefined) line += piece.text
    else {
      const value = field(piece.key)
      if (piece.width === 0) line += value
      else line += piece.right ? value.slice(0, piece.width).padStart(piece.width) : value.slice(0, piece.width).padEnd(piece.width)
    }
  }
  return line
}

function createPrinter(state: ClusterState, columns: readonly FormatPiece[], env: Readonly<Record<string, string>>) {
  const length = env['SLURM_BITSTR_LEN'] === undefined ? undefined : Number(env['SLURM_BITSTR_LEN'])
  const now = state.clock.now()
  return (job: SlurmJob): string => {
    const tasks = job.pendingTasks && job.state === 'PENDING' ? printArrayTasks(job.pendingTasks, job.throttle, length) : undefined
    return printLine(columns, (key) => printQueueField(state, job, key, tasks, now))
  }
}
