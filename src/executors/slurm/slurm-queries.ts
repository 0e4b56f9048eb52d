import { quoteShell } from '../../driver/quote.ts'
import { isEndState } from '../../task/states.ts'
import { RowMemory } from '../batch/row-memory.ts'
import type { CommandOutcome, NativeJob, NativeQuery, QueryAnswer } from '../batch/scheduler.ts'
import { slurmState } from './slurm-states.ts'
import { CLOCK, WITHOUT_OWN } from './slurm-variables.ts'

/** `sacct --name` needs a beginning; no attempt in doubt is older. */
const HISTORY_SINCE = 'now-7days'

/** Epoch ms of `2026-11-21T19:00:00`; undefined for `N/A`, `Unknown`, `None`. */
export function slurmTime(text: string | undefined): number | undefined {
  const ms = text !== undefined && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(text) ? Date.parse(`${text}Z`) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}

/**
 * Numbers of an array expression: `7`, `0-3`, `1,5-9:2`, `[5-9%10]`, as queue and accounting print them. Undefined where it is
 * none, or was cut short (`1,5...%10`): such a row speaks of the tasks that no other row names.
 */
export function arrayIndices(text: string): readonly number[] | undefined {
  const inner = text.replace(/^\[|\]$/g, '').replace(/%\d+$/, '')
  if (inner === '') return undefined
  const indices: number[] = []
  for (const part of inner.split(',')) {
    const match = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(part)
    if (!match) return undefined
    const [first, last, step] = [Number(match[1]), Number(match[2] ?? match[1]), Number(match[3] ?? 1)]
    if (last < first || last - first > 10_000_000 || step < 1) return undefined
    for (let index = first; index <= last; index += step) indices.push(index)
  }
  return indices
}

/** `%i` holds at most 32 bytes, so indices are read from `%K`; but it alone names components of a heterogeneous job (`12+1`). */
const QUEUE_FORMAT = '%F|%K|%i|%T|%V|%S|%N|%r|%j'
const HISTORY_FIELDS = 'JobID,State,ExitCode,Submit,Start,NodeList,Reason,JobName'

/** Queue and accounting shorten long expressions of pending tasks (`[1,3,5...%10]`) unless told not to. */
const WHOLE = 'SLURM_BITSTR_LEN=0'

/** The scheduler answered, in so many words, that it does not know these. */
const UNKNOWN_ID = /Invalid job id specified/i

function lines(text: string): readonly string[] {
  return text.split('\n').filter((line) => line.trim() !== '')
}

/** What was printed where an error was expected is no answer. */
function couldNotAsk({ code, stdout, stderr }: CommandOutcome): QueryAnswer {
  const said = (stderr.trim() || stdout.trim() || 'no message').split('\n').slice(-2).join('; ')
  return { kind: 'could_not_ask', reason: `Slurm does not answer (exit code ${code ?? 'none'}): ${said.slice(0, 300)}` }
}

/** `squeue`: what is queued and runs, and for MinJobAge what has ended. The name stands last, for it may hold anything. */
export const slurmQueue: NativeQuery = {
  command({ ids, name, user }) {
    const which = ids === undefined ? '' : ` -j ${ids.map(quoteShell).join(',')}`
    const named = name === undefined ? '' : ` -n ${quoteShell(name)}`
    // The last line tells a whole answer from one that was cut off.
    return `${WITHOUT_OWN}; ${CLOCK} ${WHOLE} squeue -h -u ${quoteShell(user)} -t all${which}${named} -o ${quoteShell(QUEUE_FORMAT)} && echo 'drover-end'`
  },
  parse(outcome) {
    if (outcome.code !== 0) return UNKNOWN_ID.test(outcome.stderr) ? { kind: 'answered', jobs: [] } : couldNotAsk(outcome)
    const rows = lines(outcome.stdout)
    if (rows.at(-1) !== 'drover-end') return { kind: 'could_not_ask', reason: 'the answer of squeue was cut off' }
    return { kind: 'answered', jobs: queueRows.jobsOf(rows.slice(0, -1)) }
  },
}

