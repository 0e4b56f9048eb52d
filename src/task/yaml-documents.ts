import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseAllDocuments,
  type Scalar,
} from 'yaml'
import { InputError } from '../errors.ts'
import { type Located, type LocatedEntry, type LocatedScalar, type Origin, quote, refusal, textNode } from './located.ts'
import { booleanScalar, floatScalar, integerScalar, nullScalar, resolvePlainScalar, timestampScalar } from './python-scalars.ts'

/** Aliases are expanded; a document that would grow beyond this many values is refused ("billion laughs"). */
const MAX_VALUES = 1_000_000
/** What PyYAML's reader refuses in a stream (yaml/reader.py, NON_PRINTABLE). */
const UNPRINTABLE = /[^\t\n\r\x20-\x7E\x85\xA0-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u
const TAG = 'tag:yaml.org,2002:'
const BY_TAG: Readonly<Record<string, (text: string) => Pick<LocatedScalar, 'type' | 'value' | 'text'> | undefined>> = {
  int: integerScalar,
  float: (text) => floatScalar(text) ?? floatScalar(`${text}.0`),
  bool: booleanScalar,
  null: nullScalar,
  timestamp: timestampScalar,
}

/**
 * Reads a YAML stream as PyYAML's safe loader does (YAML 1.1), each value with its place. Duplicate keys, unknown tags
 * and self-containing anchors are refused. Messages never quote the stream's text, which may hold secrets.
 *
 * @throws InputError `invalid_task`
 */
export function readYamlDocuments(text: string, file: string): readonly Located[] {
  const lines = new LineCounter()
  const at = (offset: number): Origin => {
    const { line, col } = lines.linePos(offset)
    return { place: { file, line: Math.max(line, 1), column: Math.max(col, 1) } }
  }
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text
  const bad = UNPRINTABLE.exec(source)
  if (bad) {
    const before = source.slice(0, bad.index).split('\n')
    const code = (bad[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
    const place = { file, line: before.length, column: (before.at(-1) ?? '').length + 1 }
    throw refusal('', { place }, `the file holds the control character U+${code}, which YAML does not allow`, 'Save it as UTF-8 text.')
  }
  try {
    const documents = parseAllDocuments(source, {
      version: '1.1',
      schema: 'failsafe',
      merge: false,
      resolveKnownTags: false,
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'silent',
      lineCounter: lines,
    })
    if (!Array.isArray(documents)) return []
    return documents.map((document: Document.Parsed) => readDocument(document, at))
  } catch (error) {
    if (error instanceof InputError) throw error
    const reason = error instanceof RangeError ? 'it is nested too deeply' : 'its structure is not valid YAML'
    throw new InputError('invalid_task', `cannot read ${file}: ${reason}`, { cause: error, location: { file, line: 1, column: 1 } })
  }
}

function readDocument(document: Document.Parsed, at: (offset: number) => Origin): Located {
  const problem = document.errors[0]
  if (problem) {
    // Some messages end with the offending token in quotes: cut, it may be a secret.
    const reason = problem.message.replace(/(: |)["'].*$/s, '').split('\n')[0]
    const hint = problem.code === 'TAB_AS_INDENT' ? 'Indent with spaces.' : undefined
    throw refusal('', at(problem.pos[0]), `not valid YAML: ${reason}`, hint)
  }
  let values = 0
  const open = new Set<Node>()

  function read(node: ParsedNode | Node | null, fallback: Origin): Located {
    if (++values > MAX_VALUES) throw refusal('', fallback, `the document has more than ${MAX_VALUES} values once its aliases are expanded`)
    if (node === null) return resolvePlainScalar('', fallback)
    const origin = node.range ? at(node.range[0]) : fallback
    if (isAlias(node)) {
      const target = node.resolve(document)
      if (target === undefined) throw refusal('', origin, 'the alias has no anchor before it')
      if (open.has(target)) throw refusal('', origin, 'the alias stands inside its own anchor')
      return read(target, origin)
    }
    if (isScalar(node)) return readScalar(node, origin)
    open.add(node)
    const result = isSeq(node) ? readList(node.items as Node[], node, origin) : isMap(node) ? readMap(node, origin) : undefined
    open.delete(node)
    if (result === undefined) throw refusal('', origin, 'this YAML construct is not supported')
    return result
  }

  function readList(items: readonly Node[], node: Node & { tag?: string }, origin: Origin): Located {
    if (node.tag !== undefined && node.tag !== `${TAG}seq`) throw refusal('', origin, 'the tag is not supported')
    return { kind: 'list', items: items.map((item) => read(item, origin)), origin }
  }

  function readMap(node: Extract<Node, { items: unknown[] }>, origin: Origin): Located {
    const tag = 'tag' in node ? node.tag : undefined
    if (tag !== undefined && tag !== `${TAG}map` && tag !== `${TAG}set`) throw refusal('', origin, 'the tag is not supported')
    const own = new Map<string, LocatedEntry>()
    const merged = new Map<string, LocatedEntry>()
    for (const pair of node.items as { key: Node | null; value: Node | null }[]) {
      if (isScalar(pair.key) && pair.key.source === '<<' && pair.key.type === 'PLAIN') {
        for (const entry of mergeSource(read(pair.value, origin))) if (!merged.has(entry.key)) merged.set(entry.key, entry)
        continue
      }
      const key = read(pair.key, origin)
      if (key.kind !== 'scalar') throw refusal('', key.origin, 'a key must be a plain value, not a list or a mapping')
      const first = own.get(key.text)
      if (first) {
        const place = first.keyOrigin.place ? ` (first on line ${first.keyOrigin.place.line})` : ''
        throw refusal('', key.origin, `the key ${quote(key.text)} stands twice in one mapping${place}`, 'Keep one of them.')
      }
      own.set(key.text, { key: key.text, keyOrigin: key.origin, value: read(pair.value, key.origin) })
    }
    return { kind: 'map', entries: [...[...merged.values()].filter((entry) => !own.has(entry.key)), ...own.values()], origin }
  }

  return read(document.contents, at(0))
}

function mergeSource(value: Located): readonly LocatedEntry[] {
  if (value.kind === 'map') return value.entries
  if (value.kind === 'list' && value.items.every((item) => item.kind === 'map')) {
    return value.items.flatMap((item) => (item.kind === 'map' ? item.entries : []))
  }
  throw refusal('<<', value.origin, 'a merge key takes a mapping or a list of mappings')
}

function readScalar(node: Scalar, origin: Origin): LocatedScalar {
  const text = node.source ?? String(node.value ?? '')
  const tag = node.tag
  if (tag === undefined) return node.type === 'PLAIN' ? resolvePlainScalar(text, origin) : textNode(text, origin)
  if (tag === '!' || tag === `${TAG}str`) return textNode(text, origin)
  const construct = tag.startsWith(TAG) ? BY_TAG[tag.slice(TAG.length)] : undefined
  if (!construct) throw refusal('', origin, 'the tag is not supported')
  const resolved = construct(text)
  if (!resolved) throw refusal('', origin, `the value is not a ${tag.slice(TAG.length)}, as its tag says`)
  return { kind: 'scalar', ...resolved, source: text, origin }
}
