import { toErrorJson } from '../../errors.ts'
import type { Io } from '../executor.ts'
import type { NativeQuery, QueryAnswer } from './scheduler.ts'

/** A hung controller keeps its commands for minutes. */
const LIMIT_MS = 120_000

/** Puts a question to the scheduler; whatever goes wrong on the way is "could not ask". */
export async function askScheduler(query: NativeQuery, of: Parameters<NativeQuery['command']>[0], io: Io): Promise<QueryAnswer> {
  io.onQuery?.()
  try {
    const outcome = await io.transport.run(query.command(of), { timeoutMs: LIMIT_MS, signal: io.signal })
    return query.parse(outcome, io.now())
  } catch (error) {
    return { kind: 'could_not_ask', reason: toErrorJson(error).message }
  }
}
