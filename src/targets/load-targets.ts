import { readFileSync, statSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { DroverError, InputError } from '../errors.ts'
import { type ConfigFile, type Limits, parseConfig, type TargetKinds } from './parse-config.ts'
import type { Target } from './target.ts'

/** All targets, with where they come from. */
export interface LoadedTargets {
  readonly targets: Readonly<Record<string, Target>>
  /** After the site's limits were applied; absent: no limit. */
  readonly limits: Limits
  /** Files that were read, in order: site, user, project. */
  readonly files: readonly string[]
  /** What the files say and does not hold: a limit above the site's, a project file of someone else. */
  readonly warnings: readonly string[]
}

/**
 * Reads the site's file (`DROVER_SITE_CONFIG`, default /etc/drover/config.yaml), the user's (`drover/config.yaml` under
 * `XDG_CONFIG_HOME`, default ~/.config) and the project's (the nearest `drover.yaml` at or above the client's directory). A
 * later file adds targets, and keys to a target of the same kind; limits of the site's file cannot be exceeded. `local`
 * always exists. A project file that another user has put where anyone may write is passed over, with a warning: its
 * prologue would run as this user.
 *
 * @throws DroverError `invalid_config` with file, line and column; `no_permission` for a file that cannot be read
 */
export function loadTargets(options: {
  readonly home: string
  /** Absolute; undefined: no project file is read. */
  readonly clientDirectory?: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Kinds the registry knows, each with its options. */
  readonly kinds: TargetKinds
}): LoadedTargets {
  const { environment, kinds, clientDirectory } = options
  const foreign: string[] = []
  const userDirectory = environment['XDG_CONFIG_HOME']?.startsWith('/')
    ? environment['XDG_CONFIG_HOME']
    : join(environment['HOME'] || homedir(), '.config')
  const site = readConfig(environment['DROVER_SITE_CONFIG'] || '/etc/drover/config.yaml', kinds)
  const user = readConfig(join(userDirectory, 'drover', 'config.yaml'), kinds)
  const project = clientDirectory === undefined ? undefined : nearestConfig(clientDirectory, kinds, foreign)
  const found = [site, user, project].filter((file) => file !== undefined)

  const { limits, warnings } = applyLimits(site, [user, project])
  const targets: Record<string, Target> = { local: { name: 'local', kind: 'local', root: options.home, options: {}, limits } }
  for (const file of found) {
    for (const written of file.targets) {
      const before = Object.hasOwn(targets, written.name) ? targets[written.name] : undefined
      const base = before?.kind === written.kind ? before : undefined
      const prologue = written.prologue ?? base?.prologue
      targets[written.name] = {
        name: written.name,
        kind: written.kind,
        root: written.root ?? base?.root ?? (written.kind === 'local' ? options.home : '~/.drover'),
        ...(prologue === undefined ? {} : { prologue }),
        options: { ...base?.options, ...written.options },
        limits,
      }
    }
  }
  return { targets, limits, warnings: [...warnings, ...foreign], files: found.map((file) => file.path) }
}

function applyLimits(
  site: ConfigFile | undefined,
  others: readonly (ConfigFile | undefined)[],
): { limits: Limits; warnings: readonly string[] } {
  const limits: Partial<Record<keyof Limits, number>> = { ...site?.limits }
  const warnings: string[] = []
  for (const file of others) {
    for (const [key, value] of Object.entries(file?.limits ?? {}) as [keyof Limits, number][]) {
      const most = site?.limits[key]
      limits[key] = most === undefined ? value : Math.min(value, most)
      if (most !== undefined && value > most)
        warnings.push(`${file?.path}: limits.${key} ${value} is above the site's ${most} (${site?.path}); ${most} holds`)
    }
  }
  return { limits, warnings }
}

function nearestConfig(clientDirectory: string, kinds: TargetKinds, foreign: string[]): ConfigFile | undefined {
  if (!clientDirectory.startsWith('/'))
    throw new InputError('invalid_argument', `the client's directory must be absolute: ${JSON.stringify(clientDirectory)}`)
  for (let at = resolve(clientDirectory); ; at = dirname(at)) {
    const path = join(at, 'drover.yaml')
    const owner = ownerIfPlanted(path)
    if (owner !== undefined) foreign.push(`${path} is not read: it belongs to user ${owner}, and anyone may write to ${at}`)
    const file = owner === undefined ? readConfig(path, kinds) : undefined
    if (file !== undefined || dirname(at) === at) return file
  }
}

/** The owner of a file that someone else may have put there; undefined for any other file, and for none. */
function ownerIfPlanted(path: string): number | undefined {
  const file = statSync(path, { throwIfNoEntry: false })
  if (file === undefined || file.uid === 0 || file.uid === userInfo().uid) return undefined
  return (statSync(dirname(path)).mode & 0o002) === 0 ? undefined : file.uid
}

function readConfig(path: string, kinds: TargetKinds): ConfigFile | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    const [why, hint] =
      code === 'EISDIR'
        ? ['it is a directory', 'Rename it, or put a file in its place.']
        : [code === 'EACCES' ? 'permission denied' : String(code ?? error), 'Make it readable for you, or remove it.']
    throw new DroverError('no_permission', `cannot read the configuration file ${path}: ${why}`, { level: 'config', cause: error, hint })
  }
  return parseConfig(text, path, kinds)
}
