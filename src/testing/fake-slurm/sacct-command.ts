import type { CommandCall } from '../fake-commands/command-call.ts'
import type { AccountingRow, StepRow } from './accounting.ts'
import { OptionError, optionTable, type ParsedOptions, parseOptions } from './command-options.ts'
import { compressHostlist } from './hostlist.ts'
import { splitIds } from './job-filters.ts'
import { type CommandContext, CommandFailure, SLURM_VERSION } from './slurm-command.ts'
import { STATE_CODES } from './slurm-job.ts'
import { parseInstant, printInstant, printLongSpan } from './slurm-times.ts'

const OPTIONS = optionTable(`
  allocations,X parsable2,P parsable,p noheader,n duplicates,D jobs=,j name= starttime=,S endtime=,E format=,o state=,s
  user=,u uid= allusers,a account=,A partition=,r cluster=,M clusters= version,V truncate,T delimiter= array federation local
  long,l brief,b qos=,q units= json yaml helpformat,e
`)
const DEFAULT_FIELDS = 'jobid,jobname,partition,account,alloccpus,state,exitcode'
const WIDTHS: Readonly<Record<string, number>> = { jobid: -12, exitcode: 8, submit: 19, start: 19, end: 19, nodelist: 15, reason: 22 }

interface Printed {
  readonly row: AccountingRow
  readonly step: StepRow | undefined
}

/** sacct: reads the database alone, never the controller. */
export function sacct({ state }: CommandContext, call: CommandCall): number {
  const last = new Map(readOptions(call).options.map(({ name, value }) => [name, value]))
  if (last.has('version')) {
    call.out(`slurm-wlm ${SLURM_VERSION}\n`)
    return 0
  }
  if (!state.settings.accounting) throw new CommandFailure('Slurm accounting storage is disabled')
  for (const name of ['json', 'yaml', 'long', 'brief', 'helpformat'] as const) {
    if (last.has(name)) throw new CommandFailure(`fake-slurm: sacct --${name} is not there`)
  }
  const fields = (last.get('format') ?? DEFAULT_FIELDS).split(',').filter((field) => field !== '')
  for (const field of fields) {
    if (!(fieldName(field) in FIELDS)) throw new CommandFailure(`sacct: error: Invalid field requested: "${field}"`)
  }
  const now = state.clock.now()
  const user = last.get('user')
  if (user !== undefined && ![state.settings.user.name, String(state.settings.user.uid)].includes(user)) {
    throw new CommandFailure(`sacct: error: Invalid user id: ${user}`)
  }
  const rows = selectRows(state.accounting.rows(), last, now)
  const printed: Printed[] = rows.flatMap((row) => [
    { row, step: undefined },
    ...(last.has('allocations') ? [] : row.steps.map((step) => ({ row, step }))),
  ])
  const cell = (one: Printed, field: string): string => FIELDS[fieldName(field)]?.(one.row, one.step, state.settings, now) ?? ''
  const lines: string[] = []
  if (last.has('parsable2') || last.has('parsable')) {
    const delimiter = last.get('delimiter') ?? '|'
    const end = last.has('parsable') ? delimiter : ''
    if (!last.has('noheader')) lines.push(fields.map((field) => HEADERS[fieldName(field)] ?? field).join(delimiter) + end)
    for (const one of printed) lines.push(fields.map((field) => cell(one, field)).join(delimiter) + end)
  } else lines.push(...alignedLines(fields, printed, cell, !last.has('noheader')))
  if (lines.length > 0) call.out(`${lines.join('\n')}\n`)
  return 0
}

function readOptions(call: CommandCall): ParsedOptions {
  try {
    return parseOptions(OPTIONS, call.argv, false)
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new CommandFailure(`sacct: ${error.message}\nTry "sacct --help" for more information`)
  }
}

function fieldName(field: string): string {
  return (field.split('%')[0] ?? '').toLowerCase()
}

