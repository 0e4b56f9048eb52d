import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml'
import { DroverError } from '../errors.ts'
import { nearestName } from '../task/nearest-name.ts'

/** Where something stands in a configuration file; 1-based. */
export interface ConfigPlace {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** One key of a mapping. */
export interface ConfigEntry {
  readonly key: string
  /** Offset of the key. */
  readonly at: number
  readonly node: unknown
}

/** The text of a configuration file with the place of every value. */
export interface ConfigReader {
  /** The whole file; null for an empty one. */
  readonly contents: unknown
  place(offset: number): ConfigPlace
  /** The error `invalid_config` at a place. */
  refuse(offset: number, message: string, hint?: string): DroverError
  /** The error for a key that is not known, with the nearest of those that are. */
  unknown(offset: number, what: string, key: string, valid: readonly string[]): DroverError
  placeOf(node: unknown): number
  /** The mapping; undefined for nothing; throws for anything else. */
  asMap(node: unknown, what: string, at: number): YAMLMap | undefined
  entriesOf(map: YAMLMap | undefined, what: string): readonly ConfigEntry[]
  /** The value without its places. */
  plain(node: unknown): unknown
  /** Offset of what a path leads to below a node; of the key, where the last step names a key. */
  placeBelow(node: unknown, path: readonly (string | number)[]): number
}

/**
 * Reads YAML 1.2 with the place of every value.
 *
 * @throws DroverError `invalid_config` with file, line and column for text that is no YAML
 */
export function readConfigText(text: string, path: string): ConfigReader {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'silent' })
  const reader = createReader(document, lines, path)
  const problem = document.errors[0]
  if (problem !== undefined) throw reader.refuse(problem.pos[0], `not valid YAML: ${problem.message.split('\n')[0]}`)
  return reader
}

function createReader(document: Document.Parsed, lines: LineCounter, file: string): ConfigReader {
  const place = (offset: number): ConfigPlace => {
    const { line, col } = lines.linePos(offset)
    return { file, line: Math.max(1, line), column: Math.max(1, col) }
  }
  const refuse = (offset: number, message: string, hint?: string): DroverError =>
    new DroverError('invalid_config', message, { level: 'config', location: place(offset), ...(hint === undefined ? {} : { hint }) })
  const placeOf = (node: unknown): number => (node as Node | null)?.range?.[0] ?? 0
  const keyOf = (key: unknown): string | undefined => (isScalar(key) ? String(key.value) : undefined)
  return {
    contents: document.contents,
    place,
    refuse,
    placeOf,
    unknown(offset, what, key, valid) {
      const near = nearestName(key, valid)
      const hint = near === undefined ? `Known: ${valid.join(', ') || 'none'}.` : `Did you mean "${near}"?`
      return refuse(offset, `${what} "${key}" is not known`, hint)
    },
    asMap(node, what, at) {
      if (node === null || node === undefined || (isScalar(node) && node.value === null)) return undefined
      if (!isMap(node)) throw refuse(placeOf(node) || at, `${what} must be a mapping`)
      return node
    },
    entriesOf: (map, what) =>
      (map?.items ?? []).map((pair) => {
        const key = keyOf(pair.key)
        if (key === undefined) throw refuse(placeOf(pair.key), `${what}: a key must be a word`)
        return { key, at: placeOf(pair.key), node: pair.value }
      }),
    plain: (node) => (node === null || node === undefined ? null : (node as Node).toJS(document)),
    placeBelow(node, path) {
      let at: unknown = node
      let offset = placeOf(node)
      for (const [index, step] of path.entries()) {
        if (isMap(at)) {
          const pair = at.items.find((item) => keyOf(item.key) === String(step))
          if (pair === undefined) return offset
          offset = index === path.length - 1 ? placeOf(pair.key) : placeOf(pair.value)
          at = pair.value
        } else if (isSeq(at) && typeof step === 'number') {
          at = at.items[step]
          offset = placeOf(at) || offset
        } else return offset
      }
      return offset
    },
  }
}