const queueRows = new RowMemory((line) => {
  const [id, index, shown, word, submitted, start, nodes, reason, ...name] = line.split('|')
  if (id === undefined || !/^\d+$/.test(id) || shown === undefined || word === undefined || reason === undefined) return []
  // A heterogeneous job is its first component, whose script it runs.
  if (/^\d+\+[1-9]\d*$/.test(shown)) return []
  return [nativeJob({ id, index, word, submitted, start, nodes, reason, name: name.join('|') })]
})

/**
 * `sacct`: what has ended. Rows that speak of live jobs are left out: accounting lags, and what the queue does not know does
 * not run. Exit codes are those of the plain form: `sacct --json` of Slurm 22.05 says 0 of a job that exited 3.
 */
export const slurmHistory: NativeQuery = {
  command({ ids, name }) {
    const which = ids === undefined ? '' : ` -j ${ids.map(quoteShell).join(',')}`
    const named = name === undefined ? '' : ` --name=${quoteShell(name)} -S ${HISTORY_SINCE}`
    return `${WITHOUT_OWN}; ${CLOCK} ${WHOLE} sacct -X -D -P -n${which}${named} -o ${HISTORY_FIELDS} && echo 'drover-end'`
  },
  parse(outcome) {
    if (outcome.code !== 0) return couldNotAsk(outcome)
    const rows = lines(outcome.stdout)
    if (rows.at(-1) !== 'drover-end') return { kind: 'could_not_ask', reason: 'the answer of sacct was cut off' }
    const jobs = rows.slice(0, -1).flatMap((line): readonly NativeJob[] => {
      const [jobId, word, exit, submitted, start, nodes, reason, ...name] = line.split('|')
      const [, id, index] = /^(\d+)(?:_(\d+|\[[^\]]*\])|\+0)?$/.exec(jobId ?? '') ?? []
      if (id === undefined || word === undefined || exit === undefined || reason === undefined) return []
      const job = nativeJob({ id, index, word, submitted, start, nodes, reason, name: name.join('|'), exit })
      return isEndState(job.state) ? [job] : []
    })
    return { kind: 'answered', jobs }
  },
}

interface Row {
  readonly id: string
  readonly index: string | undefined
  readonly word: string
  readonly submitted: string | undefined
  readonly start: string | undefined
  readonly nodes: string | undefined
  readonly reason: string
  readonly name: string
  /** `code:signal`. */
  readonly exit?: string
}

/** An unknown word is a live one: only words that are understood end a job. */
function nativeJob({ id, index, word, submitted, start, nodes, reason, name, exit }: Row): NativeJob {
  const { state, cause } = slurmState(word) ?? { state: 'running' as const }
  const tasks = index === undefined || index === 'N/A' ? undefined : arrayIndices(index)
  const [submittedAt, startedAt] = [slurmTime(submitted), slurmTime(start)]
  const ended = endOf(state, cause, exit)
  return {
    id,
    name,
    ...(tasks === undefined ? {} : { tasks }),
    word,
    state,
    ...ended,
    ...(reason === '' || reason === 'None' ? {} : { reason }),
    ...(submittedAt === undefined ? {} : { submittedAt }),
    ...(startedAt === undefined ? {} : state === 'queued' ? { expectedStart: startedAt } : { startedAt }),
    ...(nodes === undefined || nodes === '' || nodes === 'None assigned' ? {} : { nodes }),
  }
}

/** Signal 53 is Slurm's way to say that it could not make the output file. */
const NO_OUTPUT_FILE = 53
const OUT_OF_MEMORY = 125

function endOf(state: NativeJob['state'], cause: string | undefined, exit: string | undefined): Pick<NativeJob, 'cause' | 'exitCode'> {
  const [code, signal] = (exit ?? '').split(':').map(Number)
  const known = exit !== undefined && Number.isInteger(code) && Number.isInteger(signal)
  if (!isEndState(state) || !known) return cause === undefined ? {} : { cause }
  // 0:0 of a job that was ended (time limit, preemption, scancel) is no code of its script; 0:125 is lack of memory.
  if (!code && !signal && state !== 'succeeded') return cause === undefined ? {} : { cause }
  const exitCode = signal === OUT_OF_MEMORY ? 137 : signal ? 128 + signal : (code ?? 0)
  if (cause === 'exit' && signal === NO_OUTPUT_FILE) return { cause: 'driver', exitCode: 1 }
  return { ...(cause === undefined ? {} : { cause: cause === 'exit' && signal ? 'signal' : cause }), exitCode }
}