function selectRows(all: readonly AccountingRow[], last: ReadonlyMap<string, string>, now: number): readonly AccountingRow[] {
  const ids = last.get('jobs')
  const selectors = ids === undefined ? undefined : splitIds(ids).map(readSelector)
  // Without ids: since midnight, and only jobs that were ever eligible (a held one is not).
  const midnight = new Date(now).setHours(0, 0, 0, 0)
  const since = instantOption(last.get('starttime'), now) ?? (selectors ? 0 : midnight)
  const until = instantOption(last.get('endtime'), now) ?? Number.POSITIVE_INFINITY
  const states = last.get('state')?.toUpperCase().split(',')
  const names = last.get('name')?.split(',')
  let rows = all.filter((row) => {
    if (selectors ? !selectors.some((one) => one(row)) : !row.eligible) return false
    if (names && !names.includes(row.name)) return false
    const code = Object.entries(STATE_CODES).find(([word]) => row.state.startsWith(word))?.[1]
    if (states && !states.some((one) => one === code || row.state.startsWith(one))) return false
    return (row.endMs ?? Number.POSITIVE_INFINITY) >= since && row.submitMs <= until
  })
  if (!last.has('duplicates')) {
    const newest = new Map<number, AccountingRow>()
    for (const row of rows) newest.set(row.rawId, row)
    rows = rows.filter((row) => newest.get(row.rawId) === row)
  }
  return rows
}

function instantOption(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  const ms = parseInstant(text, now)
  if (ms === undefined) throw new CommandFailure(`Invalid time specification (pos=0): ${text}`)
  return ms
}

function readSelector(text: string): (row: AccountingRow) => boolean {
  const [, id, task, offset] = /^(\d+)(?:_(\d+|\[[0-9,-]+\])|\+(\d+))?(?:\.\w+)?$/.exec(text) ?? []
  if (id === undefined) throw new CommandFailure(`sacct: fatal: Bad job/step specified: ${text}`)
  if (offset !== undefined) return (row) => row.rawId === Number(id) + Number(offset)
  if (task === undefined) return (row) => row.rawId === Number(id) || row.arrayJobId === Number(id) || row.job.het?.id === Number(id)
  const wanted = task.startsWith('[') ? undefined : Number(task)
  return (row) => row.arrayJobId === Number(id) && (wanted === undefined || row.arrayTask === wanted)
}

function alignedLines(
  fields: readonly string[],
  printed: readonly Printed[],
  cell: (one: Printed, field: string) => string,
  header: boolean,
): readonly string[] {
  const widths = fields.map((field) => Number(field.split('%')[1] ?? WIDTHS[fieldName(field)] ?? 10))
  const line = (cells: readonly string[]): string =>
    cells
      .map((text, index) => {
        const width = widths[index] ?? 10
        const cut = text.length > Math.abs(width) ? `${text.slice(0, Math.abs(width) - 1)}+` : text
        return `${width < 0 ? cut.padEnd(-width) : cut.padStart(width)} `
      })
      .join('')
  const heads = fields.map((field) => HEADERS[fieldName(field)] ?? field)
  const rows = printed.map((one) => line(fields.map((field) => cell(one, field))))
  return header ? [line(heads), line(widths.map((width) => '-'.repeat(Math.abs(width)))), ...rows] : rows
}

type Field = (row: AccountingRow, step: StepRow | undefined, settings: CommandContext['state']['settings'], now: number) => string

