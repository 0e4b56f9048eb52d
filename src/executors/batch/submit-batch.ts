import { quoteShell } from '../../driver/quote.ts'
import { DroverError } from '../../errors.ts'
import type { FileToWrite } from '../../transports/transport.ts'
import type { Io, Plan } from '../executor.ts'
import { placeFiles } from '../place-files.ts'
import type { BatchRefs } from './compile-batch.ts'
import { findSubmitted } from './find-submitted.ts'
import { commandOutcomes, framed } from './framed-commands.ts'
import type { GroupHead } from './group-head.ts'
import type { Scheduler, SubmitAnswer } from './scheduler.ts'
import type { SubmitGroups } from './submit-groups.ts'

/**
 * How long after a first answer "there is none" of the scheduler it is asked once more, before an attempt in doubt is
 * submitted again: a request that waited in a hung controller is carried out within moments of its coming back.
 */
export const DOUBT_MS = 10_000

/** What is known of an attempt whose submit had no answer. */
export interface Doubt {
  /** When the scheduler first said that it has none, epoch ms. */
  readonly noneSince: number
}

/** Remembers doubts between calls; keyed by `jobId/attempt`. */
export type Doubts = Map<string, Doubt>

/** What the submits of one target share. */
export interface SubmitMemory {
  readonly doubts: Doubts
  readonly groups: SubmitGroups
}

/**
 * Files without a program, whatever they hold: text by `printf`, which is a builtin. Those that are run get their mode together,
 * mostly by the head; they are much the same for every job.
 */
function writeLines(files: readonly FileToWrite[], jobId: string, head: GroupHead): string {
  const lines = files.map(({ path, mode, content }) => {
    const text = typeof content === 'string' ? content : Buffer.from(content).toString('utf8')
    const word = mode === 0o700 ? head.word(text, jobId) : quoteShell(text)
    return `${text === '' ? ':' : `printf %s ${word}`} >${quoteShell(path)} || exit 71`
  })
  const programs = files.filter(({ mode }) => mode === 0o700).map(({ path }) => path)
  if (programs.length === 0) return lines.join('\n')
  head.programs(programs)
  const words = programs.map(quoteShell)
  const ready = words.map((word) => `[ -x ${word} ]`).join(' && ')
  return [...lines, `{ ${ready}; } || chmod 700 ${words.join(' ')} || exit 71`].join('\n')
}

/**
 * Script that puts the files there and submits, all in one round trip; only one instance of it does. `again`: the lock of an
 * earlier try is there, and that try is known to have come to nothing. What it shares with others goes into their head.
 */
export function submitScript<Options>(
  scheduler: Scheduler<Options>,
  plan: Plan<BatchRefs>,
  secrets: Readonly<Record<string, string>>,
  again: boolean,
  head: GroupHead,
): string {
  const [place] = plan.places
  if (place === undefined) throw new DroverError('internal', `job ${plan.jobId} has no place`, { level: 'internal' })
  const { directories, files } = placeFiles(plan, place, secrets)
  const directory = quoteShell(place.attemptDir)
  head.directories([place.attemptDir, ...directories])
  if (scheduler.beforeSubmits !== undefined) head.once(scheduler.beforeSubmits)
  const made = directories.map((path) => `[ -d ${quoteShell(path)} ]`)
  const submits = plan.refs.scripts.map((script, part) => {
    const ids = `submit.lock/id-${part}`
    // A part that was accepted before is not submitted again; after a failure no further part is.
    return `if [ -s ${ids} ]; then
  ${framed(`submit-${part}`, `cat ${ids}`)}
elif [ "$failed" = 0 ]; then
  ${framed(`submit-${part}`, `${scheduler.submitCommand(script)} </dev/null`)}
  if [ "$code" = 0 ]; then while IFS= read -r line || [ "$line" ]; do printf '%s\\n' "$line"; done <"$out/stdout" >${ids}; else failed=1; fi
fi`
  })
  const taken = plan.refs.scripts.map((_, part) => `[ -s submit.lock/id-${part} ]`).join(' && ')
  return `cd ${directory} 2>/dev/null || { mkdir -p ${directory} && cd ${directory}; } || exit 70
out=submit.lock
if ${taken}; then
${plan.refs.scripts.map((_, part) => framed(`submit-${part}`, `cat submit.lock/id-${part}`)).join('\n')}
  exit 0
fi
if ! mkdir submit.lock 2>/dev/null; then
  ${again ? ':' : `echo 'drover-locked'; exit 0`}
fi
failed=0
{ ${['true', ...made].join(' && ')}; } || mkdir -p ${directories.map(quoteShell).join(' ')} || exit 71
${writeLines(files, plan.jobId, head)}
${submits.join('\n')}
`
}

