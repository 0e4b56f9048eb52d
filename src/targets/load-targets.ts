import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { DroverError } from '../errors.ts'
import { type ConfigFile, type Limits, parseConfig, type TargetKinds } from './parse-config.ts'

/** A named place that runs jobs. */
export interface Target {
  readonly name: string
  readonly kind: string
  /** Directory of bundles and jobs there; absolute, or below the target's home (`~/.drover`). */
  readonly root: string
  /** Shell text before the task's own (module load, conda activate). */
  readonly prologue?: string
  /** As written; the executor of this kind reads and checks the values. */
  readonly options: Readonly<Record<string, unknown>>
}

/** All targets, with where they come from. */
export interface LoadedTargets {
  readonly targets: Readonly<Record<string, Target>>
  /** After the site's limits were applied; absent: no limit. */
  readonly limits: Limits
  /** Files that were read, in order: site, user, project. */
  readonly files: readonly string[]
  /** A user's limit above the site's: what it was cut to. */
  readonly warnings: readonly string[]
}

/**
 * Reads the site's file (`DROVER_SITE_CONFIG`, default /etc/drover/config.yaml), the user's (`drover/config.yaml` under
 * `XDG_CONFIG_HOME`, default ~/.config) and the project's (the nearest `drover.yaml` at or above `cwd`). A later file adds
 * targets, and keys to a target of the same kind; limits of the site's file cannot be exceeded. `local` always exists.
 *
 * @throws DroverError `invalid_config` with file, line and column; `no_permission` for a file that cannot be read
 */
export function loadTargets(options: {
  readonly home: string
  readonly cwd: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Kinds the registry knows, each with its option names. */
  readonly kinds: TargetKinds
}): LoadedTargets {
  const { environment, kinds } = options
  const userDirectory = environment['XDG_CONFIG_HOME']?.startsWith('/')
    ? environment['XDG_CONFIG_HOME']
    : join(environment['HOME'] || homedir(), '.config')
  const site = readConfig(environment['DROVER_SITE_CONFIG'] || '/etc/drover/config.yaml', kinds)
  const user = readConfig(join(userDirectory, 'drover', 'config.yaml'), kinds)
  const project = nearestConfig(options.cwd, kinds)
  const found = [site, user, project].filter((file) => file !== undefined)

  const targets: Record<string, Target> = { local: { name: 'local', kind: 'local', root: options.home, options: {} } }
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
      }
    }
  }
  return { targets, ...applyLimits(site, [user, project]), files: found.map((file) => file.path) }
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

function nearestConfig(cwd: string, kinds: TargetKinds): ConfigFile | undefined {
  for (let at = resolve(cwd); ; at = dirname(at)) {
    const file = readConfig(join(at, 'drover.yaml'), kinds)
    if (file !== undefined || dirname(at) === at) return file
  }
}

function readConfig(path: string, kinds: TargetKinds): ConfigFile | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new DroverError('no_permission', `cannot read ${path}: ${String(code ?? error)}`, {
      level: 'config',
      cause: error,
      hint: 'Make it readable for you, or remove it.',
    })
  }
  return parseConfig(text, path, kinds)
}
