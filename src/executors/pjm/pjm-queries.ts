import { quoteArgv, quoteShell } from '../../driver/quote.ts'
import { isEndState } from '../../task/states.ts'
import { nativeName, parseNativeName } from '../batch/native-name.ts'
import type { CommandOutcome, NativeJob, NativeQuery, QueryAnswer } from '../batch/scheduler.ts'
import { type PjmRow, parsePjstat } from './pjm-rows.ts'
import type { PjmSite } from './pjm-site.ts'
import { pjmEnd, pjmState, shortWord } from './pjm-states.ts'

/** Items of `--choose`; the reason stands last, for it may hold commas. */
const ITEMS = 'jid,jnam,jmdl,st,ec,pc,sn,adt,sdt,ermsg'
/** Job names in tables are cut to this. */
const CUT_NAME = 10

type View = 'active' | 'history'

/** `pjstat` for one of its two views, which have no job in common. */
export function pjstatCommand(site: PjmSite, view: View): readonly string[] {
  const own = view === 'active' ? site.activeCommand : site.historyCommand
  if (own !== undefined) return own
  const history = view === 'history' ? ['-H', `day=${site.historyDays}`] : []
  if (site.form === 'table') return ['pjstat', '-v', '-E', ...history]
  if (site.form === 'blocks') return ['pjstat', '-s', '-E', ...history, `--choose=${ITEMS}`]
  return ['pjstat', '-v', '-E', ...history, '--data', `--choose=${ITEMS}`]
}

/** Where names may be cut: what was submitted as the id that a row has, from the files of the submits. */
function wholeNames(root: string): string {
  const place = root === '~' || root.startsWith('~/') ? `"$HOME"${quoteShell(root.slice(1))}` : quoteShell(root)
  return `printf '%s\\n' "$text" | tr ', \\t' '\\n\\n\\n' | grep -E '^d-[a-z0-9]{8}$' | sort -u | while read -r cut; do
  for file in ${place}/jobs/"\${cut#d-}"??/*/submit.lock/id-*; do
    [ -f "$file" ] || continue
    id=$(sed -n 's/.*Job \\([0-9_]*\\) submitted.*/\\1/p' "$file" | tail -n 1)
    [ -z "$id" ] || printf 'drover-name %s %s\\n' "$id" "\${file#${place}/jobs/}"
  done
done`
}

/** Right after its end a job may be in neither view: asked again before it counts as gone. */
function askAgain(ids: readonly string[]): string {
  return `n=0
gone() { for id in ${quoteArgv(ids)}; do case $text in *"$id"*) ;; *) return 0 ;; esac; done; return 1; }
while [ "$n" -lt 2 ] && gone; do sleep 2; ask; n=$((n + 1)); done`
}

function command(site: PjmSite, view: View, { ids, name }: Parameters<NativeQuery['command']>[0]): string {
  // Only where names are cut is PJM itself asked for one.
  const filter = name !== undefined && site.form === 'table' && site.activeCommand === undefined ? ['--filter', `jnam=${name}`] : []
  const words = quoteArgv([...pjstatCommand(site, view), ...filter, ...(ids ?? [])])
  // The status stands behind the text in one line of its own: a text that was cut off has it in the middle of one.
  return `ask() { text=$(${words} </dev/null; printf 'drover-status %s\\n' "$?"); }
ask
${ids !== undefined && view === 'history' ? `${askAgain(ids)}\n` : ''}printf '%s\\n' "$text"
${wholeNames(site.root)}
echo 'drover-end${name === undefined ? '' : ` ${name}`}'`
}

const couldNotAsk = (reason: string): QueryAnswer => ({ kind: 'could_not_ask', reason })

/** PJM's words for an id that it does not know, or no more. */
const UNKNOWN_ID = /does not exist/i
const ERROR = /^\[ERR\.?\]/

/** What pjstat printed; no answer where anything but the wanted is there. */
function parse(site: PjmSite, view: View, { stdout, stderr, code }: CommandOutcome): QueryAnswer {
  const lines = stdout.split('\n')
  const [, wanted] = /^drover-end(?: (\S+))?$/.exec(lines.findLast((line) => line !== '') ?? '') ?? [undefined, undefined]
  const at = lines.findIndex((line) => /^drover-status \d+$/.test(line))
  if (at < 0 || !lines.some((line) => line.startsWith('drover-end')))
    return couldNotAsk(`the answer of pjstat was cut off${code ? ` (exit code ${code})` : ''}: ${stderr.trim().slice(-200)}`)
  const printed = lines.slice(0, at)
  const status = Number(lines[at]?.split(' ')[1])
  const errors = [...stderr.split('\n'), ...printed].filter((line) => ERROR.test(line) || (status !== 0 && UNKNOWN_ID.test(line)))
  const onlyUnknown = errors.length > 0 && errors.every((line) => UNKNOWN_ID.test(line))
  if ((status !== 0 || errors.length > 0) && !onlyUnknown) {
    const said = (errors.join('; ') || stderr.trim() || printed.join(' ').trim() || 'no message').slice(0, 300)
    return couldNotAsk(`pjstat does not answer (exit code ${status}): ${said}`)
  }
  const rows = parsePjstat(printed.filter((line) => !ERROR.test(line) && !UNKNOWN_ID.test(line)).join('\n'))
  if (rows === undefined) return couldNotAsk(`pjstat printed no table: ${printed.join(' ').trim().slice(0, 200)}`)
  return jobsOf(site, view, rows, namesOf(lines.slice(at + 1)), wanted)
}

