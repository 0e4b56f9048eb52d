/**
 * The Proof table. One file, because the order of its questions is the rule: whoever changes one has to see the others.
 */
import type { ExitRecord } from '../driver/protocol.ts'
import { DUPLICATE_EXIT_CODE } from '../driver/protocol.ts'
import type { NativeObservation } from '../executors/executor.ts'
import type { ElementRow, RankRow } from '../store/store.ts'
import { type Cause, isEndState, isSettled, STATES, type State } from '../task/states.ts'
import { DEFAULT_PROOF_GRACE_MS, type Evidence, hasEvent } from './evidence.ts'
import { exitCodeOf } from './exit-code.ts'
import { UNMET_DEPENDENCY } from './native-dependencies.ts'
import { cancelCause, failureKind, type NativeWord, wordCause } from './reconcile-causes.ts'
import { elementRows } from './reconcile-elements.ts'
import { type Proofs, readProofs, readTimes } from './reconcile-proofs.ts'
import { rankRows } from './reconcile-ranks.ts'

/** What reconcile needs of the job's row. */
export interface ReconcileJob {
  readonly state: State
  readonly cause?: Cause
  /** Current attempt. Evidence of another attempt changes nothing. */
  readonly attempt: number
  readonly startedAt?: number
  readonly endedAt?: number
  /** Arrays: rows of elements that this attempt does not run and that have not succeeded; they decide the end with it. */
  readonly otherElements?: readonly ElementRow[]
}

/** What the job has come to. Times are epoch ms. */
export interface Reconciled {
  readonly state: State
  readonly cause?: Cause
  /** What `wait` exits with; set with an end state or `lost`. */
  readonly exitCode?: number
  /** Rows of all ranks; empty for a job that had ended before. */
  readonly ranks: readonly RankRow[]
  /** Arrays: rows of all elements of the attempt. */
  readonly elements?: readonly ElementRow[]
  readonly startedAt?: number
  readonly endedAt?: number
  /** The target's own word, when it was heard. */
  readonly nativeWord?: string
  /** Why it waits, in the target's words. */
  readonly reason?: string
  readonly warnings: readonly string[]
  /** For the event log: which rule decided, on which records and which word. JSON-able and short. */
  readonly proof: Readonly<Record<string, unknown>>
  /** Give it back as `Evidence.finishingSince` next time; undefined: no proof is awaited, forget the old one. */
  readonly finishingSince?: number
  /** When the grace ends: then read the records again, ask the target again, reconcile again. */
  readonly wakeAt?: number
}

/** Rows of the Proof table (docs: states), as they stand in `proof.rule`. */
export type ProofRule =
  | 'already ended'
  | 'evidence of another attempt'
  | 'unreadable record'
  | 'all records'
  | 'setup failed'
  | 'told to stop, our cancel'
  | 'told to stop, end word'
  | 'told to stop, may start again'
  | 'told to stop, proof awaited'
  | 'told to stop, grace over'
  | 'runner lost, driver ended'
  | 'driver ended, proof awaited'
  | 'driver ended, grace over'
  | 'end word'
  | 'end word of a foreign script'
  | 'success word without records, proof awaited'
  | 'success word without records, grace over'
  | 'missing, proof awaited'
  | 'missing, grace over'
  | 'live word'
  | 'unknown word'
  | 'not submitted yet'
  | 'could not ask'
  | 'nobody asked'

interface Decision {
  readonly rule: ProofRule
  readonly state: State
  readonly cause?: Cause
  readonly warning?: string
  /** The grace goes on: `finishingSince`, and whether a timer is to be set. */
  readonly since?: number
  readonly timer?: boolean
}

/**
 * Decides what a job has come to: the Proof table. Pure. `observation` undefined: the target was not asked this time.
 *
 * An end state is made by records, by an end word of the target, or by the driver's own record, never by silence; it is
 * never left. `lost` is made by the answers of all that could know, after the grace, and is left for a live word or proof.
 */
