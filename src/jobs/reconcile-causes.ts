import type { ExitRecord, JobEventLine } from '../driver/protocol.ts'
import type { StateObservation } from '../executors/executor.ts'
import { type Cause, FAILURE_KINDS, type FailureKind } from '../task/states.ts'
import { containerTrouble } from './container-trouble.ts'
import { type Evidence, firstEventSecond, isUnproven, lostRanks, sawOutOfMemory } from './evidence.ts'
import { signalOfCode } from './exit-code.ts'
import { leaseCause } from './lease-refusal.ts'

/** An end that the target itself reports. */
export type NativeWord = StateObservation

/** The least item by a key of numbers, compared left to right; the list must not be empty. */
export function first<T>(items: readonly T[], key: (item: T) => readonly number[]): T {
  return items.reduce((best, item) => (isBefore(key(item), key(best)) ? item : best))
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? 0
    if (value !== other) return value < other
  }
  return false
}

/** Order among failures of one second: a script that failed by itself explains the others. */
const TOLD_ORDER = { '0': 0, lost: 1, timeout: 2, term: 3 } as const

/**
 * The first failing rank in time. A rank that was told to stop counts from when it was told, not from when it gave in;
 * one told because of a peer never counts; a rank without record counts where the driver says that its runner died.
 */
export function firstRankFailure(evidence: Evidence): Cause | undefined {
  const lost = lostRanks(evidence)
  const failing: { rank: number; at: number; order: number; cause: () => Cause }[] = []
  for (const each of evidence.ranks) {
    const { rank, node, record, events } = each
    if (isUnproven(each)) continue
    if (record.kind !== 'record') {
      const at = lost.get(rank)
      if (record.kind === 'none' && at !== undefined)
        failing.push({ rank, at, order: TOLD_ORDER.lost, cause: () => lostRankCause(rank, evidence) })
      continue
    }
    const { told, code, endedAt } = record.record
    if (told === 'peer' || (told === '0' && code === 0)) continue
    const at = told === '0' ? endedAt : Math.min(endedAt, firstEventSecond(events, 'told') ?? endedAt)
    failing.push({
      rank,
      at,
      order: TOLD_ORDER[told],
      cause: () => leaseCauseOf(record.record, node, evidence) ?? recordCause(record.record, events, evidence),
    })
  }
  if (failing.length === 0) return undefined
  return first(failing, (each) => [each.at, each.order, each.rank]).cause()
}

function lostRankCause(rank: number, { driverEvents }: Evidence): Cause {
  // A launcher that starts nothing says why.
  const said = driverEvents.findLast(({ word }) => word === 'launch_failed')?.detail['text'] ?? ''
  const text = said.replaceAll('%20', ' ').replaceAll('%25', '%')
  return {
    kind: 'driver',
    rank,
    message: `the runner of rank ${rank} died without a record (${text === '' ? 'killed from outside?' : `the launcher says: ${text}`}); how its script ended is unknown`,
  }
}

function leaseCauseOf({ rank, code, phase, told }: ExitRecord, node: string, { driverEvents }: Evidence): Cause | undefined {
  return phase === 'setup' && told === '0' ? leaseCause(driverEvents, rank, node, code) : undefined
}

function recordCause(record: ExitRecord, events: readonly JobEventLine[], evidence: Evidence): Cause {
  const outOfMemory = sawOutOfMemory(events)
  const { rank, code, phase } = record
  const where = evidence.ranks.length > 1 ? ` on rank ${rank}` : ''
  const base = { rank, code }
  if (record.told === 'timeout') {
    return { kind: 'timeout', ...base, message: `${phase === 'setup' ? 'setup' : 'the script'} reached the time limit${where}` }
  }
  if (record.told === 'term') {
    const signal = record.signal || 15
    return { kind: 'signal', ...base, signal, message: `the job was told to stop${where} by somebody else (TERM), and ended with ${code}` }
  }
  const trouble = containerTrouble(events, code)
  if (trouble) return { ...base, ...(code === 137 ? { signal: 9 } : {}), kind: trouble.kind, message: `${trouble.message}${where}` }
  if (phase === 'setup') return { ...base, kind: 'setup', message: setupMessage(evidence, where, code) }
  if (code === 137 && outOfMemory) {
    return { kind: 'out_of_memory', ...base, signal: 9, message: `the script ran out of memory${where} and was killed` }
  }
  const memory = outOfMemory ? '; a process of it was killed for lack of memory' : ''
  const signal = record.signal || signalOfCode(code)
  if (signal) return { kind: 'signal', ...base, signal, message: `the script ended by signal ${signal}${where}${memory}` }
  return { kind: 'exit', ...base, message: `the script ended with ${code}${where}${memory}` }
}

