import type { CommandCall } from '../fake-commands/command-call.ts'
import { OptionError, optionTable, parseOptions } from '../fake-slurm/command-options.ts'
import { PjmFailure } from './pjm-command.ts'
import type { PjmJob } from './pjm-job.ts'
import { jobsNamed, type PjmState, viewOf } from './pjm-state.ts'
import { blockLines, COLUMNS, csvLines, PLAIN_ITEMS, tableLines, VERBOSE_ITEMS, wisteriaLines } from './pjstat-columns.ts'

const OPTIONS = optionTable(
  'verbose,v stats,s stats-nodes,S expand,E all,A history=?,H hday= choose= data filter= with-summary rsc rscuse limit help',
)

/** What `-H` takes stands as a word of its own: `-H day=3`. */
function joined(argv: readonly string[]): readonly string[] {
  const words: string[] = []
  for (const word of argv) {
    if (/^day=/.test(word) && (words.at(-1) === '-H' || words.at(-1) === '--history')) words[words.length - 1] = `--history=${word}`
    else words.push(word)
  }
  return words
}

/** pjstat: those that have not ended, or with -H those that have; never both [V]. */
export function pjstat(state: PjmState, call: CommandCall): number {
  const { settings } = state
  let read: ReturnType<typeof parseOptions>
  try {
    read = parseOptions(OPTIONS, joined(call.argv), false)
  } catch (error) {
    if (error instanceof OptionError) throw new PjmFailure('0050', error.message)
    throw error
  }
  const given = (name: string): boolean => read.options.some((each) => each.name === name)
  const givenValue = (name: string): string | undefined => read.options.findLast((each) => each.name === name)?.value
  if (given('help')) {
    call.out('Usage: pjstat [options] [JOBID ...]\n')
    return 0
  }
  if (settings.pjstat === 'wisteria' && (given('data') || given('choose')))
    throw new PjmFailure(undefined, `pjstat: unrecognized option '${given('data') ? '--data' : '--choose'}'`)
  const view = given('history') || given('hday') ? 'history' : 'active'
  const filters = read.options.filter(({ name }) => name === 'filter').map(({ value }) => /^(jid|jnam|usr|st)=(.*)$/.exec(value))
  if (filters.some((each) => each === null)) throw new PjmFailure('0050', `Invalid value: filter=${givenValue('filter')}`)
  const operands = read.rest.flatMap((word) => {
    if (!/^\d/.test(word)) throw new PjmFailure('0050', `Invalid value: ${word}`)
    return [word]
  })
  const asked = [...operands, ...filters.flatMap((each) => (each?.[1] === 'jid' ? (each[2] ?? '').split('+') : []))]
  const names = filters.flatMap((each) => (each?.[1] === 'jnam' ? (each[2] ?? '').split('+') : []))
  const known = asked.length === 0 ? [...state.jobs.values()] : asked.flatMap((operand) => jobsNamed(state, operand))
  const parents = new Set(known.filter((job) => job.isParent).map((job) => job.id))
  const wanted = [...state.jobs.values()].filter((job) => known.includes(job) || (given('expand') && !job.isParent && parents.has(job.id)))
  const shown = wanted.filter(
    (job) =>
      viewOf(state, job) === view &&
      (job.number === undefined || given('expand') || asked.some((operand) => operand !== String(job.id))) &&
      (names.length === 0 || names.includes(job.request.name)),
  )
  const gone = asked.filter((operand) => !jobsNamed(state, operand).some((job) => viewOf(state, job) === view))
  if (asked.length === 1 && gone.length === 1 && settings.pjstat === 'tcs') {
    if (settings.oneEndedId === 'error') throw new PjmFailure('0110', `Job ${gone[0]} does not exist.`)
    if (settings.oneEndedId === 'empty') return 0
  }
  call.out(`${lines(state, shown, given, givenValue('choose')).join('\n')}\n`)
  return 0
}

function lines(state: PjmState, jobs: readonly PjmJob[], given: (name: string) => boolean, choose: string | undefined): readonly string[] {
  if (state.settings.pjstat === 'wisteria') return wisteriaLines(state, jobs)
  const chosen = choose?.split(',').filter((each) => each !== '')
  const unknown = chosen?.find((item) => COLUMNS[item] === undefined)
  if (unknown !== undefined) throw new PjmFailure('0050', `Invalid value: choose=${unknown}`)
  const items = chosen ?? (given('verbose') || given('stats') ? VERBOSE_ITEMS : PLAIN_ITEMS)
  if (given('data')) return csvLines(state, jobs, items)
  if (given('stats') || given('stats-nodes')) return blockLines(state, jobs, items)
  const table = tableLines(state, jobs, items, chosen !== undefined)
  if (state.settings.pjstat === 'fx10') return [...counts(jobs), ...(jobs.length === 0 ? [] : ['', ...table])]
  return given('verbose') ? table : ['', ...table]
}

/** The table of counts of older systems, in their own spelling [V]. */
function counts(jobs: readonly PjmJob[]): readonly string[] {
  const words: readonly (readonly string[])[] = [['ACC'], ['QUE'], [], [], ['RNA', 'RNP', 'RUN', 'RNE'], ['RNO'], [], ['HLD'], ['ERR']]
  const numbers = words.map((group) => jobs.filter((job) => group.includes(job.word)).length)
  const row = [...numbers, numbers.reduce((sum, each) => sum + each, 0)].map((each) => String(each).padStart(7)).join('')
  return ['  ACCEPT QUEUED  STGIN  READY RUNING RUNOUT STGOUT   HOLD  ERROR   TOTAL', ` ${row}`, `s${row}`]
}
