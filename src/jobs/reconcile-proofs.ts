import type { Told } from '../driver/protocol.ts'
import type { ElementRow } from '../store/store.ts'
import type { Cause, State } from '../task/states.ts'
import { type ElementEvidence, type Evidence, firstEventSecond, hasEvent, isUnproven, lostRanks, type RankEvidence } from './evidence.ts'
import { first, firstRankFailure, setupFailure } from './reconcile-causes.ts'
import { elementCause, elementState } from './reconcile-elements.ts'

/** What the records alone say, in the same form for ranks and for array elements; what the Proof table is read with. */
export interface Proofs {
  readonly part: 'rank' | 'element'
  /** Every rank (element) has a record (result). Never true of nothing. */
  readonly complete: boolean
  /** Ranks or positions without one. */
  readonly missing: readonly number[]
  /** At least one of the missing is known to have begun. */
  readonly missingBegan: boolean
  /** Every missing one is known to have died without a record, in the driver's own words. */
  readonly missingExplained: boolean
  /** A record was ended by TERM from outside, and no single cancel of ours explains it. */
  readonly toldTerm: boolean
  readonly unreadable?: string
  /** Setup failed: nothing of the run script will ever run. */
  readonly setupFailed?: Cause
  /** The first failure among what is known, in time; undefined: no failure is known. */
  readonly failure?: Cause
  /** How the job ended if what is known is all there is; meaningful when `complete`. */
  readonly outcome: { readonly state: State; readonly cause?: Cause }
}

/** Reads the proofs of an attempt. `others`: array elements outside this attempt that have not succeeded. */
export function readProofs(evidence: Evidence, others: readonly ElementRow[]): Proofs {
  return evidence.elements ? readElements(evidence, evidence.elements, others) : readRanks(evidence)
}

function readRanks(evidence: Evidence): Proofs {
  const { ranks } = evidence
  const lost = lostRanks(evidence)
  const without = ranks.filter((each) => each.record.kind === 'none')
  const complete = ranks.length > 0 && ranks.every((each) => each.record.kind === 'record')
  const failure = firstRankFailure(evidence)
  const unreadable = unreadableRank(ranks)
  return {
    part: 'rank',
    complete: complete && unreadable === undefined,
    missing: without.map((each) => each.rank),
    missingBegan: without.some((each) => each.events.length > 0),
    missingExplained: without.length > 0 && without.every((each) => lost.has(each.rank)),
    toldTerm: ranks.some((each) => told(each) === 'term'),
    ...(unreadable === undefined ? {} : { unreadable }),
    ...(failure === undefined ? {} : { failure }),
    outcome: failure ? { state: 'failed', cause: failure } : ranksWithoutFailure(evidence),
  }
}

/** All records are there and none names a failure: success only if every run script, told nothing, ended with 0. */
function ranksWithoutFailure(evidence: Evidence): Proofs['outcome'] {
  const unproven = evidence.ranks.find(isUnproven)
  if (unproven) {
    const where = evidence.ranks.length > 1 ? ` on rank ${unproven.rank}` : ''
    const message = `what was followed${where} is gone and left no proof of how it ended`
    return { state: 'lost', cause: { kind: 'unknown', rank: unproven.rank, message } }
  }
  const lost = [...lostRanks(evidence).keys()][0]
  const odd = evidence.ranks.find(({ record }) => record.kind !== 'record' || record.record.told !== '0' || record.record.phase !== 'run')
  if (!odd && evidence.ranks.length > 0) return { state: 'succeeded' }
  const rank = lost ?? odd?.rank
  const message =
    lost !== undefined
      ? `the runner of rank ${lost} died and the other ranks were stopped`
      : `rank ${rank ?? 0} was stopped before its script was through, and no rank's record says why`
  return { state: 'failed', cause: { kind: 'driver', ...(rank === undefined ? {} : { rank }), message } }
}

function unreadableRank(ranks: readonly RankEvidence[]): string | undefined {
  for (const { rank, record } of ranks) {
    if (record.kind === 'unreadable') return `exit record of rank ${rank}: ${record.why}`
    if (record.kind === 'record' && record.record.rank !== rank) {
      return `exit record of rank ${rank}: it is that of rank ${record.record.rank}`
    }
  }
  return undefined
}

function told(rank: RankEvidence): Told | undefined {
  return rank.record.kind === 'record' ? rank.record.record.told : undefined
}