export function reconcile(job: ReconcileJob, evidence: Evidence, observation: NativeObservation | undefined, now: number): Reconciled {
  const word = observation?.kind === 'state' ? observation : undefined
  const heard = {
    ...(word ? { nativeWord: word.word } : {}),
    ...(word?.reason === undefined ? {} : { reason: word.reason }),
  }
  if (isEndState(job.state)) return { ...kept(job), ...heard, ranks: [], warnings: [], proof: { rule: 'already ended' } }
  if (evidence.attempt !== job.attempt) {
    const warning = `evidence of attempt ${evidence.attempt} was read for attempt ${job.attempt}; it was left out`
    return { ...kept(job), ...heard, ranks: [], warnings: [warning], proof: { rule: 'evidence of another attempt' } }
  }

  const proofs = readProofs(evidence, job.otherElements ?? [])
  const decision = decide({ job, evidence, observation, now, proofs })
  const { state, cause, since } = decision
  const times = readTimes(evidence)
  const startedAt = times.startedAt ?? job.startedAt
  const elements = elementRows(evidence, decision)
  const exitCode = exitCodeOf(state, cause)
  const grace = evidence.graceMs ?? DEFAULT_PROOF_GRACE_MS
  return {
    state,
    ...(cause === undefined ? {} : { cause }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ranks: rankRows(evidence, state),
    ...(elements === undefined ? {} : { elements }),
    ...(startedAt === undefined ? {} : { startedAt }),
    // Clocks of nodes differ from ours: an end never stands before its beginning.
    ...(isEndState(state) ? { endedAt: Math.max(times.endedAt ?? now, startedAt ?? 0) } : {}),
    ...heard,
    warnings: warningsOf(decision, proofs, evidence),
    proof: proofOf(decision, proofs, evidence, observation),
    ...(since === undefined ? {} : { finishingSince: since }),
    ...(since !== undefined && decision.timer ? { wakeAt: since + grace } : {}),
  }
}

interface Question {
  readonly job: ReconcileJob
  readonly evidence: Evidence
  readonly observation: NativeObservation | undefined
  readonly now: number
  readonly proofs: Proofs
}

function decide(question: Question): Decision {
  const { proofs } = question
  if (proofs.unreadable !== undefined) return unchanged(question, 'unreadable record', `${proofs.unreadable}; its state is kept`)
  if (proofs.setupFailed) return { rule: 'setup failed', state: 'failed', cause: proofs.setupFailed }
  return proofs.complete ? decideComplete(question) : decidePartial(question)
}

/** All ranks (elements) have a record. */
function decideComplete(question: Question): Decision {
  const { evidence, proofs } = question
  if (!proofs.toldTerm) return { rule: 'all records', ...proofs.outcome }
  if (evidence.cancelRequestedAt !== undefined) return cancelled('told to stop, our cancel', question)
  const word = endWord(question)
  if (!word && evidence.requeues) return awaitRestart(question)
  if (!word) return awaitProof(question, 'told to stop, proof awaited', { rule: 'told to stop, grace over', ...proofs.outcome })
  if (word.state === 'succeeded') return { rule: 'told to stop, end word', ...proofs.outcome }
  return ended('told to stop, end word', word, question)
}

/** What the scheduler has ended it may start again: only its own word is an end. */
function awaitRestart(question: Question): Decision {
  const { observation, proofs } = question
  if (observation?.kind === 'state' && isLiveWord(observation.state)) {
    const state = observation.state === 'running' || observation.state === 'starting' ? 'finishing' : observation.state
    return { rule: 'told to stop, may start again', state }
  }
  if (observation?.kind === 'missing')
    return awaitProof(question, 'told to stop, proof awaited', { rule: 'told to stop, grace over', ...proofs.outcome })
  return unchanged(question, 'told to stop, may start again')
}

/** Some or none have a record. */
function decidePartial(question: Question): Decision {
  const { evidence, observation, job } = question
  const driverRecord = evidence.job.kind === 'record' ? evidence.job.record : undefined
  if (evidence.job.kind === 'unreadable') {
    return unchanged(question, 'unreadable record', `record of the driver: ${evidence.job.why}; its state is kept`)
  }

  if (driverRecord && driverSettles(question, driverRecord)) {
    const settled = byDriver('runner lost, driver ended', question, driverRecord)
    // `lost` needs the answers of all that could know, whatever the driver says. Who told it to stop says why.
    if (settled.state !== 'lost' && !endedFromOutside(question, driverRecord)) return settled
  }
  const word = endWord(question)
  if (word && word.state !== 'succeeded') {
    if (endedByOurCancel(question, word, driverRecord)) return cancelled('end word', question)
    return ended(isForeign(evidence) ? 'end word of a foreign script' : 'end word', word, question)
  }
  if (word && isForeign(evidence)) return foreignSuccess(word, question)

  if (observation?.kind === 'state' && !word && !isDuplicate(question)) return live(question, observation, driverRecord)
  if (!observation || observation.kind === 'could_not_ask') {
    // The driver's record is proof enough of a failure; that of a success needs the records it speaks of.
    if (driverRecord && byDriver('driver ended, grace over', question, driverRecord).state !== 'lost') {
      return awaitProof(question, 'driver ended, proof awaited', byDriver('driver ended, grace over', question, driverRecord))
    }
    return silent(question)
  }

  // From here on the target knows the job as gone: a success without records, missing, or only a duplicate's end.
  if (!word && (job.state === 'created' || job.state === 'staging' || job.state === 'submitting')) {
    return unchanged(question, 'not submitted yet')
  }
  if (driverRecord) return awaitProof(question, 'driver ended, proof awaited', byDriver('driver ended, grace over', question, driverRecord))
  const cause = lostCause(question)
  if (word) {
    const over: Decision = { rule: 'success word without records, grace over', state: 'lost', cause }
    return awaitProof(question, 'success word without records, proof awaited', over)
  }
  return awaitProof(question, 'missing, proof awaited', { rule: 'missing, grace over', state: 'lost', cause })
}

/** The driver's record settles the matter without a grace: all that is missing is explained, or never began and was cancelled. */
function driverSettles({ evidence, proofs }: Question, driver: ExitRecord): boolean {
  if (proofs.missingExplained) return true
  return driver.told === 'term' && evidence.cancelRequestedAt !== undefined && !proofs.missingBegan
}

/**
 * The driver or a rank was told to stop, not by us but maybe by the target, whose word is or will be the cause; or the
 * scheduler's launcher broke off. Its word for our driver's own exit code tells nothing new.
 */
function endedFromOutside({ evidence, observation, proofs }: Question, driver: ExitRecord): boolean {
  if (evidence.cancelRequestedAt !== undefined || observation?.kind !== 'state') return false
  if (driver.told === 'term' || proofs.toldTerm) return true
  const generic = observation.state === 'failed' && ['exit', 'signal'].includes(failureKind(observation))
  return hasEvent(evidence.driverEvents, 'launch_failed') && !generic
}

/** What the driver's own record proves where records of ranks (elements) are missing. */
function byDriver(rule: ProofRule, question: Question, driver: ExitRecord): Decision {
  const { evidence, proofs } = question
  if (evidence.cancelRequestedAt !== undefined && (driver.told === 'term' || proofs.toldTerm)) return cancelled(rule, question)
  if (proofs.failure) return { rule, state: 'failed', cause: { ...proofs.failure, message: proofs.failure.message + without(proofs) } }
  if (driver.told === 'timeout') {
    return {
      rule,
      state: 'failed',
      cause: { kind: 'timeout', code: driver.code, message: `the job reached its time limit${without(proofs)}` },
    }
  }
  if (driver.told === 'term') {
    const message = `the driver was told to stop by somebody else (TERM)${without(proofs)}`
    return { rule, state: 'failed', cause: { kind: 'signal', code: driver.code, signal: driver.signal || 15, message } }
  }
  if (driver.code === 0) return { rule, state: 'lost', cause: lostCause(question) }
  const part = proofs.missing[0]
  const which = part === undefined ? {} : { [proofs.part]: part }
  const message = `the driver ended with ${driver.code}${without(proofs)}`
  return { rule, state: 'failed', cause: { kind: 'driver', ...which, message } }
}

/** A live word of the target, refined by the events of our own driver. */
function live(question: Question, word: NativeWord, driver: ExitRecord | undefined): Decision {
  if (!isLiveWord(word.state)) {
    const warning = `the target's word ${JSON.stringify(word.word)} is not understood; the job is held to be alive`
    // A job whose end nobody knows is alive when the target has any word for it but an end.
    return question.job.state === 'lost'
      ? { rule: 'unknown word', state: 'running', warning }
      : unchanged(question, 'unknown word', warning)
  }
  if (driver && word.state !== 'queued') return { rule: 'live word', state: 'finishing' }
  // An answer may be older than what the runner wrote meanwhile; a job that is not requeued does not wait a second time.
  const outdated = word.state === 'queued' && !question.evidence.requeues && began(question.evidence)
  const moves = outdated || word.state === 'running' || word.state === 'starting'
  return { rule: 'live word', state: moves ? progress(question, word.state === 'running' ? 'running' : 'starting') : word.state }
}

/** Our driver has begun; of an array's tasks others may wait on. */
function began({ driver, elements, ranks }: Evidence): boolean {
  return driver === 'ours' && elements === undefined && ranks.some((rank) => rank.events.length > 0)
}

/** `running` is the run script's; before that, and while setup runs, a job is `starting`. A foreign script tells nothing more. */
function progress({ evidence, job }: Question, word: 'running' | 'starting'): State {
  if (evidence.driver === 'foreign') return word
  if (scriptBegan(evidence)) return 'running'
  // Events may not have been read again yet; what was running does not go back to its setup.
  return job.state === 'running' || job.state === 'suspended' ? 'running' : 'starting'
}

function scriptBegan(evidence: Evidence): boolean {
  if (evidence.elements) return evidence.elements.some((each) => each.claimed)
  return evidence.ranks.some(
    (rank) => hasEvent(rank.events, 'script') || (rank.record.kind === 'record' && rank.record.record.phase === 'run'),
  )
}

/** The target was not asked, or could not be: its silence changes nothing; what the runners wrote may move the job on. */
function silent(question: Question): Decision {
  const { job, evidence, observation } = question
  const rule: ProofRule = observation ? 'could not ask' : 'nobody asked'
  const waiting = job.state === 'submitting' || job.state === 'queued' || job.state === 'starting'
  if (!waiting) return unchanged(question, rule)
  if (scriptBegan(evidence)) return { rule, state: 'running' }
  const began = evidence.ranks.some((rank) => rank.events.length > 0)
  return began ? { rule, state: 'starting' } : unchanged(question, rule)
}

/** The state is kept; a grace that has begun goes on. */
function unchanged({ job, evidence, now }: Question, rule: ProofRule, warning?: string): Decision {
  const since = job.state === 'finishing' ? evidence.finishingSince : undefined
  const grace = evidence.graceMs ?? DEFAULT_PROOF_GRACE_MS
  return {
    rule,
    state: job.state,
    ...(job.cause === undefined ? {} : { cause: job.cause }),
    ...(warning === undefined ? {} : { warning }),
    // A timer for a moment that has passed would fire for ever while the target cannot be asked.
    ...(since === undefined ? {} : { since, timer: since + grace > now }),
  }
}

/** `finishing` for the grace, then `over`. A job that is `lost` already is not taken back only to be lost again. */
function awaitProof({ job, evidence, now }: Question, rule: ProofRule, over: Decision): Decision {
  if (job.state === 'lost' && over.state === 'lost') return over
  const since = job.state === 'finishing' ? (evidence.finishingSince ?? now) : now
  if (now >= since + (evidence.graceMs ?? DEFAULT_PROOF_GRACE_MS)) return over
  return { rule, state: 'finishing', since, timer: true }
}

function ended(rule: ProofRule, word: NativeWord, { evidence, proofs }: Question): Decision {
  if (evidence.cancelBy === UNMET_DEPENDENCY && word.state === 'cancelled') return unmet(rule)
  const cause = wordCause(word, evidence, proofs.failure, without(proofs))
  return { rule, state: word.state === 'cancelled' ? 'cancelled' : 'failed', cause }
}

/** A job that its scheduler would have held for ever, ended by us. */
function unmet(rule: ProofRule): Decision {
  return { rule, state: 'failed', cause: { kind: 'dependency', message: 'a job it depends on can no longer meet its condition' } }
}

function cancelled(rule: ProofRule, { evidence, proofs }: Question): Decision {
  if (evidence.cancelBy === UNMET_DEPENDENCY) return unmet(rule)
  return { rule, state: 'cancelled', cause: cancelCause(evidence, 'cancelled', proofs.failure?.code) }
}

/** Somebody else's script, of which the target's word is all there is. Where there are records, they count as ever. */
function isForeign({ driver, elements, ranks }: Evidence): boolean {
  return driver === 'foreign' && !elements && ranks.every((rank) => rank.record.kind === 'none')
}

/** A success word with a failing code beside it is no success. */
function foreignSuccess(word: NativeWord, { evidence }: Question): Decision {
  const rule = 'end word of a foreign script'
  if (!word.exitCode) return { rule, state: 'succeeded' }
  return { rule, state: 'failed', cause: wordCause(word, evidence, undefined, '') }
}

/** A scheduler without a word for "cancelled" reports the signal by which our own cancel ended the job. */
function endedByOurCancel({ evidence, proofs }: Question, word: NativeWord, driver: ExitRecord | undefined): boolean {
  if (evidence.cancelRequestedAt === undefined) return false
  const generic = word.cause === undefined || word.cause === 'exit' || word.cause === 'signal' || word.cause === 'driver'
  const killed = word.cause === 'signal' || [130, 137, 143].includes(word.exitCode ?? 0)
  return word.state === 'failed' && generic && (proofs.toldTerm || driver?.told === 'term' || killed)
}

/** The target's word that the job has ended. The end of a duplicate, which ran nothing, is not the job's. */
function endWord(question: Question): NativeWord | undefined {
  const { observation } = question
  if (observation?.kind !== 'state' || !isEndState(observation.state) || isDuplicate(question)) return undefined
  return observation
}

function isDuplicate({ evidence, observation, proofs }: Question): boolean {
  if (observation?.kind !== 'state' || observation.state !== 'failed' || evidence.driver !== 'ours') return false
  return observation.exitCode === DUPLICATE_EXIT_CODE && proofs.failure?.code !== DUPLICATE_EXIT_CODE
}

function isLiveWord(state: State): boolean {
  const told = STATES.includes(state) && !isSettled(state)
  return told && state !== 'created' && state !== 'staging' && state !== 'submitting'
}

function lostCause({ proofs }: Question): Cause {
  return { kind: 'unknown', message: `all that could know was asked, answered, and does not know how it ended${without(proofs)}` }
}

/** Names the ranks (elements) without record, for a message. */
function without(proofs: Proofs): string {
  if (proofs.missing.length === 0) return ''
  const shown = proofs.missing.slice(0, 8).join(', ')
  const more = proofs.missing.length > 8 ? ` and ${proofs.missing.length - 8} more` : ''
  return `; no record of ${proofs.part}${proofs.missing.length > 1 ? 's' : ''} ${shown}${more}`
}

function warningsOf(decision: Decision, proofs: Proofs, evidence: Evidence): readonly string[] {
  const warnings = decision.warning === undefined ? [] : [decision.warning]
  if (proofs.complete && evidence.job.kind === 'unreadable') warnings.push(`record of the driver: ${evidence.job.why}; the others decided`)
  return warnings
}

/** At most this many records stand in a proof; the rest are counted. */
const PROOF_RECORDS = 16

function proofOf(decision: Decision, proofs: Proofs, evidence: Evidence, observation: NativeObservation | undefined): Reconciled['proof'] {
  const records = evidence.ranks.flatMap(({ record }) => (record.kind === 'record' ? [record.record] : []))
  return {
    rule: decision.rule,
    ...(records.length === 0 ? {} : { records: records.slice(0, PROOF_RECORDS), recordCount: records.length }),
    ...(evidence.elements ? { results: evidence.elements.filter((each) => each.result).length, elements: evidence.elements.length } : {}),
    ...(evidence.job.kind === 'record' ? { driver: evidence.job.record } : {}),
    ...(proofs.missing.length === 0 ? {} : { without: proofs.missing.slice(0, PROOF_RECORDS), withoutCount: proofs.missing.length }),
    ...(observation === undefined ? {} : { observation: { ...observation } }),
    ...(evidence.cancelRequestedAt === undefined ? {} : { cancelRequestedAt: evidence.cancelRequestedAt }),
  }
}

function kept(job: ReconcileJob): Pick<Reconciled, 'state' | 'cause' | 'startedAt' | 'endedAt' | 'exitCode'> {
  const exitCode = exitCodeOf(job.state, job.cause)
  return {
    state: job.state,
    ...(job.cause === undefined ? {} : { cause: job.cause }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(job.startedAt === undefined ? {} : { startedAt: job.startedAt }),
    ...(job.endedAt === undefined ? {} : { endedAt: job.endedAt }),
  }
}
