import { exitChecksum } from './exit-checksum.ts'
import { type ExitRecord, type JobEventLine, type RecordReading, type SlotLine, TOLD, type Told } from './protocol.ts'

/** What the complete lines of a piece of a file said. */
export interface LinesRead<Line> {
  readonly lines: readonly Line[]
  /** Where the incomplete last line begins, in the unit of the input: bytes, or characters of a string. Read on from there. */
  readonly rest: number
  /** Complete lines that are none of this format: torn by a full disk, or foreign. Blank lines are not counted. */
  readonly garbage: number
}

/**
 * Reads an exit record file: `exit 1 <rank> <code> <signal> <start> <end> <told> <phase> <checksum>`. A line counts when it is
 * complete and its checksum agrees, also behind a line torn by a full disk. Two such lines that differ are `unreadable`.
 */
export function parseExitRecord(input: string | Uint8Array): RecordReading {
  const lines = textOf(input).split('\n').slice(0, -1)
  const records: ExitRecord[] = []
  let why: string | undefined
  for (const line of lines) {
    if (line === '') continue
    const record = parseRecordLine(line)
    if (typeof record === 'string') why ??= record
    else records.push(record)
  }
  const [record, ...others] = records
  if (record === undefined) return why === undefined ? { kind: 'none' } : { kind: 'unreadable', why }
  const same = JSON.stringify(record)
  if (others.some((other) => JSON.stringify(other) !== same)) return { kind: 'unreadable', why: 'it holds two different records' }
  return { kind: 'record', record }
}

/** The record, or why there is none. */
function parseRecordLine(line: string): ExitRecord | string {
  const shown = JSON.stringify(line.slice(0, 120))
  const [word, version, rankText, ...fields] = line.split(' ')
  if (word !== 'exit') return `${shown} is no exit record`
  if (version !== '1') return `it has version ${JSON.stringify(version)}, which this Drover does not know`
  const [codeText, signalText, startText, endText, toldText, phase, sumText] = fields
  const rank = rankText === '-1' ? -1 : parseCount(rankText)
  const [code, signal, startedAt, endedAt, sum] = [codeText, signalText, startText, endText, sumText].map(parseCount)
  const told = parseTold(toldText)
  if (
    fields.length !== 7 ||
    rank === undefined ||
    code === undefined ||
    code > 255 ||
    signal === undefined ||
    startedAt === undefined ||
    endedAt === undefined ||
    sum === undefined ||
    told === undefined ||
    (phase !== 'setup' && phase !== 'run')
  ) {
    return `${shown} has a field that is none`
  }
  const record = { rank, code, signal, startedAt, endedAt, told, phase } as const
  return exitChecksum(record) === sum ? record : `${shown} does not agree with its checksum`
}

/** Reads lines `<seconds> <word> <key=value …>` of events/<rank>. A detail without `=` is left out. */
export function parseEventLines(input: string | Uint8Array): LinesRead<JobEventLine> {
  return parseLines(input, (line) => {
    const [seconds, word, ...details] = line.split(' ')
    const atSeconds = parseCount(seconds)
    if (atSeconds === undefined || word === undefined || !/^[a-z_]+$/.test(word)) return undefined
    const pairs = details.flatMap((detail) => {
      const at = detail.indexOf('=')
      return at > 0 ? [[detail.slice(0, at), detail.slice(at + 1)] as const] : []
    })
    return { atSeconds, word, detail: Object.fromEntries(pairs) }
  })
}

/** Reads lines `c <position> <cs>` and `r <position> <code> <told> <cs> <cs>` of slots/<k>. */
export function parseSlotLines(input: string | Uint8Array): LinesRead<SlotLine> {
  return parseLines(input, (line) => {
    const [kind, positionText, second, third, fourth, fifth, ...more] = line.split(' ')
    const position = parseCount(positionText)
    if (position === undefined || more.length > 0) return undefined
    if (kind === 'c' && third === undefined) {
      const at = parseCount(second)
      return at === undefined ? undefined : { kind: 'claim', position, at }
    }
    const [code, told, startedAt, endedAt] = [parseCount(second), parseTold(third), parseCount(fourth), parseCount(fifth)]
    if (kind !== 'r' || code === undefined || code > 255 || told === undefined) return undefined
    return startedAt === undefined || endedAt === undefined ? undefined : { kind: 'result', position, code, told, startedAt, endedAt }
  })
}

/** One ring of the doorbell. */
export interface BellLine {
  readonly jobId: string
  readonly attempt: number
  readonly word: string
  /** Of a native array: the task that rings. */
  readonly task?: number
}

/** Reads lines `<job-id> <attempt> <word> [<task>]` of the bell. */
export function parseBell(input: string | Uint8Array): LinesRead<BellLine> {
  return parseLines(input, (line) => {
    const [jobId, attemptText, word, taskText, ...more] = line.split(' ')
    const attempt = parseCount(attemptText)
    const task = parseCount(taskText)
    if (jobId === undefined || jobId === '' || attempt === undefined || word === undefined || more.length > 0) return undefined
    if (taskText !== undefined && task === undefined) return undefined
    return { jobId, attempt, word, ...(task === undefined ? {} : { task }) }
  })
}

/** `<pid>:<start time>:<boot id>`, as in native_id and claim/<n>/id. Undefined when it is none. */
export function parseIdentity(text: string): { readonly pid: number; readonly startTime: string; readonly bootId: string } | undefined {
  // The start time of `ps` holds colons itself.
  const [, pidText, startTime, bootId] = /^(\d+):(.*):([^:\n]*)\n?$/.exec(text) ?? []
  const pid = parseCount(pidText)
  return pid === undefined || startTime === undefined || bootId === undefined ? undefined : { pid, startTime, bootId }
}

/** Latin-1 keeps one character per byte, so that offsets of a text are offsets of the file; all fields are ASCII. */
function textOf(input: string | Uint8Array): string {
  return typeof input === 'string' ? input : Buffer.from(input).toString('latin1')
}

function parseLines<Line>(input: string | Uint8Array, parse: (line: string) => Line | undefined): LinesRead<Line> {
  const text = textOf(input)
  const rest = text.lastIndexOf('\n') + 1
  const lines: Line[] = []
  let garbage = 0
  for (const line of text.slice(0, rest).split('\n')) {
    if (line === '') continue
    const parsed = parse(line)
    if (parsed === undefined) garbage++
    else lines.push(parsed)
  }
  return { lines, rest, garbage }
}

/** A decimal without sign; undefined for anything else and for what a double cannot hold. */
function parseCount(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

function parseTold(text: string | undefined): Told | undefined {
  return TOLD.find((told) => told === text)
}
