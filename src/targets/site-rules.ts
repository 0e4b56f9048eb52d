import { DroverError } from '../errors.ts'
import type { ConfigPlace } from './config-reader.ts'
import type { ConfigFile, WrittenTarget } from './parse-config.ts'

/** True when `root` is `prefix` or lies below it; `..` leads nowhere that is known. */
function isBelow(root: string, prefix: string): boolean {
  const steps = (path: string): readonly string[] => path.split('/').filter((step, index) => index === 0 || (step !== '' && step !== '.'))
  const [inner, outer] = [steps(root), steps(prefix)]
  return !inner.includes('..') && outer.every((step, index) => inner[index] === step)
}

/**
 * Throws `invalid_config` when a file of a user or project has a target that the site's file does not allow: a root outside
 * `limits.roots`, an option outside `limits.options`; or when it has such rules itself. The message names the site's file.
 * `rootOf`: the target's root after all files were read.
 */
export function checkSiteRules(site: ConfigFile | undefined, file: ConfigFile, rootOf: (name: string) => string | undefined): void {
  if (file.rulesPlace !== undefined)
    throw refused(file.rulesPlace, "limits.roots and limits.options stand in the site's file only", 'Leave them out here.')
  const { roots, options } = site?.rules ?? {}
  for (const target of file.targets) {
    if (roots !== undefined) checkRoot(target, rootOf(target.name), roots, site?.path ?? '')
    const allowed = options !== undefined && Object.hasOwn(options, target.kind) ? options[target.kind] : undefined
    for (const name of allowed === undefined ? [] : Object.keys(target.options)) {
      if (allowed?.includes(name)) continue
      throw refused(
        target.places.options[name] ?? target.places.name,
        `target "${target.name}": the option ${name} may not be set here, says ${site?.path}`,
        allowed?.length === 0 ? `No option of kind ${target.kind} may.` : `Those that may: ${allowed?.join(', ')}.`,
      )
    }
  }
}

function checkRoot(target: WrittenTarget, root: string | undefined, allowed: readonly string[], sitePath: string): void {
  // Jobs of `local` without a root of its own are in Drover's home, which no configuration file decides.
  if (root === undefined || (target.kind === 'local' && target.root === undefined)) return
  if (allowed.some((prefix) => isBelow(root, prefix))) return
  throw refused(
    target.places.root ?? target.places.name,
    `target "${target.name}": its root ${root} is outside those that ${sitePath} allows`,
    `Set root to one of these, or below it: ${allowed.join(', ')}.`,
  )
}

function refused(location: ConfigPlace, message: string, hint: string): DroverError {
  return new DroverError('invalid_config', message, { level: 'config', location, hint })
}
