import { resolve } from 'node:path'
import { dict, either, list, type Shape, text, whole, word } from '../../task/shape.ts'
import { createCommandExecutor } from '../custom/command-executor.ts'
import type { CallPaths } from '../process/call-marks.ts'
import type { ScriptExecutorOptions } from '../shell/script-executor.ts'
import { createShellExecutor } from '../shell/shell-executor.ts'
import { createStdInOutExecutor } from '../stdinout/stdinout-executor.ts'
import type { ExecutorContext, ExecutorKind } from './parse-executors.ts'

/** Folders of workers, in a document. */
export const registryShape: Shape = either('a folder, or a list of folders', text(), list(text()))

/** Such folders as absolute paths; relative ones start at `directory`. */
export function registriesOf(given: string | readonly string[] | null | undefined, directory: string): readonly string[] {
  return (typeof given === 'string' ? [given] : (given ?? [])).map((path) => resolve(directory, path))
}

const shared = { env: dict(text()), max_parallel: whole(1) }
const paths = word('relative', 'absolute')

/** Options by their keys in documents, after the check. */
interface Checked {
  readonly registry?: string | readonly string[] | null
  readonly env?: Readonly<Record<string, string>> | null
  readonly max_parallel?: number | null
  readonly paths?: string | null
  readonly command?: readonly string[] | null
}

/** The kinds of executors that documents can name and that run programs here: `shell`, `stdinout`, `custom` (a command). */
export const SCRIPT_KINDS: Readonly<Record<'shell' | 'stdinout' | 'custom', ExecutorKind>> = {
  shell: {
    keys: { registry: registryShape, paths, ...shared },
    create: (options, context) => createShellExecutor(scriptOptions(options, context)),
  },
  stdinout: {
    keys: { registry: registryShape, ...shared },
    create: (options, context) => createStdInOutExecutor(scriptOptions(options, context)),
  },
  custom: {
    keys: { command: list(text(), { min: 1 }), paths, ...shared },
    required: ['command'],
    create: (options: Checked, context) => {
      const { registries: _, ...rest } = scriptOptions(options, context)
      return createCommandExecutor({ command: options.command ?? [], kind: context.name, ...rest })
    },
  },
}

function scriptOptions(options: Checked, { directory }: ExecutorContext): ScriptExecutorOptions {
  const chosen: CallPaths | undefined = options.paths?.toLowerCase() === 'absolute' ? 'absolute' : undefined
  return {
    registries: registriesOf(options.registry, directory),
    ...(options.env ? { env: options.env } : {}),
    ...(options.max_parallel ? { maxParallel: options.max_parallel } : {}),
    ...(chosen === undefined ? {} : { paths: chosen }),
  }
}
