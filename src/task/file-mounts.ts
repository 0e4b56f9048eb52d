import { InputError } from '../errors.ts'
import { describe, get, type Located, type LocatedMap, type LocatedScalar, quote, refusal, toPlain } from './located.ts'
import { resolvePath } from './paths.ts'
import type { TaskContext } from './task-context.ts'
import type { FileMountSpec, WorkdirSpec } from './task-spec.ts'

const URI = /^[a-z][a-z0-9+.-]*:\/\//i
const GIT_URL = /^(?:(?:https?|ssh|git):\/\/\S+|[\w.-]+@[\w.-]+:\S+)$/
/** Where SkyPilot puts the work directory on a node. */
const SKY_WORKDIR = /^~\/sky_workdir(?:\/|$)/

function localSource(node: LocatedScalar, text: string, path: string, context: TaskContext): string {
  const base = node.origin.flag === undefined ? context.baseDirectory : (context.currentDirectory ?? context.baseDirectory)
  const absolute = resolvePath(text, base, context.files.homedir)
  if (!context.files.exists(absolute)) {
    throw new InputError(
      'missing_file',
      `${node.origin.flag ?? path}: ${JSON.stringify(node.source === text ? absolute : node.source)} does not exist`,
      {
        hint: 'Paths are on this machine and relative to the task file.',
        ...(node.origin.place === undefined ? {} : { location: node.origin.place }),
      },
    )
  }
  return absolute
}

/** Reads a checked, interpolated `workdir`; local paths become absolute and must exist. */
export function readWorkdir(node: Located, context: TaskContext): WorkdirSpec {
  if (node.kind === 'scalar') return { kind: 'directory', path: localSource(node, node.text, 'workdir', context) }
  const url = get(node as LocatedMap, 'url')
  const ref = get(node as LocatedMap, 'ref')
  const urlText = url?.kind === 'scalar' ? url.text : ''
  if (!GIT_URL.test(urlText)) {
    throw refusal(
      'workdir.url',
      url?.origin ?? node.origin,
      `${describe(url ?? node)} is not a git URL`,
      'Allowed: https://…, ssh://…, user@host:path.',
    )
  }
  return { kind: 'git', url: urlText, ...(ref?.kind === 'scalar' ? { ref: ref.text } : {}) }
}

/** Reads checked, interpolated `file_mounts`; local sources become absolute and must exist. */
export function readFileMounts(node: LocatedMap, hasWorkdir: boolean, context: TaskContext): readonly FileMountSpec[] {
  const seen = new Set<string>()
  return node.entries.map(({ key: destination, shownKey, keyOrigin, value }) => {
    const shown = shownKey ?? destination
    const path = `file_mounts.${shown}`
    if (seen.has(destination)) throw refusal('file_mounts', keyOrigin, `the destination ${quote(shown)} stands there twice`)
    seen.add(destination)
    if (destination.length > 1 && destination.endsWith('/')) {
      throw refusal('file_mounts', keyOrigin, `the destination ${quote(shown)} ends with a slash`, 'Leave the last slash out.')
    }
    if (
      destination === '' ||
      destination === '/' ||
      destination === '~' ||
      /[\0\n]/.test(destination) ||
      destination.split('/').includes('..')
    ) {
      throw refusal(
        'file_mounts',
        keyOrigin,
        `${quote(shown)} is not a destination`,
        'Allowed: paths as /data, ~/data or data, without ".." parts.',
      )
    }
    if (hasWorkdir && SKY_WORKDIR.test(destination)) {
      throw refusal('file_mounts', keyOrigin, `${quote(shown)} lies in the work directory, which workdir fills`)
    }
    if (value.kind === 'map') return { destination, source: { kind: 'storage', storage: toPlain(value) as Record<string, unknown> } }
    const text = value.kind === 'scalar' ? value.text : ''
    if (value.kind !== 'scalar' || text === '') throw refusal(path, value.origin, 'has no source')
    if (URI.test(text)) return { destination, source: { kind: 'uri', uri: text } }
    if (text.length > 1 && text.endsWith('/'))
      throw refusal(path, value.origin, `the source ${describe(value)} ends with a slash`, 'Leave the last slash out.')
    return { destination, source: { kind: 'local', path: localSource(value, text, path, context) } }
  })
}
