import type { EventRow } from '../store/store.ts'
import type { Cause } from '../task/states.ts'
import type { Explanation } from './drover.ts'
import { isRefusal } from './lease-refusal.ts'

/** The longest chain shown: the beginning and the end matter. */
const MAX_LINKS = 60

/**
 * The events of a job as sentences, oldest first; a long middle is left out with a line that says so. Attempts in a row that
 * found no room ran nothing: they are one sentence.
 */
export function chainOf(events: readonly EventRow[]): Explanation['chain'] {
  const links: Explanation['chain'][number][] = []
  const sorted = [...events].sort((a, b) => a.seq - b.seq)
  const refusals = refusalsOf(sorted)
  let waiting = -1
  let asked = 0
  for (const event of sorted) {
    const refusal = refusals.get(event.attempt)
    const at = new Date(event.at).toISOString()
    if (refusal === undefined) waiting = -1
    if (refusal === undefined || !isOfTrying(event)) {
      const text = textOf(event)
      if (text !== undefined) links.push({ at, text })
      continue
    }
    if (event.type !== 'attempt_ended') continue
    asked = waiting < 0 ? 1 : asked + 1
    if (waiting < 0) waiting = links.push({ at, text: '' }) - 1
    const times = asked === 1 ? '' : ` (asked ${asked} times, last at ${at})`
    links[waiting] = { at: links[waiting]?.at ?? at, text: `waits: ${refusal}${times}` }
  }
  if (links.length <= MAX_LINKS) return links
  const half = MAX_LINKS / 2
  const middle = { at: links[half]?.at ?? '', text: `… ${links.length - MAX_LINKS} events are left out` }
  return [...links.slice(0, half), middle, ...links.slice(-half)]
}

/** Attempts that found no room, each with who held it. */
function refusalsOf(events: readonly EventRow[]): ReadonlyMap<number, string> {
  const ended = events.filter(({ type }) => type === 'attempt_ended')
  return new Map(
    ended.flatMap(({ attempt, data }) => (isCause(data.cause) && isRefusal(data.cause) ? [[attempt, data.cause.message]] : [])),
  )
}

/** What an attempt that finds no room goes through, the same each time. */
function isOfTrying({ type, data }: EventRow): boolean {
  if (type === 'state') return data.from !== undefined && data.from !== 'created'
  return type === 'submitted' || type === 'attempt_ended' || type === 'retry'
}

function isCause(value: unknown): value is Cause {
  return isObject(value) && typeof value.kind === 'string' && typeof value.message === 'string'
}

function textOf({ type, data, attempt }: EventRow): string | undefined {
  const text = (key: string): string | undefined =>
    typeof data[key] === 'string' || typeof data[key] === 'number' ? String(data[key]) : undefined
  switch (type) {
    case 'state': {
      const why = [messageOf(data.cause), text('why'), ruleOf(data)].filter((part) => part !== undefined)
      if (text('from') === undefined) return `recorded${why.length > 0 ? `: ${why.join('; ')}` : ''}`
      return `${text('from')} → ${text('to') ?? '?'}${attempt > 1 ? ` (attempt ${attempt})` : ''}${why.length > 0 ? `: ${why.join('; ')}` : ''}`
    }
    case 'attempt_ended':
      return `attempt ${attempt} ${text('state') ?? 'ended'}${suffix(messageOf(data.cause))}`
    case 'submitted':
      return `accepted by the target${suffix(text('native_id'))}`
    case 'warning':
      return `warning${suffix(text('warning') ?? text('message'))}`
    case 'error':
      return `error${suffix(text('message'))}`
    case 'retry':
      return `${text('why') ?? 'retry'}: attempt ${text('next_attempt') ?? attempt + 1} after ${Math.round(Number(data.after_ms ?? 0) / 1000)} s`
    case 'requeued':
      // Of one that the script asked for, the retry beside it tells.
      return text('by') === 'script' ? undefined : `started again by the scheduler (restart ${text('restart') ?? '?'})`
    case 'nodes_silent':
      return `back in line${suffix(text('why'))}`
    case 'cancel_requested': {
      const elements = data.elements
      return `cancel asked for by ${text('by') ?? 'somebody'}${Array.isArray(elements) ? ` for elements ${elements.slice(0, 10).join(', ')}` : ''}`
    }
    case 'settled':
      return `settled by a person as ${text('as') ?? '?'}${suffix(text('reason'))}`
    case 'collected':
      return `outputs collected${suffix(text('directory'))}`
    default:
      return type.replaceAll('_', ' ')
  }
}

/** The rule of the Proof table that decided: at the top, or inside `proof`. A `proof` may also be a plain sentence. */
function ruleOf(data: EventRow['data']): string | undefined {
  const proof = data.proof
  if (typeof proof === 'string') return proof
  const rule = isObject(proof) ? proof.rule : data.rule
  return typeof rule === 'string' && rule !== 'live word' && rule !== 'nobody asked' ? `proof: ${rule}` : undefined
}

function messageOf(cause: unknown): string | undefined {
  return isObject(cause) && typeof cause.message === 'string' ? cause.message : undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function suffix(text: string | undefined): string {
  return text === undefined || text === '' ? '' : `: ${text}`
}
