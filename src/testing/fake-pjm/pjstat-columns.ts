import { PJM_ENDED, PJM_WORDS, type PjmJob, type PjmWord } from './pjm-job.ts'
import { endOf, type PjmState, parentWord } from './pjm-state.ts'
import { printDate, printInstant, printSpan, printSpanWithSeconds } from './pjm-times.ts'

/** One item of `--choose`: title and width of its column (gap included), key of its block, and what it holds. */
export interface PjmColumn {
  readonly title: string
  readonly width: number
  readonly key: string
  cell(state: PjmState, job: PjmJob): string
}

/** The state word of a job, or the summary of a parent. */
export function shownWord(state: PjmState, job: PjmJob): string {
  const word: PjmWord = job.isParent ? parentWord(state, job) : job.word
  return state.settings.words === 'long' ? PJM_WORDS[word] : word
}

/** A parent's EC is `-` [P]; those of unfinished jobs are 0 [V]. */
const ended = (value: (job: PjmJob) => number) => (_: PjmState, job: PjmJob) => (job.isParent ? '-' : String(value(job)))

const elapsed = (state: PjmState, job: PjmJob): number => (job.startMs === undefined ? 0 : (endOf(state, job) ?? state.now()) - job.startMs)

/** Titles and widths of `pjstat -v` on Fugaku and an Arm cluster [V]; items as OpenComposer lists them from the manual [P]. */
export const COLUMNS: Readonly<Record<string, PjmColumn>> = {
  jid: { title: 'JOB_ID', width: 11, key: 'JOB ID', cell: (_, job) => job.publicId },
  jnam: { title: 'JOB_NAME', width: 11, key: 'JOB NAME', cell: (_, job) => job.request.name },
  jmdl: { title: 'MD', width: 3, key: 'JOB MODEL', cell: (_, job) => job.model },
  st: { title: 'ST', width: 4, key: 'STATE', cell: shownWord },
  usr: { title: 'USER', width: 9, key: 'USER', cell: (state) => state.settings.user.name },
  grp: { title: 'GROUP', width: 9, key: 'GROUP', cell: (_, job) => job.request.group },
  sdt: {
    title: 'START_DATE',
    width: 16,
    key: 'JOB START DATE',
    cell: (_, job) => (job.startMs === undefined ? '-' : printInstant(job.startMs)),
  },
  elp: { title: 'ELAPSE_TIM', width: 11, key: 'ELAPSE TIME (USE)', cell: (state, job) => printSpan(elapsed(state, job)) },
  elpl: {
    title: 'ELAPSE_LIM',
    width: 22,
    key: 'ELAPSE TIME (LIMIT)',
    cell: (_, job) => (job.model === 'ST' && job.isParent ? '-' : printSpan(job.request.elapseMs)),
  },
  nnumr: {
    title: 'NODE_REQUIRE',
    width: 16,
    key: 'NODE NUM (REQUIRE)',
    cell: (_, job) => (job.model === 'ST' && job.isParent ? '-' : job.request.nodeText),
  },
  vnode: { title: 'VNODE', width: 7, key: 'VNODE', cell: () => '-' },
  core: { title: 'CORE', width: 5, key: 'CORE', cell: () => '-' },
  vmem: { title: 'V_MEM', width: 13, key: 'V_MEM', cell: () => '-' },
  vpol: { title: 'V_POL', width: 6, key: 'V_POL', cell: () => '-' },
  epol: { title: 'E_POL', width: 6, key: 'E_POL', cell: () => '-' },
  rankm: { title: 'RANK', width: 10, key: 'RANK', cell: () => 'bychip' },
  lst: { title: 'LST', width: 4, key: 'LAST STATE', cell: (_, job) => job.last },
  ec: { title: 'EC', width: 4, key: 'EXIT CODE', cell: ended((job) => job.ec) },
  pc: { title: 'PC', width: 4, key: 'PJM CODE', cell: ended((job) => job.pc) },
  sn: { title: 'SN', width: 3, key: 'SIGNAL NO', cell: ended((job) => job.sn) },
  pri: { title: 'PRI', width: 4, key: 'PRIORITY', cell: (_, job) => job.request.priority },
  adt: { title: 'ACCEPT', width: 15, key: 'ACCEPT DATE', cell: (_, job) => printInstant(job.acceptMs) },
  rscg: { title: 'RSC_GRP', width: 9, key: 'RESOURCE GROUP', cell: (_, job) => job.request.rscgrp },
  ermsg: { title: 'REASON', width: 16, key: 'REASON', cell: (_, job) => job.reason },
}

/** Columns of the plain table and of `-v`, in order. */
export const PLAIN_ITEMS = ['jid', 'jnam', 'jmdl', 'st', 'usr', 'sdt', 'elpl', 'nnumr', 'vnode', 'core', 'vmem']
export const VERBOSE_ITEMS = [
  ...['jid', 'jnam', 'jmdl', 'st', 'usr', 'grp', 'sdt', 'elp', 'elpl', 'nnumr', 'vnode', 'core', 'vmem', 'vpol', 'epol', 'rankm'],
  ...['lst', 'ec', 'pc', 'sn', 'pri', 'adt', 'rscg', 'ermsg'],
]

