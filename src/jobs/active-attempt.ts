import { AttemptFiles } from '../executors/attempt-files.ts'
import type { NativeObservation, NativeRef, ResolvedTask } from '../executors/executor.ts'
import type { ElementRow, JobChange, JobRow, NewEvent } from '../store/store.ts'
import type { State } from '../task/states.ts'
import type { AttemptPlan } from './attempt-plan.ts'
import { type Evidence, reduceSlots } from './evidence.ts'
import { mayRequeue } from './may-requeue.ts'
import { arrayObservation, endedTasks, type NativeTasks, withNativeWords } from './native-array.ts'
import { type Reconciled, reconcile } from './reconcile.ts'

/** One attempt at work: what is known of it, and what of that is on disk already. */
export interface ActiveAttempt {
  readonly jobId: string
  readonly number: number
  readonly plan: AttemptPlan
  readonly task: ResolvedTask
  readonly files: AttemptFiles
  readonly proofGraceMs: number
  /** Rows of elements that this attempt does not run and that have not succeeded. */
  readonly otherElements: readonly ElementRow[]
  state: State
  nativeId?: string
  observation?: NativeObservation
  /** Positions that were cancelled one by one. */
  cancelledElements: ReadonlySet<number>
  finishingSince: number | undefined
  polledAt: number
  lookedAt: number
  /** Since when its submit is awaited, epoch ms; undefined: it was answered, or is in doubt. */
  submittingSince?: number
  /** It was asked to end, and its target has not been asked since. */
  ending: boolean
  /** Examined right now; `again`: something came meanwhile. */
  busy: boolean
  again: boolean
  /** A second look after the slots' bell is on its way. */
  lookAgain: boolean
  /** What was written last, so that only differences are written. */
  readonly written: {
    ranks: string
    word: string | undefined
    reason: string | undefined
    readonly elements: Map<number, State>
    readonly warnings: Set<string>
    started: boolean
  }
}

export function createActiveAttempt(of: {
  readonly job: Pick<JobRow, 'id' | 'startedAt'>
  readonly number: number
  readonly plan: AttemptPlan
  readonly task: ResolvedTask
  readonly state: State
  readonly proofGraceMs: number
  readonly otherElements?: readonly ElementRow[]
  readonly cancelledElements?: ReadonlySet<number>
}): ActiveAttempt {
  const { plan } = of
  return {
    jobId: of.job.id,
    number: of.number,
    plan,
    task: of.task,
    files: new AttemptFiles(plan.places),
    proofGraceMs: of.proofGraceMs,
    otherElements: of.otherElements ?? [],
    state: of.state,
    cancelledElements: of.cancelledElements ?? new Set(),
    finishingSince: undefined,
    polledAt: 0,
    lookedAt: 0,
    ending: false,
    busy: false,
    again: false,
    lookAgain: false,
    written: {
      ranks: '',
      word: undefined,
      reason: undefined,
      elements: new Map(),
      warnings: new Set(),
      started: of.job.startedAt !== undefined,
    },
  }
}

/** Asked for at each poll; only the native id may still change. */
const refs = new WeakMap<ActiveAttempt, NativeRef>()

/** The attempt as its executor knows it. */
export function refOf(active: ActiveAttempt): NativeRef {
  const known = refs.get(active)
  const nativeId = active.nativeId ?? ''
  if (known?.nativeId === nativeId) return known
  const ref = {
    nativeId,
    jobId: active.jobId,
    attempt: active.number,
    ...(active.plan.requeued === undefined ? {} : { submittedAs: active.plan.requeued.submittedAs }),
    places: active.plan.places,
  }
  refs.set(active, ref)
  return ref
}

/** Tasks of a native array; undefined for any other job. `cancelled`: the job as a whole was asked to end. */
function nativeTasks(active: ActiveAttempt, cancelled: boolean, now: number): NativeTasks | undefined {
  const { files, plan, observation, cancelledElements, finishingSince, proofGraceMs } = active
  const { tasks } = files
  const chunk = plan.places[0]?.tasks?.chunk
  if (tasks === undefined || chunk === undefined) return undefined
  return {
    chunk,
    observation,
    setupRecord: (task) => tasks.setupRecord(task),
    askedToEnd: (position) => cancelled || cancelledElements.has(position),
    graceOver: finishingSince !== undefined && now >= finishingSince + proofGraceMs,
  }
}

/** Of a native array: the files of tasks that the scheduler says are over are to be read. */
export function wantEnded(active: ActiveAttempt): void {
  const native = nativeTasks(active, false, 0)
  if (native === undefined) return
  const { elements } = reduceSlots(active.plan.elements, active.files.slotLines())
  for (const task of endedTasks(elements, native)) active.files.tasks?.want(task)
}

