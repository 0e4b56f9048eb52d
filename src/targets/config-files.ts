import { readFileSync, statSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { DroverError, InputError } from '../errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** A text taken in place of what lies at a path: a change that is checked before it is written. */
export interface ConfigOverlay {
  readonly path: string
  readonly text: string
}

/** The site's file: `DROVER_SITE_CONFIG`, default /etc/drover/config.yaml. */
export function siteConfigPath(environment: Environment): string {
  return environment['DROVER_SITE_CONFIG'] || '/etc/drover/config.yaml'
}

/** The user's file: `drover/config.yaml` under `XDG_CONFIG_HOME`, default ~/.config. */
export function userConfigPath(environment: Environment): string {
  const directory = environment['XDG_CONFIG_HOME']?.startsWith('/')
    ? environment['XDG_CONFIG_HOME']
    : join(environment['HOME'] || homedir(), '.config')
  return join(directory, 'drover', 'config.yaml')
}

/**
 * The project's file: the nearest `drover.yaml` at or above a directory; undefined where there is none. One that another
 * user has put where anyone may write is passed over and added to `foreign`, as a sentence.
 */
export function projectConfigPath(clientDirectory: string, foreign: string[], overlay?: ConfigOverlay): string | undefined {
  if (!clientDirectory.startsWith('/'))
    throw new InputError('invalid_argument', `the client's directory must be absolute: ${JSON.stringify(clientDirectory)}`)
  for (let at = resolve(clientDirectory); ; at = dirname(at)) {
    const path = join(at, 'drover.yaml')
    const owner = ownerIfPlanted(path)
    if (owner !== undefined) foreign.push(`${path} is not read: it belongs to user ${owner}, and anyone may write to ${at}`)
    else if (overlay?.path === path || statSync(path, { throwIfNoEntry: false }) !== undefined) return path
    if (dirname(at) === at) return undefined
  }
}

/** The owner of a file that someone else may have put there; undefined for any other file, and for none. */
function ownerIfPlanted(path: string): number | undefined {
  const file = statSync(path, { throwIfNoEntry: false })
  if (file === undefined || file.uid === 0 || file.uid === userInfo().uid) return undefined
  return (statSync(dirname(path)).mode & 0o002) === 0 ? undefined : file.uid
}

/** The text of a configuration file; undefined when there is none. Throws `no_permission` for one that cannot be read. */
export function readConfigFile(path: string, overlay?: ConfigOverlay): string | undefined {
  if (overlay?.path === path) return overlay.text
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    const [why, hint] =
      code === 'EISDIR'
        ? ['it is a directory', 'Rename it, or put a file in its place.']
        : [code === 'EACCES' ? 'permission denied' : String(code ?? error), 'Make it readable for you, or remove it.']
    throw new DroverError('no_permission', `cannot read the configuration file ${path}: ${why}`, { level: 'config', cause: error, hint })
  }
}