/**
 * Lines of a table: every cell but the job id's is cut to its column's width less one (REASON to 16) and padded to it; an id
 * that is longer than its column moves the rest of its line, which is what a printf does [I]. `chosen`: REASON is 31 wide [I].
 */
export function tableLines(state: PjmState, jobs: readonly PjmJob[], items: readonly string[], chosen: boolean): readonly string[] {
  const columns = items.map((item) => {
    const column = columnOf(item)
    return { ...column, width: chosen && item === 'ermsg' ? 31 : column.width }
  })
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => {
        const { width = 0, title } = columns[at] ?? {}
        const room = title === 'REASON' || title === 'START_DATE' ? width : width - 1
        if (title !== 'JOB_ID') return cell.slice(0, room).padEnd(width)
        return cell.length < width ? cell.padEnd(width) : `${cell} `
      })
      .join('')
  return [line(columns.map(({ title }) => title)), ...jobs.map((job) => line(columns.map((column) => column.cell(state, job))))]
}

/** CSV: the head begins with `H`, rows with an empty field [V]. */
export function csvLines(state: PjmState, jobs: readonly PjmJob[], items: readonly string[]): readonly string[] {
  const columns = items.map(columnOf)
  const cell = (column: PjmColumn, job: PjmJob): string => {
    const text = column.cell(state, job)
    return state.settings.csvNamesCut && column.title === 'JOB_NAME' ? text.slice(0, 10) : text
  }
  return [
    ['H', ...columns.map(({ title }) => title)].join(','),
    ...jobs.map((job) => ['', ...columns.map((column) => cell(column, job))].join(',')),
  ]
}

const YEARLY: Readonly<Record<string, (state: PjmState, job: PjmJob) => string>> = {
  sdt: (_, job) => (job.startMs === undefined ? '-' : printDate(job.startMs)),
  adt: (_, job) => printDate(job.acceptMs),
  elp: (state, job) => printSpanWithSeconds(elapsed(state, job)),
  elpl: (_, job) => printSpanWithSeconds(job.request.elapseMs),
  // A signal leaves no exit code in this form [P].
  ec: (_, job) => (job.isParent || job.sn > 0 ? '-' : String(job.ec)),
  sn: (_, job) => (job.isParent || job.sn === 0 ? '-' : String(job.sn)),
}

/** `-s`: ` KEY : value` lines, a block per job [V on FX100, head line P on V4]. */
export function blockLines(state: PjmState, jobs: readonly PjmJob[], items: readonly string[]): readonly string[] {
  return jobs.flatMap((job) => [
    '[Job Statistical Information]',
    ...items.map((item) => {
      const column = columnOf(item)
      return ` ${column.key.padEnd(28)}: ${(YEARLY[item] ?? column.cell)(state, job)}`
    }),
    '',
  ])
}

function columnOf(item: string): PjmColumn {
  const column = COLUMNS[item]
  if (column === undefined) throw new Error(`the fake PJM has no column ${item}`)
  return column
}

/** Wisteria's front end: other columns, other words [V]. */
export function wisteriaLines(state: PjmState, jobs: readonly PjmJob[]): readonly string[] {
  const head = 'JOB_ID       JOB_NAME   STATUS  PROJECT    RSCGROUP          START_DATE        ELAPSE           TOKEN           NODE  GPU'
  const words: Readonly<Record<string, string>> = { EXT: 'END', CCL: 'CANCEL', HLD: 'HOLD', ERR: 'ERROR', QUE: 'QUEUED', ACC: 'QUEUED' }
  const lines = jobs.map((job) => {
    const word = job.isParent ? parentWord(state, job) : job.word
    const cells: readonly (readonly [string, number])[] = [
      [job.publicId, 13],
      [job.request.name.slice(0, 10), 11],
      [words[word] ?? (PJM_ENDED.has(word) ? 'END' : 'RUNNING'), 8],
      [job.request.group, 11],
      [job.request.rscgrp, 18],
      [job.startMs === undefined ? '-' : `${printInstant(job.startMs)}<`, 18],
      [printSpan(elapsed(state, job)).slice(2), 17],
      ['0.0', 16],
      [String(job.request.nodes), 6],
      ['-', 1],
    ]
    return cells
      .map(([text, width]) => text.padEnd(width))
      .join('')
      .trimEnd()
  })
  return [
    'Wisteria/BDEC-01 scheduled stop time: 2024/09/27(Fri) 09:00:00 (Remain: 31days 11:40:58)',
    '',
    ...(jobs.length === 0 ? ['No unfinished job found.'] : [head, ...lines]),
  ]
}