/** `drover-name 238 k3j9x0a1b2/1/submit.lock/id-0` → id → native name. */
function namesOf(lines: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    lines.flatMap((line) => {
      const [, id, jobId, attempt] = /^drover-name (\S+) ([a-z0-9]+)\/(\d+)\//.exec(line) ?? []
      return id === undefined || jobId === undefined ? [] : [[id, nativeName(jobId, Number(attempt))] as const]
    }),
  )
}

const number = (text: string | undefined): number | undefined => (text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined)

function jobsOf(
  site: PjmSite,
  view: View,
  rows: readonly PjmRow[],
  names: ReadonlyMap<string, string>,
  wanted: string | undefined,
): QueryAnswer {
  const jobs: NativeJob[] = []
  const ids = rows.map((row) => /^(\d+(?:_\d+)?)(?:\[(\d+)(?:-(\d+))?\])?$/.exec(row.get('JOB_ID') ?? ''))
  const withParts = new Set(ids.flatMap((match) => (match?.[2] === undefined ? [] : [match[1]])))
  for (const [index, row] of rows.entries()) {
    const [, id, first, last = first] = ids[index] ?? []
    const word = row.get('ST')
    if (id === undefined || word === undefined || word === '') continue
    const written = row.get('JOB_NAME') ?? ''
    const isCut = written.length === CUT_NAME && /^d-[a-z0-9]{8}$/.test(written)
    const name = isCut ? (names.get(id) ?? (wanted?.startsWith(written) ? wanted : undefined)) : written
    // A job of ours that cannot be told apart: anything said of the others might be taken for silence about it.
    if (name === undefined) return couldNotAsk(`pjstat cuts job names, and which job ${id} (${written}…) is cannot be told`)
    if (parseNativeName(name) === undefined) continue
    const tasks = first === undefined ? undefined : indices(Number(first), Number(last))
    const isParent = tasks === undefined && (row.get('MD') === 'BU' || (row.get('MD') === 'ST' && !id.includes('_')) || withParts.has(id))
    const job = jobOf(site, row, word, isParent)
    if (job === undefined) return couldNotAsk(`job ${id} is ${word}, and pjstat does not say EC, PC and SN`)
    if (view === 'active' || isEndState(job.state)) jobs.push({ id, name, ...(tasks === undefined ? {} : { tasks }), ...job })
  }
  return { kind: 'answered', jobs }
}

const indices = (first: number, last: number): readonly number[] =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, offset) => first + offset)

/** State, cause and numbers of a row; an unknown word is a live one. Undefined: ended, and how is not told. */
function jobOf(site: PjmSite, row: PjmRow, word: string, isParent: boolean): Omit<NativeJob, 'id' | 'name' | 'tasks'> | undefined {
  const said = row.get('REASON')
  const text = said === undefined || said === '' || said === '-' ? undefined : said
  const short = shortWord(word, site.states)
  const state = short === undefined ? 'running' : (pjmState(short) ?? 'running')
  if (state !== 'ended') {
    const reason = short === 'HLD' ? `held${text === undefined ? '' : `: ${text}`}` : short === 'ERR' ? parked(text) : text
    return { word, state, ...(reason === undefined ? {} : { reason }) }
  }
  // A parent's word is a summary: how its sub-jobs ended is theirs to say.
  if (isParent && short === 'EXT') return { word, state: 'succeeded' }
  const numbers = { ec: number(row.get('EC')), pc: number(row.get('PC')), sn: number(row.get('SN')) }
  const end = pjmEnd(short ?? word, numbers, text)
  return end === undefined ? undefined : { word, ...end }
}

const parked = (text: string | undefined): string =>
  `parked by an error${text === undefined ? '' : ` (${text})`}: it stays until it is released (pjrls) or cancelled`

/** What is not over yet. */
export function pjmQueue(site: PjmSite): NativeQuery {
  return { command: (of) => command(site, 'active', of), parse: (outcome) => parse(site, 'active', outcome) }
}

/** What is over, as far back as the site remembers it. */
export function pjmHistory(site: PjmSite): NativeQuery {
  return { command: (of) => command(site, 'history', of), parse: (outcome) => parse(site, 'history', outcome) }
}
