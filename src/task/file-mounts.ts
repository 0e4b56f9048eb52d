import { existingSource } from './existing-source.ts'
import { describe, get, type LocatedMap, nodeText, quote, refusal, toPlain } from './located.ts'
import type { TaskContext } from './task-context.ts'
import type { FileMountSpec } from './task-spec.ts'

const URI = /^[a-z][a-z0-9+.-]*:\/\//i
/** Where SkyPilot puts the work directory on a node. */
const SKY_WORKDIR = /^~\/sky_workdir(?:\/|$)/

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
    if (value.kind === 'map' && get(value, 'text') !== undefined) {
      const other = value.entries.find((entry) => entry.key !== 'text')
      if (other !== undefined) throw refusal(path, other.keyOrigin, `${quote(other.key)} does not go with text`, 'text stands alone.')
      return { destination, source: { kind: 'text', text: nodeText(get(value, 'text')) ?? '' } }
    }
    if (value.kind === 'map') return { destination, source: { kind: 'storage', storage: toPlain(value) as Record<string, unknown> } }
    const text = value.kind === 'scalar' ? value.text : ''
    if (value.kind !== 'scalar' || text === '') throw refusal(path, value.origin, 'has no source')
    if (URI.test(text)) return { destination, source: { kind: 'uri', uri: text } }
    if (text.length > 1 && text.endsWith('/'))
      throw refusal(path, value.origin, `the source ${describe(value)} ends with a slash`, 'Leave the last slash out.')
    return { destination, source: { kind: 'local', path: existingSource(value, path, context) } }
  })
}
