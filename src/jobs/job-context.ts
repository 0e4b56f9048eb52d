import type { Logger } from '../executors/executor.ts'
import type { Store } from '../store/store.ts'
import type { State } from '../task/states.ts'
import type { ChangeWriter } from './change-writer.ts'
import type { SecretFiles } from './secret-files.ts'

/** What the parts of one supervisor share. */
export interface JobContext {
  readonly store: Store
  readonly writer: ChangeWriter
  readonly secrets: SecretFiles
  readonly log: Logger
  /** Aborted when the supervisor stops. */
  readonly signal: AbortSignal
  now(): number
  /** Told once per job when it has reached an end state or `lost`, after it is on disk. */
  settled(jobId: string, state: State): void
}
