import { InputError } from '../../errors.ts'
import { get, type Located, type LocatedMap, nodeText, refusal, toPlain } from '../../task/located.ts'
import { nearestName } from '../../task/nearest-name.ts'
import { checkShape, dict, record, type Shape, text } from '../../task/shape.ts'
import { readYamlDocuments } from '../../task/yaml-documents.ts'
import type { ExecutorSet, WorkerExecutor } from '../../workflow/calls/worker-call.ts'
import { createExecutorSet } from './executor-set.ts'

/** A kind of executor as documents name it. */
export interface ExecutorKind {
  /** Its keys beside `kind`. */
  readonly keys: Readonly<Record<string, Shape>>
  readonly required?: readonly string[]
  /** `options` has been checked against `keys`; relative paths in it are relative to `directory`. */
  create(options: Readonly<Record<string, unknown>>, context: ExecutorContext): WorkerExecutor
}

/** What a kind is told beside its options. */
export interface ExecutorContext {
  /** The executor's name in the document. */
  readonly name: string
  /** Absolute: what relative paths are relative to. */
  readonly directory: string
}

const DOCUMENT = record({
  default: text(),
  executors: dict(record({ kind: text() }, { required: ['kind'], open: true })),
  assignments: dict(text()),
})

/**
 * The executors of a run from a YAML or JSON document:
 *
 *   default: uv
 *   executors: {uv: {kind: uv, registry: ./workers}, sh: {kind: shell, registry: ./scripts}}
 *   assignments: {openssl: sh, "qsim.*": sh, "-.N4": uv}
 *
 * `default` may be left out where there is one executor. An executor is made only when the whole document has been read.
 *
 * @param file names the document in messages
 * @throws InputError `invalid_task` with the place, and the nearest name of what is there
 */
export function parseExecutors(
  document: string,
  file: string,
  directory: string,
  kinds: Readonly<Record<string, ExecutorKind>>,
): ExecutorSet {
  const [root, ...more] = readYamlDocuments(document, file)
  if (root === undefined || root.kind !== 'map' || more.length > 0) {
    throw new InputError('invalid_task', `${file} must hold one mapping with the keys default, executors and assignments`, {
      location: { file, line: 1, column: 1 },
    })
  }
  checkShape(root, DOCUMENT, '')
  const executors = entriesOf(root, 'executors').map(({ key, value }) => ({ name: key, value, kind: readKind(key, value, kinds) }))
  const names = executors.map(({ name }) => name)
  if (names.length === 0)
    throw refusal('executors', root.origin, 'must name at least one executor', 'For example: executors: {uv: {kind: uv}}')
  const given = get(root, 'default')
  const only = names.length === 1 ? names[0] : undefined
  const chosen = nodeText(given) ?? only
  if (chosen === undefined)
    throw refusal('default', root.origin, 'is missing, and there are several executors', `Name one of: ${names.join(', ')}.`)
  if (given !== undefined) refuseUnknown('default', given, names)
  const assigned = entriesOf(root, 'assignments')
  for (const { key, value } of assigned) refuseUnknown(`assignments.${key}`, value, names)
  return createExecutorSet({
    default: chosen,
    executors: Object.fromEntries(
      executors.map(({ name, value, kind }) => {
        const { kind: _, ...options } = Object(toPlain(value))
        return [name, kind.create(options, { name, directory })]
      }),
    ),
    assignments: Object.fromEntries(assigned.map(({ key, value }) => [key, nodeText(value) ?? ''])),
  })
}

function entriesOf(root: LocatedMap, key: string): LocatedMap['entries'] {
  const node = get(root, key)
  return node?.kind === 'map' ? node.entries : []
}

/** Which kind it is, its keys checked. */
function readKind(name: string, node: Located, kinds: Readonly<Record<string, ExecutorKind>>): ExecutorKind {
  const given = node.kind === 'map' ? get(node, 'kind') : undefined
  const word = nodeText(given) ?? ''
  const kind = Object.hasOwn(kinds, word) ? kinds[word] : undefined
  if (kind === undefined) {
    const nearest = nearestName(word, Object.keys(kinds))
    const hint = nearest === undefined ? `There are: ${Object.keys(kinds).join(', ')}.` : `Did you mean "${nearest}"?`
    throw refusal(`executors.${name}.kind`, (given ?? node).origin, `there is no kind of executor "${word}"`, hint)
  }
  const required = ['kind', ...(kind.required ?? [])]
  checkShape(node, record({ kind: text(), ...kind.keys }, { required }), `executors.${name}`)
  return kind
}

function refuseUnknown(path: string, node: Located, names: readonly string[]): void {
  const name = nodeText(node) ?? ''
  if (names.includes(name)) return
  const nearest = nearestName(name, names)
  const hint = nearest === undefined ? `There are: ${names.join(', ')}.` : `Did you mean "${nearest}"?`
  throw refusal(path, node.origin, `there is no executor "${name}"`, hint)
}
