import { parse as parseYaml } from 'yaml'
import { DroverError, InputError } from '../errors.ts'
import { readConfigFile } from '../targets/config-files.ts'
import { editConfigFile, replaceConfigText } from '../targets/edit-config.ts'
import { applyTargetEdit, removeTarget, type TargetEdit } from '../targets/edit-target.ts'
import { type LoadedTargets, loadTargets } from '../targets/load-targets.ts'
import type { Cli } from './cli.ts'
import { configContext, configPath, requireKnown } from './config-context.ts'
import { editText } from './edit-text.ts'
import { refuseValue } from './flag-values.ts'
import { parseNodeFlag } from './node-flag.ts'
import type { TargetFlags } from './target-flags.ts'

/** A value of `--option`, read as YAML: `4`, `true`, `[a, b]`, text. */
function optionsOf(flags: TargetFlags): Readonly<Record<string, unknown>> {
  const options: Record<string, unknown> = {}
  for (const option of flags.option ?? []) {
    const equals = option.indexOf('=')
    if (equals < 1) refuseValue('--option', option, 'KEY=VALUE')
    try {
      options[option.slice(0, equals)] = parseYaml(option.slice(equals + 1)) as unknown
    } catch {
      refuseValue('--option', option, 'KEY=VALUE, the value as YAML: 4, true, [a, b], text')
    }
  }
  return { ...options, ...(flags.sharedHome === undefined ? {} : { shared_home: flags.sharedHome }) }
}

function editOf(flags: TargetFlags): TargetEdit {
  const { kind, root, prologue, removeNode, unset } = flags
  return {
    ...(kind === undefined ? {} : { kind }),
    ...(root === undefined ? {} : { root }),
    ...(prologue === undefined ? {} : { prologue }),
    ...(removeNode === undefined ? {} : { removeNodes: removeNode }),
    ...(unset === undefined ? {} : { unset }),
    options: optionsOf(flags),
    nodes: (flags.node ?? []).map(parseNodeFlag),
  }
}

/** Throws when the target lacks an option without which it cannot be used. */
function requireOptions(cli: Cli, loaded: LoadedTargets, name: string): void {
  const target = loaded.targets[name]
  const missing = configContext(cli).kinds[target?.kind ?? '']?.requiredOptions?.find((option) => target?.options[option] === undefined)
  if (missing === undefined) return
  throw new InputError('invalid_argument', `target "${name}" of kind ${target?.kind} needs ${missing}`, {
    hint: missing === 'nodes' ? 'Name its hosts, the head first: --node user@host' : `Give it: --option ${missing}=…`,
  })
}

async function printTarget(cli: Cli, loaded: LoadedTargets, name: string, file: string, verb: string): Promise<void> {
  const target = loaded.targets[name]
  const nodes: unknown = target?.options['nodes']
  const about = Array.isArray(nodes) ? `${target?.kind}, ${nodes.length} node${nodes.length === 1 ? '' : 's'}` : target?.kind
  await cli.print({
    json: { name, kind: target?.kind, root: target?.root, prologue: target?.prologue ?? null, options: target?.options, file },
    ids: [name],
    text: () => `${verb} target ${name} (${about}) in ${file}\n`,
  })
  const over = (loaded.sources[name] ?? []).slice((loaded.sources[name] ?? []).indexOf(file) + 1)
  for (const other of over) await cli.say(`drover: warning: ${other} speaks of ${name}, too, and its keys stand over these`)
  await cli.say(`drover: check it: drover target check ${name}`)
}

/** `drover target add NAME …`. */
export async function addTarget(cli: Cli, name: string, flags: TargetFlags): Promise<void> {
  const [context, path] = [configContext(cli), configPath(cli, flags.project)]
  const before = loadTargets(context)
  if (Object.hasOwn(before.targets, name)) {
    const [file] = before.sources[name] ?? []
    throw new InputError('conflict', `there is a target "${name}" already${file === undefined ? '' : ` (${file})`}`, {
      hint: `Change it: drover target edit ${name}`,
    })
  }
  const loaded = await editConfigFile({ ...context, path, validate: (after) => requireOptions(cli, after, name) }, (document) =>
    applyTargetEdit(document, name, editOf(flags)),
  )
  await printTarget(cli, loaded, name, path, 'added')
}

