import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { InputError } from '../../errors.ts'
import { createDefaultExecutors, withLocalTasks } from '../../workers/defaults/default-executors.ts'
import { executorKinds } from '../../workers/defaults/executor-kinds.ts'
import { parseExecutors } from '../../workers/multiple/parse-executors.ts'
import type { LocalTask } from '../../workflow/builder/local-task.ts'
import type { ExecutorSet } from '../../workflow/calls/worker-call.ts'
import type { Cli } from '../cli.ts'

/** What a run's executors are made of again when it is resumed; kept in its `run.json`. */
export interface ExecutorsRecord {
  /** Text of the document of executors; null: those by default. */
  readonly document: string | null
  /** The document's file, for messages; relative paths in it start in its folder. */
  readonly file: string | null
  readonly registries: readonly string[]
  readonly max_parallel: number | null
}

/** Of the flags of `workflow run`. Throws InputError for a document that can't be read. */
export function recordExecutors(
  flags: { readonly executors?: string; readonly registry?: readonly string[]; readonly jobs?: number },
  directory: string,
): ExecutorsRecord {
  const file = flags.executors === undefined ? null : resolve(directory, flags.executors)
  if (file !== null && flags.registry !== undefined) {
    throw new InputError('invalid_argument', '--executors and --registry exclude each other', {
      hint: 'Name the registry in the document of executors.',
    })
  }
  const ordinary = resolve(directory, 'workers')
  const registries = flags.registry?.map((path) => resolve(directory, path)) ?? (existsSync(ordinary) ? [ordinary] : [])
  for (const registry of flags.registry ?? []) {
    if (!existsSync(resolve(directory, registry)))
      throw new InputError('missing_file', `--registry ${registry}: there is no folder ${resolve(directory, registry)}`)
  }
  return { document: file === null ? null : readText(file), file, registries, max_parallel: flags.jobs ?? null }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new InputError('missing_file', `cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The executors of a record, and the local functions of the workflow. */
export function createExecutors(cli: Cli, record: ExecutorsRecord, localTasks: ReadonlyMap<string, LocalTask>): ExecutorSet {
  const { document, file, registries, max_parallel } = record
  const onNote = (note: string): void => void cli.say(note)
  const set =
    document === null || file === null
      ? createDefaultExecutors({ registries, onNote, ...(max_parallel === null ? {} : { maxParallel: max_parallel }) })
      : parseExecutors(document, file, dirname(file), executorKinds({ drover: () => cli.drover(), onNote }))
  return withLocalTasks(set, localTasks)
}
