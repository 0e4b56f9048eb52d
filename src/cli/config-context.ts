import { join } from 'node:path'
import { InputError } from '../errors.ts'
import { executorTargetKinds } from '../executors/registry.ts'
import { projectConfigPath, userConfigPath } from '../targets/config-files.ts'
import { resolveHome } from '../targets/drover-home.ts'
import type { LoadTargetsOptions } from '../targets/load-targets.ts'
import { nearestName } from '../task/nearest-name.ts'
import type { Cli } from './cli.ts'

/** What a command that changes configuration works on: this command's own environment and directory. */
export function configContext(cli: Cli): LoadTargetsOptions & { readonly clientDirectory: string } {
  const { environment, directory } = cli.host
  return { environment, home: resolveHome(environment).home, clientDirectory: directory, kinds: executorTargetKinds() }
}

/** The file that is written: the user's, or the nearest project's (made in this directory where there is none). */
export function configPath(cli: Cli, project: boolean | undefined): string {
  if (project !== true) return userConfigPath(cli.host.environment)
  const foreign: string[] = []
  const found = projectConfigPath(cli.host.directory, foreign)
  const [planted] = foreign
  if (planted !== undefined) throw new InputError('no_permission', planted, { hint: 'Work in a directory of your own.' })
  return found ?? join(cli.host.directory, 'drover.yaml')
}

/** Throws `unknown_target` for a name that is in none of the files, with the nearest one. */
export function requireKnown(name: string, names: Iterable<string>): void {
  const known = [...names]
  if (known.includes(name)) return
  const near = nearestName(name, known)
  throw new InputError('unknown_target', `no target "${name}"`, {
    hint: near === undefined ? 'Known targets: drover target list' : `Did you mean "${near}"?`,
  })
}