/** The file that an edit goes to: as asked, else the project's where only that one has the target, else the user's. */
function fileToEdit(cli: Cli, name: string, project: boolean | undefined, sources: LoadedTargets['sources']): string {
  const [user, nearest] = [configPath(cli, false), configPath(cli, true)]
  if (project === true) return nearest
  const files = sources[name] ?? []
  return !files.includes(user) && files.includes(nearest) ? nearest : user
}

/** `drover target edit NAME …`: by flags, else in an editor. */
export async function editTarget(cli: Cli, name: string, flags: TargetFlags): Promise<void> {
  const { project, ...changes } = flags
  if (Object.keys(changes).length === 0) return await editByHand(cli, name, project)
  const context = configContext(cli)
  const before = loadTargets(context)
  requireKnown(name, Object.keys(before.targets))
  const path = fileToEdit(cli, name, project, before.sources)
  // What another file has of it stays there; only the kind must be told again, or the file would not be read.
  const elsewhere = !(before.sources[name] ?? []).includes(path)
  const { kind, options } = before.targets[name] ?? {}
  const edit = { ...(elsewhere && kind !== undefined && kind !== name ? { kind } : {}), ...editOf(flags) }
  const loaded = await editConfigFile({ ...context, path, validate: (after) => requireOptions(cli, after, name) }, (document) =>
    applyTargetEdit(document, name, edit, options?.['nodes']),
  )
  await printTarget(cli, loaded, name, path, 'changed')
}

/** Opens the whole file, also one that is wrong: this is the way to mend it. */
async function editByHand(cli: Cli, name: string, project: boolean | undefined): Promise<void> {
  const context = configContext(cli)
  let sources: LoadedTargets['sources'] = {}
  try {
    const before = loadTargets(context)
    requireKnown(name, Object.keys(before.targets))
    sources = before.sources
  } catch (error) {
    if (!(error instanceof DroverError) || error.code !== 'invalid_config') throw error
    await cli.say(`drover: warning: ${error.display}`)
  }
  const path = fileToEdit(cli, name, project, sources)
  const before = readConfigFile(path)
  const edited = await editText(cli, path, before ?? 'version: 1\ntargets:\n')
  if (edited.text === before) {
    edited.discard()
    await cli.print({ json: { name, file: path, changed: false }, ids: [], text: () => 'nothing was changed\n' })
    return
  }
  try {
    const loaded = await replaceConfigText({ ...context, path }, before, edited.text)
    edited.discard()
    if (Object.hasOwn(loaded.targets, name)) return await printTarget(cli, loaded, name, path, 'changed')
    await cli.print({
      json: { removed: name, file: path },
      ids: [name],
      text: () => `changed ${path}; it has no target ${name} any more\n`,
    })
  } catch (error) {
    if (!(error instanceof DroverError)) throw error
    const { location, hint } = error.details
    throw new DroverError(error.code, error.message, {
      ...error.details,
      ...(location === undefined ? {} : { location: location.file === path ? { ...location, file: edited.path } : location }),
      hint: `${hint === undefined ? '' : `${hint} `}Nothing was changed; your text is kept in ${edited.path}.`,
    })
  }
}

/** `drover target remove NAME`: takes it out of one file; jobs there keep their definition and run on. */
export async function removeTargetCommand(cli: Cli, name: string, flags: { readonly project?: boolean }): Promise<void> {
  const context = configContext(cli)
  const before = loadTargets(context)
  requireKnown(name, Object.keys(before.targets))
  const path = fileToEdit(cli, name, flags.project, before.sources)
  const loaded = await editConfigFile({ ...context, path }, (document) => {
    if (removeTarget(document, name)) return
    const [file] = before.sources[name] ?? []
    throw new InputError('invalid_argument', `target "${name}" is not in ${path}`, {
      hint: file === undefined ? '"local" is always there.' : `It is in ${file}.`,
    })
  })
  const [still] = loaded.sources[name] ?? []
  await cli.print({
    json: { removed: name, file: path, still_in: still ?? null },
    ids: [name],
    text: () => `removed target ${name} from ${path}${still === undefined ? '' : `; ${still} still has one of this name`}\n`,
  })
}
