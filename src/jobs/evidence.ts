import type { JobEventLine, RecordReading, SlotLine, Told } from '../driver/protocol.ts'
import type { FailureKind } from '../task/states.ts'

/**
 * How long proof is awaited after the target says that a job is gone, ms. Directory caches of network file systems hide
 * a record for up to a minute; an executor whose file system is strongly consistent may give a shorter one.
 */
export const DEFAULT_PROOF_GRACE_MS = 90_000

/** What is known of one rank: its exit record and its event lines in file order. */
export interface RankEvidence {
  readonly rank: number
  readonly node: string
  readonly record: RecordReading
  readonly events: readonly JobEventLine[]
}

/** What the slot journals say of one array element. Neither claim nor result: it has not begun, as far as is known. */
export interface ElementEvidence {
  /** 0-based. */
  readonly position: number
  readonly claimed: boolean
  /** Epoch ms; undefined where the journal or the node's clock does not tell. */
  readonly startedAt?: number
  readonly result?: ElementResult
}

/** How an element ended: by its journal, or, of a task of a native array, by the scheduler's word where there is no journal. */
export interface ElementResult {
  readonly code: number
  readonly told: Told
  /** Centiseconds of the node's uptime, which order the results of one attempt; 0 where unknown. */
  readonly endedCs: number
  readonly endedAt?: number
  /** The scheduler's word and the kind of failure it stands for; `cancelled`: it was ended by a person. */
  readonly word?: { readonly word: string; readonly cause: FailureKind | 'cancelled'; readonly reason?: string }
}

/**
 * All that was read of one attempt. `job` is to be read before the ranks' records and the journals: the driver writes it
 * last, so what it speaks of is then visible as well.
 */
export interface Evidence {
  /** The attempt whose directory was read. */
  readonly attempt: number
  /** `ours`: a generated driver, which ends with 0 only when every record is written. `foreign`: somebody's own script. */
  readonly driver: 'ours' | 'foreign'
  readonly hasSetup: boolean
  /** The scheduler may start the attempt again after it has ended it. */
  readonly requeues?: boolean
  /** One entry per rank, in order. */
  readonly ranks: readonly RankEvidence[]
  /** The driver's own record, exit/job. */
  readonly job: RecordReading
  readonly driverEvents: readonly JobEventLine[]
  /** Arrays: one entry per position of this attempt (see `reduceSlots`). Undefined: no array. */
  readonly elements?: readonly ElementEvidence[]
  /** Arrays: why a journal could not be understood. */
  readonly slotsUnreadable?: string
  /** Our own cancel of the whole job, epoch ms; undefined: none on record. */
  readonly cancelRequestedAt?: number
  /** Who asked for it: `user`, `fail_fast`, `dependency`. Default `user`. */
  readonly cancelBy?: string
  /** Positions that were cancelled one by one. */
  readonly cancelledElements?: ReadonlySet<number>
  /**
   * Since when proof is awaited, epoch ms: what the last `Reconciled.finishingSince` said. Unknown (a restarted
   * supervisor): the grace begins anew.
   */
  readonly finishingSince?: number
  /** Default `DEFAULT_PROOF_GRACE_MS`. */
  readonly graceMs?: number
}

/**
 * Reduces the journals of all slots to one entry per position, in the order of `positions`; lines about other positions are
 * left out. A result outweighs a claim. An element runs once: two results that differ are a `conflict`, to be given on as
 * `slotsUnreadable`.
 * `uptimeZeroMs`: epoch ms at which the node's uptime was 0; without it times stay undefined.
 */
export function reduceSlots(
  positions: readonly number[],
  slots: readonly (readonly SlotLine[])[],
  uptimeZeroMs?: number,
): { readonly elements: readonly ElementEvidence[]; readonly conflict?: string } {
  const known = new Map<number, ElementEvidence>()
  const wanted = new Set(positions)
  const conflicts: number[] = []
  const time = (cs: number) => (uptimeZeroMs === undefined || cs <= 0 ? undefined : Math.round(uptimeZeroMs + cs * 10))
  for (const lines of slots) {
    for (const line of lines) {
      if (!wanted.has(line.position)) continue
      const before = known.get(line.position)
      const startedAt = time(line.kind === 'claim' ? line.at : line.startedAt) ?? before?.startedAt
      const started = startedAt === undefined ? {} : { startedAt }
      if (line.kind === 'claim') {
        if (!before?.result) known.set(line.position, { position: line.position, claimed: true, ...started })
        continue
      }
      if (before?.result) {
        if (before.result.code !== line.code || before.result.told !== line.told) conflicts.push(line.position)
        continue
      }
      const endedAt = time(line.endedAt)
      known.set(line.position, {
        position: line.position,
        claimed: true,
        ...started,
        result: { code: line.code, told: line.told, endedCs: line.endedAt, ...(endedAt === undefined ? {} : { endedAt }) },
      })
    }
  }
  const elements = positions.map((position) => known.get(position) ?? { position, claimed: false })
  if (conflicts.length === 0) return { elements }
  return { elements, conflict: `two different results for element ${conflicts.slice(0, 5).join(', ')}` }
}

/** True when an event line with this word is there. */
export function hasEvent(events: readonly JobEventLine[], word: string): boolean {
  return events.some((event) => event.word === word)
}

/**
 * True when a rank's script itself has said that nobody knows how that which it stands for has ended (`no_proof`, written by what
 * follows a job of another tool): its code, which nobody told it to end with, proves nothing.
 */
export function isUnproven({ record, events }: RankEvidence): boolean {
  if (record.kind !== 'record' || record.record.told !== '0' || record.record.phase !== 'run') return false
  return record.record.code !== 0 && hasEvent(events, 'no_proof')
}

/** The earliest second of an event with this word; undefined: none. */
export function firstEventSecond(events: readonly JobEventLine[], word: string): number | undefined {
  let first: number | undefined
  for (const event of events) {
    if (event.word === word && (first === undefined || event.atSeconds < first)) first = event.atSeconds
  }
  return first
}

/** True when the kernel's out-of-memory killer struck inside the rank's script (`script_end … oom=1`). */
export function sawOutOfMemory(events: readonly JobEventLine[]): boolean {
  return events.some((event) => event.word === 'script_end' && !['', '0', undefined].includes(event.detail.oom))
}

/** Ranks whose runner died without a record, as the living driver says, with the second at which it saw that. */
export function lostRanks(evidence: Evidence): ReadonlyMap<number, number> {
  const lost = new Map<number, number>()
  for (const event of evidence.driverEvents) {
    const rank = Number(event.detail.rank)
    if (event.word === 'rank_lost' && Number.isInteger(rank) && !lost.has(rank)) lost.set(rank, event.atSeconds)
  }
  return lost
}
