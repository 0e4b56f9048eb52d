import type { AttemptPlace } from '../executors/executor.ts'
import type { Cause } from '../task/states.ts'
import { type Transport, transportAt } from '../transports/transport.ts'

/** A report of a worker's traceback may be long; the end of it tells. */
const REPORT_BYTES = 64 * 1024
const MESSAGE_LENGTH = 500

/**
 * A cause with the message that the launcher left of the worker that failed first on that rank (torchelastic's error file, as
 * `launch/<rank>[.<element>].json` of the attempt keeps it). Without a readable report the cause stays as it is.
 */
export async function withLaunchReport(
  cause: Cause | undefined,
  places: readonly AttemptPlace[],
  transport: Transport,
): Promise<Cause | undefined> {
  if (cause === undefined || (cause.kind !== 'exit' && cause.kind !== 'signal')) return cause
  const rank = cause.rank ?? 0
  const place = places.find(({ ranks }) => ranks.includes(rank))
  if (place === undefined) return cause
  const name = cause.element === undefined ? String(rank) : `${rank}.${cause.element}`
  const path = `${place.attemptDir}/launch/${name}.json`
  try {
    const [piece] = await transportAt(transport, place.node).read([{ path, offset: 0, maxBytes: REPORT_BYTES }])
    const message = messageOf(Buffer.from(piece?.bytes ?? []).toString('utf8'))
    return message === undefined ? cause : { ...cause, message: `${cause.message}: ${message}` }
  } catch {
    // The cause is known without it.
    return cause
  }
}

/** The message of a worker's own failure; undefined for a report of a peer, of nothing, or one that cannot be read. */
export function messageOf(text: string): string | undefined {
  try {
    const report: unknown = JSON.parse(text)
    if (typeof report !== 'object' || report === null) return undefined
    const { kind, message, rank } = report as Readonly<Record<string, unknown>>
    if (kind !== 'own' || typeof message !== 'string' || message.trim() === '') return undefined
    const line = message.trim().replaceAll(/\s*\n\s*/g, ' | ')
    const shown = line.length > MESSAGE_LENGTH ? `…${line.slice(-MESSAGE_LENGTH)}` : line
    return typeof rank === 'number' ? `process ${rank}: ${shown}` : shown
  } catch {
    return undefined
  }
}