function setupMessage(evidence: Evidence, where: string, code: number): string {
  const codes = evidence.ranks.map(({ rank, record }) => `${rank}: ${record.kind === 'record' ? record.record.code : 'no record'}`)
  const shown = codes.length > 16 ? `${codes.slice(0, 16).join(', ')}, …` : codes.join(', ')
  return codes.length > 1 ? `setup failed with ${code}${where} (codes by rank: ${shown})` : `setup failed with ${code}`
}

/** The failure of an array's setup, from a rank's record or from the driver's own; undefined: none is known. */
export function setupFailure(evidence: Evidence): Cause | undefined {
  const failure = firstRankFailure(evidence)
  // An image that cannot be had fails the setup as well.
  if (failure && phaseOf(evidence, failure) === 'setup') {
    // Other nodes of the array wait at the gate and are told to stop, see ssh-coordinate: the end is that of all drivers.
    return evidence.ranks.length > 1 && evidence.job.kind !== 'record' ? undefined : failure
  }
  if (evidence.job.kind !== 'record') return undefined
  const { phase, code, told } = evidence.job.record
  if (phase !== 'setup' || code === 0 || told !== '0') return undefined
  return { kind: 'setup', code, message: `setup failed with ${code}` }
}

/** Phase in which the rank that a cause names ended; undefined without its record. */
function phaseOf(evidence: Evidence, cause: Cause): ExitRecord['phase'] | undefined {
  const record = evidence.ranks.find(({ rank }) => rank === cause.rank)?.record
  return record?.kind === 'record' && record.record.told === '0' ? record.record.phase : undefined
}

/** The cause an end word of the target stands for; `known` is the first failure the records show, if any. */
export function wordCause(word: NativeWord, evidence: Evidence, known: Cause | undefined, without: string): Cause {
  const why = word.reason === undefined ? '' : `: ${word.reason}`
  if (word.state === 'cancelled') return cancelCause(evidence, `cancelled on the target (${word.word}${why})${without}`, known?.code)
  const kind = failureKind(word)
  const generic = kind === 'exit' || kind === 'signal' || kind === 'driver'
  if (generic && known) return { ...known, message: `${known.message}${without}` }
  const code = known?.code ?? word.exitCode
  const signal = kind === 'signal' && code !== undefined ? signalOfCode(code) : undefined
  return {
    kind,
    ...(known?.rank === undefined ? {} : { rank: known.rank }),
    ...(known?.element === undefined ? {} : { element: known.element }),
    ...(code === undefined ? {} : { code }),
    ...(signal === undefined ? {} : { signal }),
    message: `the target reports ${word.word}${word.reason === undefined ? '' : `: ${word.reason}`}${code === undefined ? '' : ` (exit code ${code})`}${without}`,
  }
}

/** Failure kind of an end word: the executor's own, else by the exit code. */
export function failureKind(word: NativeWord): FailureKind {
  const named = FAILURE_KINDS.find((kind) => kind === word.cause)
  if (named) return named
  return word.exitCode !== undefined && signalOfCode(word.exitCode) !== undefined ? 'signal' : 'exit'
}

/** Cause of a `cancelled`: by us where our cancel is on record, else by whoever rules the target. */
export function cancelCause(evidence: Evidence, foreignMessage: string, code?: number): Cause {
  const own = evidence.cancelRequestedAt !== undefined
  const by = own ? (evidence.cancelBy ?? 'user') : undefined
  return {
    kind: 'cancelled',
    ...(code === undefined ? {} : { code }),
    ...(by === undefined ? {} : { by }),
    message: by === undefined ? foreignMessage : `cancelled (by ${by})`,
  }
}
