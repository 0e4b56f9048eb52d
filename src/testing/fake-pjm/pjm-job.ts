/** State words of pjstat with the long words of the manuals. */
export const PJM_WORDS = {
  ACC: 'ACCEPT',
  RJT: 'REJECT',
  QUE: 'QUEUED',
  RNA: 'RUNNING-A',
  RNP: 'RUNNING-P',
  RUN: 'RUNNING',
  RNE: 'RUNNING-E',
  RNO: 'RUNOUT',
  SPP: 'SUSPEND',
  SPD: 'SUSPENDED',
  RSM: 'RESUME',
  EXT: 'EXIT',
  CCL: 'CANCEL',
  HLD: 'HOLD',
  ERR: 'ERROR',
} as const

/** A state word as pjstat prints it. */
export type PjmWord = keyof typeof PJM_WORDS

/** Words after which a job is in the history alone. */
export const PJM_ENDED: ReadonlySet<PjmWord> = new Set<PjmWord>(['EXT', 'CCL', 'RJT'])

/** What was asked for at submission. */
export interface PjmRequest {
  readonly name: string
  readonly script: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly nodes: number
  /** As pjstat prints it: `12`, `12:2x3x2`. */
  readonly nodeText: string
  readonly rscgrp: string
  readonly group: string
  readonly elapseMs: number
  readonly priority: string
  readonly output: string | undefined
  readonly error: string | undefined
  readonly merged: boolean
  /** `-L` as given, by name. */
  readonly resources: Readonly<Record<string, string>>
}

/** How a run ended: EC, PC and SN of pjstat with the words of REASON. */
export interface PjmEnd {
  readonly word: PjmWord
  readonly ec: number
  readonly pc: number
  readonly sn: number
  readonly reason: string
}

/** A job, a sub-job, or the parent of sub-jobs. */
export interface PjmJob {
  readonly id: number
  /** `239`, `239[1]`, `240_0`. */
  readonly publicId: string
  readonly model: 'NM' | 'BU' | 'ST'
  /** Bulk or step number; undefined: no sub-job. */
  readonly number: number | undefined
  readonly isParent: boolean
  readonly request: PjmRequest
  word: PjmWord
  last: PjmWord
  ec: number
  pc: number
  sn: number
  reason: string
  readonly acceptMs: number
  startMs: number | undefined
  endMs: number | undefined
  /** Of a step sub-job: when it is left out, as `--sparam sd=` says. */
  readonly skip: StepDependency | undefined
}

/** `sd=ec!=0:all:0`: true of one of these steps means that the sub-job is not run. */
export interface StepDependency {
  readonly form: 'ec' | 'pc'
  readonly operator: string
  readonly values: readonly number[]
  readonly remove: 'one' | 'after' | 'all'
  readonly steps: readonly number[]
}

/** Puts a job into a state and remembers the one before. */
export function moveTo(job: PjmJob, word: PjmWord): void {
  if (job.word === word) return
  job.last = job.word
  job.word = word
}