function evidenceOf(active: ActiveAttempt, job: JobRow, now: number, uptimeZeroMs: number | undefined): Evidence {
  const { files, plan } = active
  const reduced = plan.elements.length > 0 ? reduceSlots(plan.elements, files.slotLines(), uptimeZeroMs) : undefined
  const native = nativeTasks(active, job.cancelRequestedAt !== undefined, now)
  const elements = reduced && native ? withNativeWords(reduced.elements, native) : reduced?.elements
  return {
    attempt: active.number,
    driver: active.task.spec.remoteScript === undefined ? 'ours' : 'foreign',
    hasSetup: plan.hasSetup,
    ranks: plan.ranks.map(({ rank, node }) => {
      const events = files.events(rank)
      // Which node a scheduler gave is known there first.
      return {
        rank,
        node: node || (events.find(({ word }) => word === 'runner')?.detail['node'] ?? ''),
        record: files.record(rank),
        events,
      }
    }),
    job: files.record('job'),
    driverEvents: files.events('job'),
    ...(elements === undefined ? {} : { elements }),
    ...(mayRequeue(active.task) ? { requeues: true } : {}),
    ...(reduced?.conflict === undefined ? {} : { slotsUnreadable: reduced.conflict }),
    ...(job.cancelRequestedAt === undefined ? {} : { cancelRequestedAt: job.cancelRequestedAt }),
    ...(job.cancelBy === undefined ? {} : { cancelBy: job.cancelBy }),
    ...(active.finishingSince === undefined ? {} : { finishingSince: active.finishingSince }),
    cancelledElements: active.cancelledElements,
    graceMs: active.proofGraceMs,
  }
}

/** Reconciles what was read, and tells what of the result is not on disk yet. */
export function takeVerdict(
  active: ActiveAttempt,
  job: JobRow,
  now: number,
  uptimeZeroMs?: number,
): {
  readonly verdict: Reconciled
  readonly change: Partial<JobChange> | undefined
  readonly commit: () => void
  readonly wakeInMs: number | undefined
} {
  const evidence = evidenceOf(active, job, now, uptimeZeroMs)
  const native = nativeTasks(active, job.cancelRequestedAt !== undefined, now)
  const verdict = reconcile(
    {
      state: job.state,
      attempt: job.attempt,
      ...(job.cause === undefined ? {} : { cause: job.cause }),
      ...(job.startedAt === undefined ? {} : { startedAt: job.startedAt }),
      ...(active.otherElements.length === 0 ? {} : { otherElements: active.otherElements }),
    },
    evidence,
    native && evidence.elements ? arrayObservation(evidence.elements, native) : active.observation,
    now,
  )
  active.finishingSince = verdict.finishingSince
  const startedAt = verdict.startedAt === undefined ? undefined : stamp(verdict.startedAt, job.createdAt, now)
  const endedAt =
    verdict.endedAt === undefined ? undefined : stamp(verdict.endedAt, Math.max(job.createdAt, job.startedAt ?? startedAt ?? 0), now)
  const { written } = active
  const ranks = JSON.stringify(verdict.ranks)
  const elements = (verdict.elements ?? []).filter(
    (row) => row.state !== 'created' && row.state !== 'queued' && written.elements.get(row.position) !== row.state,
  )
  const warnings = verdict.warnings.filter((warning) => !written.warnings.has(warning))
  const moved = verdict.state !== job.state
  const waits = verdict.state === 'queued' || verdict.state === 'suspended'
  const started = verdict.startedAt !== undefined && !written.started
  const changed =
    moved ||
    ranks !== written.ranks ||
    elements.length > 0 ||
    warnings.length > 0 ||
    started ||
    verdict.nativeWord !== written.word ||
    verdict.reason !== written.reason
  const events: NewEvent[] = [
    ...warnings.map((warning) => ({ type: 'warning', data: { warning } })),
    ...(moved ? [{ type: 'state', data: { from: job.state, to: verdict.state, proof: verdict.proof } }] : []),
  ]
  const usage = usageOf(active)
  return {
    verdict,
    wakeInMs: verdict.wakeAt === undefined ? undefined : Math.max(1, verdict.wakeAt - now),
    change: changed
      ? {
          ranks: verdict.ranks,
          elements,
          events,
          patch: {
            checkedAt: now,
            ...(startedAt === undefined || job.startedAt !== undefined ? {} : { startedAt }),
            ...(endedAt === undefined ? {} : { endedAt }),
            ...(verdict.nativeWord === undefined ? {} : { nativeWord: verdict.nativeWord }),
            // Why a job waited is of no interest once it doesn't.
            ...(moved || verdict.nativeWord !== undefined ? { reason: waits ? (verdict.reason ?? null) : null } : {}),
            ...(usage === undefined ? {} : { usage }),
          },
          attemptPatch: {
            state: verdict.state,
            ...(startedAt === undefined || job.startedAt !== undefined ? {} : { startedAt }),
            ...(endedAt === undefined ? {} : { endedAt }),
          },
        }
      : undefined,
    commit: () => {
      written.ranks = ranks
      written.word = verdict.nativeWord
      written.reason = verdict.reason
      written.started ||= started
      for (const row of elements) written.elements.set(row.position, row.state)
      for (const warning of warnings) written.warnings.add(warning)
    },
  }
}

/** Nodes write whole seconds; what is heard within two of them is stamped with the time of hearing. */
function stamp(at: number, notBefore: number, now: number): number {
  const heard = now - at >= 0 && now - at < 2_000 ? now : at
  return Math.max(heard, notBefore)
}

/** CPU time of all scripts, where the runners told it. */
function usageOf(active: ActiveAttempt): JobRow['usage'] {
  let cpuMs = 0
  let told = false
  for (const { rank } of active.plan.ranks) {
    for (const event of active.files.events(rank)) {
      const centiseconds = Number(event.detail['cpu_cs'])
      if (event.word !== 'script_end' || !Number.isFinite(centiseconds)) continue
      told = true
      cpuMs += centiseconds * 10
    }
  }
  return told ? { cpuMs } : undefined
}
