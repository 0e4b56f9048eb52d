/** One job as pjstat prints it: title of a column (`JOB_ID`, `ST`, `EC`) → cell. */
export type PjmRow = ReadonlyMap<string, string>

/** Keys of the statistical information (`pjstat -s`) → the titles of the tables. */
const KEYS: Readonly<Record<string, string>> = {
  'JOB ID': 'JOB_ID',
  'JOB NAME': 'JOB_NAME',
  'JOB MODEL': 'MD',
  STATE: 'ST',
  'EXIT CODE': 'EC',
  'PJM CODE': 'PC',
  'SIGNAL NO': 'SN',
  'ACCEPT DATE': 'ACCEPT',
  'JOB START DATE': 'START_DATE',
  REASON: 'REASON',
}

/** Other titles of front ends → ours. */
const TITLES: Readonly<Record<string, string>> = { STATUS: 'ST', RSCGROUP: 'RSC_GRP' }

const title = (text: string): string => TITLES[text] ?? text

/**
 * Rows of pjstat, in whichever of its forms they come: CSV (`--data`), a table, or blocks of `KEY : value` (`-s`). Banners and
 * tables of counts are passed over. Undefined: something was printed, and it is none of these.
 */
export function parsePjstat(text: string): readonly PjmRow[] | undefined {
  const lines = text.split('\n')
  if (lines.some((line) => line.startsWith('H,'))) return csvRows(lines)
  if (lines.some((line) => /^JOB_ID\s/.test(line))) return tableRows(lines)
  if (lines.some((line) => /^\s*JOB ID\s*:/.test(line))) return blockRows(lines)
  const meaning = lines.filter((line) => line.trim() !== '' && !isCount(line))
  return meaning.length === 0 || meaning.some((line) => /^No unfinished job found/.test(line)) ? [] : undefined
}

/** The table of counts that older systems print first, and newer ones with --with-summary. */
function isCount(line: string): boolean {
  return /^\s*ACCEPT\s+QUEUED\b/.test(line) || /^s?(?:\s+\d+)+\s*$/.test(line)
}

/** `H,JOB_ID,ST` and `,238,RUN`. A reason may hold commas: what is too much belongs to the last column. */
function csvRows(lines: readonly string[]): readonly PjmRow[] | undefined {
  const rows: PjmRow[] = []
  let titles: readonly string[] = []
  for (const line of lines) {
    if (line.startsWith('H,')) titles = csvFields(line).slice(1).map(title)
    else if (line.startsWith(',') && titles.length > 0) {
      const fields = csvFields(line).slice(1)
      // A row that was cut short speaks of a job, and nobody knows what it said.
      if (fields.length < titles.length) return undefined
      const cells = [...fields.slice(0, titles.length - 1), fields.slice(titles.length - 1).join(',')]
      rows.push(new Map(titles.map((name, at) => [name, (cells[at] ?? '').trim()])))
    }
  }
  return rows
}

function csvFields(line: string): readonly string[] {
  return [...`,${line}`.matchAll(/,(?:"((?:[^"]|"")*)"(?=,|$)|([^,]*))/g)].map(
    ([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare ?? '',
  )
}

/**
 * A table of fixed width: cells begin where their titles do, for blanks stand inside START_DATE, ACCEPT and REASON. An id
 * longer than its column moves the rest of its line.
 */
function tableRows(lines: readonly string[]): readonly PjmRow[] {
  const rows: PjmRow[] = []
  let columns: readonly { readonly name: string; readonly at: number }[] = []
  for (const line of lines) {
    if (/^JOB_ID\s/.test(line)) {
      columns = [...line.matchAll(/\S+/g)].map((match) => ({ name: title(match[0]), at: match.index }))
      continue
    }
    const id = /^\d\S*/.exec(line)?.[0]
    if (columns.length === 0 || id === undefined) continue
    const second = columns[1]?.at ?? 0
    const next = id.length + (/\S/.exec(line.slice(id.length))?.index ?? 0)
    const shift = id.length >= second && second > 0 ? next - second : 0
    const cells = columns.map(({ name, at }, index): readonly [string, string] => {
      const end = columns[index + 1]?.at
      return [name, index === 0 ? id : line.slice(at + shift, end === undefined ? undefined : end + shift).trim()]
    })
    rows.push(new Map(cells))
  }
  return rows
}

/** Blocks of ` KEY : value`, each of which begins with the job's id. */
function blockRows(lines: readonly string[]): readonly PjmRow[] {
  const rows: Map<string, string>[] = []
  for (const line of lines) {
    const [, key = '', value = ''] = /^\s*([A-Z][A-Z ()]*?)\s*:(?: (.*))?$/.exec(line) ?? []
    const name = KEYS[key]
    if (name === undefined) continue
    if (name === 'JOB_ID') rows.push(new Map())
    rows.at(-1)?.set(name, value.trim())
  }
  // A signal leaves no exit code there, and an end without a signal no number of one.
  for (const row of rows) {
    if (row.get('EC') === '-' && /^\d+$/.test(row.get('SN') ?? '')) row.set('EC', '0')
    if (row.get('SN') === '-' && /^\d+$/.test(row.get('EC') ?? '')) row.set('SN', '0')
  }
  return rows
}
