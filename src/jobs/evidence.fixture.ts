/** Builders of evidence for tests. */
import type { ExitRecord, JobEventLine, RecordReading, SlotLine } from '../driver/protocol.ts'
import type { NativeObservation } from '../executors/executor.ts'
import type { State } from '../task/states.ts'
import { type Evidence, reduceSlots } from './evidence.ts'
import type { ReconcileJob } from './reconcile.ts'

export const NOW = 1_000_000_000
export const GRACE = 90_000
export const NONE: RecordReading = { kind: 'none' }
export const COULD_NOT_ASK: NativeObservation = { kind: 'could_not_ask', reason: 'timed out' }
export const MISSING: NativeObservation = { kind: 'missing' }
export const CANCEL = { cancelRequestedAt: NOW - 5_000 }

export type RecordPatch = Partial<Omit<ExitRecord, 'rank'>>
export const word = (
  state: State,
  more: { word?: string; cause?: string; exitCode?: number; reason?: string } = {},
): NativeObservation => ({
  kind: 'state',
  word: state.toUpperCase(),
  state,
  ...more,
})
export const event = (name: string, atSeconds = 150, detail: Record<string, string> = {}): JobEventLine => ({
  atSeconds,
  word: name,
  detail,
})
export const reading = (rank: number, patch: RecordPatch): RecordReading => {
  const code = patch.code ?? 0
  const record = {
    rank,
    code,
    signal: code > 128 ? code - 128 : 0,
    startedAt: 100,
    endedAt: 200,
    told: '0',
    phase: 'run',
    ...patch,
  } as const
  return { kind: 'record', record }
}

/** One entry per rank: the record's fields, or `none`, `unreadable`. */
export function evidence(ranks: readonly (RecordPatch | 'none' | 'unreadable')[], more: Partial<Evidence> = {}): Evidence {
  return {
    attempt: 1,
    driver: 'ours',
    hasSetup: false,
    job: NONE,
    driverEvents: [],
    ranks: ranks.map((each, rank) => ({
      rank,
      node: `node${rank}`,
      events: [],
      record: each === 'none' ? NONE : each === 'unreadable' ? { kind: 'unreadable', why: 'its checksum is wrong' } : reading(rank, each),
    })),
    ...more,
  }
}
export const job = (state: State = 'running', more: Partial<ReconcileJob> = {}): ReconcileJob => ({ state, attempt: 1, ...more })
export const withEvents = (of: Evidence, rank: number, events: readonly JobEventLine[]): Evidence => ({
  ...of,
  ranks: of.ranks.map((each) => (each.rank === rank ? { ...each, events } : each)),
})

/** Evidence of an array with one rank: `r` lines as [position, code, told, end], claims as a position alone. */
export function arrayEvidence(
  size: number,
  lines: readonly (number | readonly [number, number, ExitRecord['told']?, number?])[],
  more: Partial<Evidence> = {},
): Evidence {
  const slot = lines.map((line): SlotLine => {
    if (typeof line === 'number') return { kind: 'claim', position: line, at: 1000 }
    const [position, code, told = '0', endedAt = 2000] = line
    return { kind: 'result', position, code, told, startedAt: 1000, endedAt }
  })
  const positions = Array.from({ length: size }, (_, index) => index)
  return evidence(['none'], { elements: reduceSlots(positions, [slot], 0).elements, ...more })
}
