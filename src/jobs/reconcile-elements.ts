import type { ElementRow } from '../store/store.ts'
import type { Cause, FailureKind, State } from '../task/states.ts'
import { type ContainerTrouble, containerTrouble } from './container-trouble.ts'
import type { ElementEvidence, Evidence } from './evidence.ts'
import { signalOfCode } from './exit-code.ts'

/** State of one element by its journal alone: claimed is `running`, unclaimed `queued`. */
export function elementState(element: ElementEvidence, evidence: Evidence): State {
  if (!element.result) return element.claimed ? 'running' : 'queued'
  const { told, code, word } = element.result
  if (word?.cause === 'cancelled') return 'cancelled'
  if (told === '0') return code === 0 ? 'succeeded' : 'failed'
  if (told === 'peer') return 'cancelled'
  const ours = evidence.cancelRequestedAt !== undefined || evidence.cancelledElements?.has(element.position) === true
  return told === 'term' && ours ? 'cancelled' : 'failed'
}

function causeKind(element: ElementEvidence, trouble?: ContainerTrouble): FailureKind {
  if (trouble) return trouble.kind
  const word = element.result?.word?.cause
  if (word !== undefined && word !== 'cancelled' && word !== 'exit' && word !== 'signal') return word
  if (element.result?.told === 'timeout') return 'timeout'
  if (element.result?.told === 'term') return 'signal'
  return signalOfCode(element.result?.code ?? 0) === undefined ? 'exit' : 'signal'
}

/** Signal of an ended element; one that was told to stop and ended with 0 is held to have had TERM. */
function signalOf(element: ElementEvidence): number | undefined {
  if (!element.result) return undefined
  return signalOfCode(element.result.code) ?? (element.result.told === 'term' ? 15 : undefined)
}

function troubleOf({ result, position }: ElementEvidence, evidence: Evidence): ContainerTrouble | undefined {
  return result?.told === '0' ? containerTrouble(evidence.ranks[0]?.events ?? [], result.code, position) : undefined
}

/** The cause of a job whose first failed element this is. */
export function elementCause(element: ElementEvidence, total: number, failed: number, evidence: Evidence): Cause {
  const trouble = troubleOf(element, evidence)
  const kind = causeKind(element, trouble)
  const code = element.result?.code ?? 0
  const signal = kind === 'signal' ? signalOf(element) : undefined
  const { word } = element.result ?? {}
  const how = trouble
    ? `failed: ${trouble.message}`
    : word !== undefined
      ? `failed: the scheduler reports ${word.word}${word.reason === undefined ? '' : ` (${word.reason})`}`
      : kind === 'timeout'
        ? 'reached the time limit'
        : kind === 'signal'
          ? `ended by signal ${signal}`
          : `ended with ${code}`
  return {
    kind,
    element: element.position,
    code,
    ...(signal === undefined ? {} : { signal }),
    message: `element ${element.position} ${how}${failed > 1 ? ` (the first of ${failed} failed of ${total})` : ''}`,
  }
}

/**
 * Rows of all elements of the attempt. Elements with a result keep it. One without shares the job's end: that cause where
 * the job failed, `cancelled` where it was cancelled, `lost` where it is lost; while the job is live it is running or queued.
 */
export function elementRows(evidence: Evidence, job: { readonly state: State; readonly cause?: Cause }): readonly ElementRow[] | undefined {
  return evidence.elements?.map((element) => {
    const own = elementState(element, evidence)
    const state = element.result ? own : withoutResult(own, job.state)
    const kind = rowCause(element, state, job.cause, evidence)
    const signal = state === 'failed' ? signalOf(element) : undefined
    return {
      position: element.position,
      attempt: evidence.attempt,
      state,
      ...(element.result ? { exitCode: element.result.code } : {}),
      ...(signal === undefined ? {} : { signal }),
      ...(kind === undefined ? {} : { causeKind: kind }),
      ...(element.startedAt === undefined ? {} : { startedAt: element.startedAt }),
      ...(element.result?.endedAt === undefined ? {} : { endedAt: element.result.endedAt }),
    }
  })
}

function withoutResult(own: State, job: State): State {
  if (job === 'failed' || job === 'cancelled' || job === 'lost') return job
  return own
}

function rowCause(element: ElementEvidence, state: State, job: Cause | undefined, evidence: Evidence): Cause['kind'] | undefined {
  if (state === 'cancelled') return 'cancelled'
  if (state === 'lost') return 'unknown'
  if (state !== 'failed') return undefined
  if (element.result) return causeKind(element, troubleOf(element, evidence))
  // The job's cause may be another element's own exit; of this one it is known only that the driver ended without its result.
  return job === undefined || job.element !== undefined || job.kind === 'cancelled' || job.kind === 'unknown' ? 'driver' : job.kind
}