function readElements(evidence: Evidence, elements: NonNullable<Evidence['elements']>, others: readonly ElementRow[]): Proofs {
  const without = elements.filter((each) => !each.result)
  const setup = setupFailure(evidence)
  const unreadable = unreadableRank(evidence.ranks) ?? evidence.slotsUnreadable
  const states = elements.map((each) => elementState(each, evidence))
  const failed = elements.filter((_, index) => states[index] === 'failed')
  const failure = failed.length > 0 ? elementCause(first(failed, elementTime), elements.length, failed.length, evidence) : undefined
  const stopped = states.includes('cancelled')
  return {
    part: 'element',
    complete: elements.length > 0 && without.length === 0 && unreadable === undefined,
    missing: without.map((each) => each.position),
    missingBegan: without.some((each) => each.claimed),
    missingExplained: without.length > 0 && without.every((each) => each.claimed) && hasEvent(evidence.driverEvents, 'rank_lost'),
    toldTerm: elements.some(
      (each) => each.result?.told === 'term' && each.result.word === undefined && !evidence.cancelledElements?.has(each.position),
    ),
    ...(unreadable === undefined ? {} : { unreadable }),
    ...(setup === undefined ? {} : { setupFailed: setup }),
    ...(failure === undefined ? {} : { failure }),
    outcome: arrayOutcome(failure, stopped, others),
  }
}

/** An array is as good as its worst element, those of earlier attempts included: these failed earlier in time. */
function arrayOutcome(failure: Cause | undefined, stopped: boolean, others: readonly ElementRow[]): Proofs['outcome'] {
  const before = others.filter((each) => each.state === 'failed')
  if (before.length > 0) {
    const row = first(before, (each) => [each.endedAt ?? Number.POSITIVE_INFINITY, each.position])
    const kind = row.causeKind === undefined || row.causeKind === 'cancelled' || row.causeKind === 'unknown' ? 'exit' : row.causeKind
    return {
      state: 'failed',
      cause: {
        kind,
        element: row.position,
        ...(row.exitCode === undefined ? {} : { code: row.exitCode }),
        ...(row.signal === undefined ? {} : { signal: row.signal }),
        message: `element ${row.position} failed in attempt ${row.attempt} and was not run again`,
      },
    }
  }
  if (failure) return { state: 'failed', cause: failure }
  if (others.some((each) => each.state !== 'succeeded' && each.state !== 'cancelled')) {
    return { state: 'lost', cause: { kind: 'unknown', message: 'an element of an earlier attempt has no known end' } }
  }
  if (stopped || others.some((each) => each.state === 'cancelled')) {
    return { state: 'cancelled', cause: { kind: 'cancelled', by: 'user', message: 'elements were cancelled one by one; no other failed' } }
  }
  return { state: 'succeeded' }
}

/** Sort key of a failed element: its end, unknown ends last, then its position. */
function elementTime(each: ElementEvidence): readonly number[] {
  return [each.result?.endedCs || Number.POSITIVE_INFINITY, each.position]
}

/** When the attempt began and ended on the target as far as records and events tell, epoch ms. */
export function readTimes(evidence: Evidence): { readonly startedAt?: number; readonly endedAt?: number } {
  const starts: number[] = []
  const ends: number[] = []
  for (const { record, events } of evidence.ranks) {
    for (const word of ['runner', 'setup', 'script']) {
      const second = firstEventSecond(events, word)
      if (second !== undefined && second > 0) starts.push(second * 1000)
    }
    if (record.kind === 'record') {
      if (record.record.startedAt > 0) starts.push(record.record.startedAt * 1000)
      if (record.record.endedAt > 0) ends.push(record.record.endedAt * 1000)
    }
  }
  if (evidence.job.kind === 'record' && evidence.job.record.endedAt > 0) ends.push(evidence.job.record.endedAt * 1000)
  for (const each of evidence.elements ?? []) {
    if (each.startedAt !== undefined) starts.push(each.startedAt)
    if (each.result?.endedAt !== undefined) ends.push(each.result.endedAt)
  }
  const startedAt = extreme(starts, (a, b) => a < b)
  const endedAt = extreme(ends, (a, b) => a > b)
  return { ...(startedAt === undefined ? {} : { startedAt }), ...(endedAt === undefined ? {} : { endedAt }) }
}

/** A loop, because spreading 100 000 element times into Math.min overflows the stack. */
function extreme(values: readonly number[], better: (a: number, b: number) => boolean): number | undefined {
  let best: number | undefined
  for (const value of values) if (best === undefined || better(value, best)) best = value
  return best
}
