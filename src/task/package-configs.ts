import { InputError } from '../errors.ts'
import type { FileTextInput } from './task-input.ts'

/** Where packaged configuration files lie, relative to a job's work directory, in which setup and run start. */
const DIRECTORY = '.drover/configs'

/** Configuration files on their way into a task. */
export interface PackagedConfigs {
  /** At which the job sees them, in the order given: relative to its work directory, `.drover/configs/<name>`. */
  readonly paths: readonly string[]
  /** To spread into the task's `file_mounts`. */
  readonly file_mounts: Readonly<Record<string, FileTextInput>>
}

/**
 * Packages configuration files with a job: `packageConfigs(['train.yaml', 'lr: 0.1'])` gives the paths at which the job
 * will see them, and the mounts that bring them there. The texts travel as they are; no variable is put into them.
 *
 * @throws InputError for a name that is empty, absolute, holds `..`, or is given twice
 * @example
 * const { paths, file_mounts } = packageConfigs(['train.json', '{"lr": 0.1}'])
 * defineTask({ run: ['python', 'train.py', '--config', paths[0]], file_mounts })
 */
export function packageConfigs<const Configs extends readonly (readonly [name: string, text: string])[]>(
  ...configs: Configs
): PackagedConfigs & { readonly paths: { readonly [At in keyof Configs]: string } } {
  const mounts = new Map<string, FileTextInput>()
  const paths = configs.map(([name, text]) => {
    const parts = name.split('/')
    if (name.startsWith('/') || /[\0\n]/.test(name) || parts.some((part) => part === '' || part === '.' || part === '..'))
      throw new InputError('invalid_argument', `${JSON.stringify(name)} is no name of a configuration file`, {
        hint: 'Allowed: names and relative paths as train.yaml or model/large.yaml.',
      })
    const path = `${DIRECTORY}/${name}`
    if (mounts.has(path)) throw new InputError('invalid_argument', `the configuration file ${JSON.stringify(name)} is given twice`)
    if (text.includes('\0'))
      throw new InputError('invalid_argument', `the configuration file ${JSON.stringify(name)} holds a NUL character`)
    mounts.set(path, { text })
    return path
  })
  return { paths: paths as { readonly [At in keyof Configs]: string }, file_mounts: Object.fromEntries(mounts) }
}
