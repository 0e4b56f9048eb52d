import { toErrorJson } from '../../errors.ts'
import { isEndState } from '../../task/states.ts'
import { attemptKey, type Io, type NativeObservation, type NativeRef, type PollResult, type StateObservation } from '../executor.ts'
import { type ForeignOutput, NATIVE_OUTPUT, parseForeignOutput } from '../foreign-output.ts'
import { commandOutcomes, framed, OUTPUT_DIRECTORY } from './framed-commands.ts'
import type { ForeignExit, Scheduler } from './scheduler.ts'

/** What is known of where scripts that are not ours write; by `jobId/attempt`. */
export interface ForeignOutputs {
  readonly files: readonly ForeignOutput[]
  /** What the scheduler said when it was last asked: it is asked again when that has changed. */
  readonly said: string
}

/** True for a script that is not ours: no rank of it is known. */
export function isForeign({ places }: NativeRef): boolean {
  return places[0] !== undefined && places[0].ranks.length === 0 && places[0].tasks === undefined
}

/** Jobs that are asked for in one round trip. */
const ASKED_AT_ONCE = 50

/** One that is to be asked for. */
interface Asked {
  readonly ref: NativeRef
  readonly directory: string
  readonly observation: StateObservation
  readonly said: string
}

/**
 * Asks the scheduler where scripts that are not ours write, as soon as they run, and notes it in the attempt's directory: the
 * scheduler forgets it. What it tells of their exit is added to what was observed. A job is asked for when it starts, when it
 * ends, and when its tasks have moved on; those of one poll together, as one question.
 */
export async function noteForeignOutput(
  scheduler: Scheduler,
  refs: readonly NativeRef[],
  results: PollResult,
  known: Map<string, ForeignOutputs>,
  io: Io,
): Promise<PollResult> {
  const { outputOf } = scheduler
  const noted = new Map(results)
  if (outputOf === undefined) return noted
  const asked = refs.flatMap((ref) => toAsk(ref, results, known))
  if (asked.length > 0) io.onQuery?.()
  for (let at = 0; at < asked.length; at += ASKED_AT_ONCE) {
    const some = asked.slice(at, at + ASKED_AT_ONCE)
    try {
      const commands = some.map(({ ref }, part) => framed(`output-${part}`, outputOf.command(ref.nativeId)))
      const { stdout } = await io.transport.run([OUTPUT_DIRECTORY, ...commands].join('\n'), { timeoutMs: 120_000, signal: io.signal })
      const outcomes = commandOutcomes(stdout)
      for (const [part, { ref, directory, observation, said }] of some.entries()) {
        const outcome = outcomes.get(`output-${part}`)
        // Cut off: it is asked for again.
        if (outcome === undefined) continue
        const told = outputOf.parse(outcome)
        const files = known.get(attemptKey(ref))?.files ?? (await readNoted(directory, io))
        const all = merge(files, told.files)
        if (all.length > files.length) {
          const content = all.map((each) => `${JSON.stringify(each)}\n`).join('')
          await io.transport.write([], [{ path: `${directory}/${NATIVE_OUTPUT}`, mode: 0o600, content }])
        }
        known.set(attemptKey(ref), { files: all, said })
        if (isEndState(observation.state)) noted.set(attemptKey(ref), withExits(observation, told.exits))
      }
    } catch (error) {
      // Their states are known all the same.
      const jobs = some.map(({ ref }) => ref.jobId).join(', ')
      io.log.warn(`where these jobs write could not be asked (${jobs}): ${toErrorJson(error).message}`)
    }
  }
  return noted
}

/** One or none: what has not begun writes nowhere, and of what has not changed all is known. */
function toAsk(ref: NativeRef, results: PollResult, known: ReadonlyMap<string, ForeignOutputs>): readonly Asked[] {
  const observation = results.get(attemptKey(ref))
  const directory = ref.places[0]?.attemptDir
  if (!isForeign(ref) || directory === undefined || observation?.kind !== 'state' || observation.state === 'queued') return []
  const before = known.get(attemptKey(ref))
  const words = [...(observation.tasks ?? [])].map(([task, each]) => `${task} ${each.kind === 'state' ? each.word : ''}`)
  const said = words.join() + observation.word
  const isAsked = before !== undefined && (before.said === said || (observation.tasks === undefined && !isEndState(observation.state)))
  return isAsked ? [] : [{ ref, directory, observation, said }]
}

async function readNoted(directory: string, io: Io): Promise<readonly ForeignOutput[]> {
  const [file] = await io.transport.read([{ path: `${directory}/${NATIVE_OUTPUT}`, offset: 0, maxBytes: 4 * 1024 * 1024 }])
  return file === undefined ? [] : parseForeignOutput(Buffer.from(file.bytes).toString('utf8'))
}

function merge(known: readonly ForeignOutput[], told: readonly ForeignOutput[]): readonly ForeignOutput[] {
  const byTask = new Map(known.map((each) => [each.task, each]))
  for (const each of told) if (!byTask.has(each.task)) byTask.set(each.task, each)
  return [...byTask.values()].toSorted((a, b) => (a.task ?? -1) - (b.task ?? -1))
}

/** Codes that the queue did not tell: of a job, or of the task that an array failed by. */
function withExits(observation: StateObservation, exits: readonly ForeignExit[]): NativeObservation {
  if (observation.exitCode !== undefined || observation.state !== 'failed') return observation
  const failed = [...(observation.tasks ?? [])].find(([, each]) => each.kind === 'state' && each.state === 'failed')?.[0]
  const exit = exits.find(({ task, code, signal }) => task === failed && (code > 0 || signal > 0))
  if (exit === undefined) return observation
  if (exit.signal > 0) return { ...observation, ...(observation.cause === 'exit' ? { cause: 'signal' } : {}), exitCode: 128 + exit.signal }
  return { ...observation, exitCode: exit.code }
}