const FIELDS: Readonly<Record<string, Field>> = {
  jobid: (row, step) => (step ? `${row.publicId}.${step.step}` : row.publicId),
  jobidraw: (row, step) => (step ? `${row.rawId}.${step.step}` : String(row.rawId)),
  jobname: (row, step) => step?.name ?? row.name,
  state: (row, step) => step?.state ?? row.state,
  exitcode: (row, step) => step?.exit ?? row.exit,
  derivedexitcode: (_row, step) => (step ? '' : '0:0'),
  submit: (row, step) => printInstant(step?.startMs ?? row.submitMs),
  start: (row, step) => startText(row, step),
  end: (row, step) => instantOr(step ? step.endMs : row.endMs, 'Unknown'),
  eligible: (row) => (row.eligible ? printInstant(row.submitMs) : 'Unknown'),
  nodelist: (row, step) => compressHostlist(step?.nodes ?? row.nodes) || 'None assigned',
  reason: (row, step) => (step ? '' : row.reason),
  cluster: (_row, _step, settings) => settings.clusterName,
  partition: (row, step) => (step ? '' : row.job.request.partition),
  account: (row) => row.account,
  user: (_row, step, settings) => (step ? '' : settings.user.name),
  uid: (_row, step, settings) => (step ? '' : String(settings.user.uid)),
  qos: (row, step) => (step ? '' : row.job.request.qos),
  elapsed: (row, step, _settings, now) => printLongSpan(elapsed(row, step, now)),
  elapsedraw: (row, step, _settings, now) => String(Math.floor(elapsed(row, step, now) / 1000)),
  timelimit: (row, step) => (step ? '' : printLongSpan(row.job.minutes * 60_000)),
  timelimitraw: (row, step) => (step ? '' : String(row.job.minutes)),
  allocnodes: (row, step) => String(step?.nodes.length ?? row.nodes.length),
  nnodes: (row, step) => String(step?.nodes.length ?? (row.nodes.length || row.job.request.nodes)),
  alloccpus: (row) => String(row.nodes.length * row.job.request.tasksPerNode * row.job.request.cpusPerTask),
  ncpus: (row) => String(row.job.request.tasks * row.job.request.cpusPerTask),
  priority: (row, step) => (step ? '' : String(row.job.priority)),
  workdir: (row, step) => (step ? '' : row.job.request.workDir),
  comment: (row, step) => (step ? '' : (row.job.request.comment ?? '')),
  submitline: (row, step) => (step ? '' : row.job.request.submitLine),
  reqnodes: (row, step) => (step ? '' : String(row.job.request.nodes)),
}

const HEADERS: Readonly<Record<string, string>> = {
  jobid: 'JobID',
  jobidraw: 'JobIDRaw',
  jobname: 'JobName',
  state: 'State',
  exitcode: 'ExitCode',
  derivedexitcode: 'DerivedExitCode',
  submit: 'Submit',
  start: 'Start',
  end: 'End',
  eligible: 'Eligible',
  nodelist: 'NodeList',
  reason: 'Reason',
  cluster: 'Cluster',
  partition: 'Partition',
  account: 'Account',
  user: 'User',
  uid: 'UID',
  qos: 'QOS',
  elapsed: 'Elapsed',
  elapsedraw: 'ElapsedRaw',
  timelimit: 'Timelimit',
  timelimitraw: 'TimelimitRaw',
  allocnodes: 'AllocNodes',
  nnodes: 'NNodes',
  alloccpus: 'AllocCPUS',
  ncpus: 'NCPUS',
  priority: 'Priority',
  workdir: 'WorkDir',
  comment: 'Comment',
  submitline: 'SubmitLine',
  reqnodes: 'ReqNodes',
}

/** Of a job that waits `Unknown`; of one that ended without having begun `None`. */
function startText(row: AccountingRow, step: StepRow | undefined): string {
  const ms = step ? step.startMs : row.startMs
  return instantOr(ms, row.endMs === undefined ? 'Unknown' : 'None')
}

function instantOr(ms: number | undefined, none: string): string {
  return ms === undefined ? none : printInstant(ms)
}

function elapsed(row: AccountingRow, step: StepRow | undefined, now: number): number {
  const [start, end] = step ? [step.startMs, step.endMs] : [row.startMs, row.endMs]
  return start === undefined ? 0 : (end ?? now) - start
}
