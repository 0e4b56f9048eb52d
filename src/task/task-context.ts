import type { FileAccess } from './file-access.ts'
import type { TaskOverrides } from './overrides.ts'

/** What reading a task needs beside its text. */
export interface TaskContext {
  /** Directory that relative paths of the file are resolved against; absolute. */
  readonly baseDirectory: string
  /** Directory that relative paths of flags are resolved against; absolute. Default: `baseDirectory`. */
  readonly currentDirectory?: string
  /** The client's environment: for `--env NAME`, `--secret NAME` and secrets without a value. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly overrides: TaskOverrides
  readonly files: FileAccess
}
