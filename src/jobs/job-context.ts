import type { Logger } from '../executors/executor.ts'
import type { Store } from '../store/store.ts'
import type { State } from '../task/states.ts'
import type { ChangeWriter } from './change-writer.ts'
import type { Companions } from './companions.ts'
import type { JobGraph } from './job-graph.ts'
import type { SecretFiles } from './secret-files.ts'
import type { TargetSet } from './target-set.ts'

/** What the parts of one supervisor share. */
export interface JobContext {
  readonly store: Store
  readonly writer: ChangeWriter
  readonly secrets: SecretFiles
  readonly log: Logger
  /** Aborted when the supervisor stops. */
  readonly signal: AbortSignal
  now(): number
  /** Hands a promise to the supervisor, which awaits it before it stops. */
  own(promise: Promise<unknown>): void
  /** Told once per job when it has reached an end state or `lost`, after it is on disk. */
  settled(jobId: string, state: State): void
  /** Told once per attempt when its target has it. */
  submitted(jobId: string): void
}

/** What a call on jobs acts through. */
export interface JobControl extends JobContext {
  readonly targets: TargetSet
  readonly graph: JobGraph
  readonly companions: Companions
}
