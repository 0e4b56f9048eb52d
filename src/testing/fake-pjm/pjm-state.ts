import { PJM_ENDED, type PjmJob, type PjmWord } from './pjm-job.ts'
import type { PjmLife } from './pjm-life.ts'
import type { PjmSettings } from './pjm-options.ts'

/** What the fake knows. */
export interface PjmState {
  readonly settings: PjmSettings
  /** By public id, in order of submission; sub-jobs after their parent. */
  readonly jobs: Map<string, PjmJob>
  /** Ids that even the history has forgotten. */
  readonly forgotten: Set<string>
  /** Set once, right after the state was made. */
  life: PjmLife
  nextId: number
  now(): number
}

/** Sub-jobs of a parent. */
export function subJobs(state: PjmState, parent: PjmJob): readonly PjmJob[] {
  return [...state.jobs.values()].filter((job) => job.id === parent.id && !job.isParent)
}

/** The word of a parent, a summary that need not fit any sub-job. */
export function parentWord(state: PjmState, parent: PjmJob): PjmWord {
  const words = subJobs(state, parent).map((job) => job.word)
  const ended = words.filter((word) => PJM_ENDED.has(word)).length
  if (words.length > 0 && ended === words.length) return words.every((word) => word === 'CCL') ? 'CCL' : 'EXT'
  if (state.settings.parentState === 'runout' && ended > 0) return 'RNO'
  if (words.some((word) => ['RUN', 'RNA', 'RNP', 'RNE', 'RNO'].includes(word)) || ended > 0) return 'RUN'
  return words[0] ?? 'QUE'
}

/** When a parent ended: with the last of its sub-jobs. */
export function endOf(state: PjmState, job: PjmJob): number | undefined {
  if (!job.isParent) return job.endMs
  if (!PJM_ENDED.has(parentWord(state, job))) return undefined
  return Math.max(...subJobs(state, job).map((each) => each.endMs ?? 0))
}

/** In which of the two views a job is; undefined: in none. */
export function viewOf(state: PjmState, job: PjmJob): 'active' | 'history' | undefined {
  if (state.forgotten.has(job.publicId)) return undefined
  const endMs = endOf(state, job)
  const word = job.isParent ? parentWord(state, job) : job.word
  if (endMs === undefined || !PJM_ENDED.has(word)) return 'active'
  const parent = job.number === undefined ? undefined : state.jobs.get(String(job.id))
  if (job.model === 'BU' && parent && endOf(state, parent) === undefined && state.settings.endedSubJobs !== 'history')
    return state.settings.endedSubJobs === 'active' ? 'active' : undefined
  return state.now() - endMs >= state.settings.historyDelayMs ? 'history' : undefined
}

/** Jobs that an operand names: `239`, `239[1]`, `239[0-3]`, `240_1`, `238-241`. */
export function jobsNamed(state: PjmState, operand: string): readonly PjmJob[] {
  const [, id, first, last = first] = /^(\d+)\[(\d+)(?:-(\d+))?\]$/.exec(operand) ?? []
  if (id !== undefined) {
    return [...state.jobs.values()].filter(
      (job) =>
        job.id === Number(id) &&
        job.model === 'BU' &&
        job.number !== undefined &&
        job.number >= Number(first) &&
        job.number <= Number(last),
    )
  }
  const range = /^(\d+)-(\d+)$/.exec(operand)
  if (range) {
    const [from, to] = [Number(range[1]), Number(range[2])]
    return [...state.jobs.values()].filter((job) => job.number === undefined && job.id >= from && job.id <= to)
  }
  const job = state.jobs.get(operand)
  return job === undefined ? [] : [job]
}
