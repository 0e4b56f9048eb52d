import { toErrorJson } from '../../errors.ts'
import { isEndState } from '../../task/states.ts'
import type { Io, NativeObservation, NativeRef, PollResult } from '../executor.ts'
import { type ForeignOutput, NATIVE_OUTPUT, parseForeignOutput } from '../foreign-output.ts'
import type { Scheduler } from './scheduler.ts'

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

/**
 * Asks the scheduler where scripts that are not ours write, as soon as they run, and notes it in the attempt's directory: the
 * scheduler forgets it. What it tells of their exit is added to what was observed. One question for each job, when it starts or
 * its tasks have moved on.
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
  for (const ref of refs) {
    const key = `${ref.jobId}/${ref.attempt}`
    const observation = results.get(key)
    const directory = ref.places[0]?.attemptDir
    if (!isForeign(ref) || directory === undefined || observation?.kind !== 'state' || observation.state === 'queued') continue
    const before = known.get(key)
    const said =
      [...(observation.tasks ?? [])].map(([task, each]) => `${task} ${each.kind === 'state' ? each.word : ''}`).join() + observation.word
    const ends = isEndState(observation.state)
    if (before?.said === said || (before !== undefined && observation.tasks === undefined && !ends)) continue
    try {
      const files = before?.files ?? (await readNoted(directory, io))
      io.onQuery?.()
      const outcome = await io.transport.run(outputOf.command(ref.nativeId), { timeoutMs: 60_000, signal: io.signal })
      const told = outputOf.parse(outcome)
      const all = merge(files, told.files)
      if (all.length > files.length) {
        const content = all.map((each) => `${JSON.stringify(each)}\n`).join('')
        await io.transport.write([], [{ path: `${directory}/${NATIVE_OUTPUT}`, mode: 0o600, content }])
      }
      known.set(key, { files: all, said })
      if (told.exit !== undefined && ends) noted.set(key, withExit(observation, told.exit))
    } catch (error) {
      // Its state is known all the same.
      io.log.warn(`where job ${ref.jobId} writes could not be asked: ${toErrorJson(error).message}`)
    }
  }
  return noted
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

type Exit = NonNullable<ReturnType<NonNullable<Scheduler['outputOf']>['parse']>['exit']>

/** A code that the queue did not tell. */
function withExit(observation: Extract<NativeObservation, { kind: 'state' }>, { code, signal }: Exit): NativeObservation {
  if (observation.exitCode !== undefined || observation.state !== 'failed') return observation
  if (signal > 0) return { ...observation, ...(observation.cause === 'exit' ? { cause: 'signal' } : {}), exitCode: 128 + signal }
  return code > 0 ? { ...observation, exitCode: code } : observation
}