/**
 * Submits an attempt, once: whatever answer was lost, it is looked for by its name before it is submitted again, and only
 * after the scheduler has said twice that it has none. Resolves to the native ids, joined by blanks.
 *
 * @throws DroverError `rejected` with the scheduler's message; `transport_failed`, transient, when nobody can tell yet
 */
export async function submitBatch<Options>(
  scheduler: Scheduler<Options>,
  plan: Plan<BatchRefs>,
  io: Io,
  secrets: Readonly<Record<string, string>>,
  site: { readonly user: string; readonly accounting: boolean },
  { doubts, groups }: SubmitMemory,
): Promise<string> {
  const key = `${plan.jobId}/${plan.attempt}`
  const doubt = doubts.get(key)
  if (doubt === undefined) {
    const first = await submitOnce(scheduler, plan, io, secrets, groups, false)
    if (first.kind === 'accepted') return first.id
    if (first.kind === 'refused') throw refusal(scheduler, plan, first)
  }
  const found = await findSubmitted(scheduler, plan, io, site)
  if (found.kind === 'found') {
    doubts.delete(key)
    return found.ids.join(' ')
  }
  if (found.kind === 'could_not_ask') throw inDoubt(scheduler, plan, found.reason)
  const now = io.now()
  if (doubt === undefined || now - doubt.noneSince < DOUBT_MS) {
    doubts.set(key, doubt ?? { noneSince: now })
    throw inDoubt(scheduler, plan, 'it is not in the queue; it is looked for once more before it is submitted again')
  }
  doubts.delete(key)
  const second = await submitOnce(scheduler, plan, io, secrets, groups, true)
  if (second.kind === 'accepted') return second.id
  if (second.kind === 'refused') throw refusal(scheduler, plan, second)
  throw inDoubt(scheduler, plan, second.message)
}

function inDoubt<Options>({ title }: Scheduler<Options>, plan: Plan<BatchRefs>, why: string): DroverError {
  return new DroverError('transport_failed', `whether ${title} has job ${plan.jobId} is not known yet: ${why}`, {
    level: 'transport',
    transient: true,
  })
}

function refusal<Options>(
  { title }: Scheduler<Options>,
  plan: Plan<BatchRefs>,
  { message, hint }: { readonly message: string; readonly hint?: string },
): DroverError {
  return new DroverError('rejected', `${title} refused job ${plan.jobId}: ${message}`, {
    level: 'scheduler',
    ...(hint === undefined ? {} : { hint }),
  })
}

async function submitOnce<Options>(
  scheduler: Scheduler<Options>,
  plan: Plan<BatchRefs>,
  io: Io,
  secrets: Readonly<Record<string, string>>,
  groups: SubmitGroups,
  again: boolean,
): Promise<SubmitAnswer> {
  const { stdout, stderr, code } = await groups.run((head) => submitScript(scheduler, plan, secrets, again, head), io.transport, io.signal)
  if (stdout.trim() === 'drover-locked') return { kind: 'in_doubt', message: 'an earlier try left its lock' }
  const outcomes = commandOutcomes(stdout)
  if (code === 70 || code === 71)
    throw new DroverError(
      /no space|disk quota/i.test(stdout) ? 'no_space' : 'staging_failed',
      `cannot write the files of job ${plan.jobId}`,
      {
        level: 'staging',
        outputTail: stdout.slice(-500),
      },
    )
  const ids: string[] = []
  for (const [part] of plan.refs.scripts.entries()) {
    const outcome = outcomes.get(`submit-${part}`)
    // A script that was cut off on its way may have submitted.
    if (outcome === undefined) return { kind: 'in_doubt', message: `the connection was lost (${stderr.trim().slice(-200) || 'no answer'})` }
    const answer = scheduler.parseSubmit(outcome)
    if (answer.kind !== 'accepted') return answer
    ids.push(answer.id)
  }
  return { kind: 'accepted', id: ids.join(' ') }
}
