import { formatDuration } from '../task/durations.ts'
import { type ConfigOverlay, projectConfigPath, readConfigFile, siteConfigPath, userConfigPath } from './config-files.ts'
import { type ConfigFile, type Limits, parseConfig, type TargetKinds } from './parse-config.ts'
import { checkSiteRules } from './site-rules.ts'
import type { Target } from './target.ts'

/** All targets, with where they come from. */
export interface LoadedTargets {
  readonly targets: Readonly<Record<string, Target>>
  /** Name of a target → the files that say something of it, in order. `local` needs none. */
  readonly sources: Readonly<Record<string, readonly string[]>>
  /** After the site's limits were applied; absent: no limit. */
  readonly limits: Limits
  /** Files that were read, in order: site, user, project. */
  readonly files: readonly string[]
  /** What the files say and does not hold: a limit above the site's, a project file of someone else. */
  readonly warnings: readonly string[]
}

/** Whose files are read. */
export interface LoadTargetsOptions {
  readonly home: string
  /** Absolute; undefined: no project file is read. */
  readonly clientDirectory?: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Kinds the registry knows, each with its options. */
  readonly kinds: TargetKinds
  /** Taken in place of one of the files. */
  readonly overlay?: ConfigOverlay
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
export function loadTargets(options: LoadTargetsOptions): LoadedTargets {
  const { environment, kinds, clientDirectory, overlay } = options
  const foreign: string[] = []
  const read = (path: string | undefined): ConfigFile | undefined => {
    const text = path === undefined ? undefined : readConfigFile(path, overlay)
    return path === undefined || text === undefined ? undefined : parseConfig(text, path, kinds)
  }
  const site = read(siteConfigPath(environment))
  const user = read(userConfigPath(environment))
  const project = read(clientDirectory === undefined ? undefined : projectConfigPath(clientDirectory, foreign, overlay))
  const found = [site, user, project].filter((file) => file !== undefined)

  const { limits, warnings } = applyLimits(site, [user, project])
  const targets: Record<string, Target> = { local: { name: 'local', kind: 'local', root: options.home, options: {}, limits } }
  const sources: Record<string, string[]> = {}
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
      sources[written.name] = [...(Object.hasOwn(sources, written.name) ? (sources[written.name] ?? []) : []), file.path]
    }
  }
  for (const file of [user, project]) if (file !== undefined) checkSiteRules(site, file, (name) => targets[name]?.root)
  return { targets, sources, limits, warnings: [...warnings, ...foreign], files: found.map((file) => file.path) }
}

function limitText(key: keyof Limits, value: number): string {
  return key === 'unused_bundles' ? formatDuration(value) : String(value)
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
        warnings.push(
          `${file?.path}: limits.${key} ${limitText(key, value)} is above the site's ${limitText(key, most)} (${site?.path}); ${limitText(key, most)} holds`,
        )
    }
  }
  return { limits, warnings }
}
