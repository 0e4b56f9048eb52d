import { type Document, isMap, isSeq, type YAMLMap } from 'yaml'
import { InputError } from '../errors.ts'
import { nearestName } from '../task/nearest-name.ts'
import { mapAt } from './edit-config.ts'

/** What a change says of one node of a target. A null removes the key. */
export type NodeEdit = Readonly<Record<string, unknown>> & { readonly host: string }

/** A change of one target; what is absent stays. */
export interface TargetEdit {
  readonly kind?: string
  readonly root?: string
  readonly prologue?: string
  readonly options?: Readonly<Record<string, unknown>>
  /** Each is added behind the others, or changes the node of its name (absent: its host) key by key. */
  readonly nodes?: readonly NodeEdit[]
  /** Names of nodes that leave. */
  readonly removeNodes?: readonly string[]
  /** Keys that leave the target. */
  readonly unset?: readonly string[]
}

/** Applies a change to `targets.<name>`. `inherited`: the nodes that another file gives it, for a file that has none. */
export function applyTargetEdit(document: Document, name: string, edit: TargetEdit, inherited: unknown = undefined): void {
  mapAt(document, ['targets'])
  const target = mapAt(document, ['targets', name])
  for (const key of edit.unset ?? []) {
    if (!target.delete(key)) {
      const keys = target.items.map((pair) => String(pair.key))
      const near = nearestName(key, keys)
      throw new InputError('invalid_argument', `target "${name}" has no ${key} in this file`, {
        hint: near === undefined ? `It has: ${keys.join(', ') || 'nothing'}.` : `Did you mean "${near}"?`,
      })
    }
  }
  for (const [key, value] of Object.entries({ kind: edit.kind, root: edit.root, prologue: edit.prologue, ...edit.options })) {
    if (value !== undefined) setKey(document, target, key, value)
  }
  if ((edit.nodes ?? []).length > 0 || (edit.removeNodes ?? []).length > 0) {
    if (!isSeq(target.get('nodes'))) target.set('nodes', compileNodes(document, inherited))
    for (const node of edit.nodes ?? []) setNode(document, target, node)
    for (const node of edit.removeNodes ?? []) removeNode(target, name, node)
  }
}

/** Removes `targets.<name>`; false when the file has none. */
export function removeTarget(document: Document, name: string): boolean {
  const targets = document.get('targets')
  return isMap(targets) && targets.delete(name)
}

/** A word takes the old one's place in its node, so that the comment beside it stays. */
function setKey(document: Document, map: YAMLMap, key: string, value: unknown): void {
  map.set(key, typeof value === 'object' ? document.createNode(value) : value)
}

function compileNodes(document: Document, inherited: unknown): unknown {
  const nodes = document.createNode(Array.isArray(inherited) ? inherited : [])
  if (isSeq(nodes)) for (const item of nodes.items) if (isMap(item)) item.flow = true
  return nodes
}

/** Name of an entry of `nodes`: as it says, else its host. */
function nameOf(entry: unknown): string | undefined {
  const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
  if (isMap(entry)) return text(entry.get('name')) ?? text(entry.get('host'))
  return typeof entry === 'object' && entry !== null && 'value' in entry ? text(entry.value) : text(entry)
}

function setNode(document: Document, target: YAMLMap, edit: NodeEdit): void {
  const nodes = target.get('nodes')
  if (!isSeq(nodes)) return
  const name = typeof edit['name'] === 'string' ? edit['name'] : edit.host
  const index = nodes.items.findIndex((entry) => nameOf(entry) === name)
  const keys = Object.entries(edit)
  if (index < 0) {
    const given = Object.fromEntries(keys.filter(([, value]) => value !== null))
    const made = document.createNode(Object.keys(given).length === 1 ? edit.host : given)
    if (isMap(made)) made.flow = true
    nodes.items.push(made)
    return
  }
  const entry: unknown = nodes.items[index]
  if (isMap(entry)) {
    for (const [key, value] of keys) {
      if (value === null) entry.delete(key)
      else setKey(document, entry, key, value)
    }
    return
  }
  if (keys.every(([key, value]) => key === 'host' || value === null)) return
  const made = document.createNode(Object.fromEntries(keys.filter(([, value]) => value !== null)))
  if (isMap(made)) made.flow = true
  nodes.items[index] = made
}

function removeNode(target: YAMLMap, name: string, node: string): void {
  const nodes = target.get('nodes')
  const names = isSeq(nodes) ? nodes.items.map(nameOf) : []
  const index = names.indexOf(node)
  if (!isSeq(nodes) || index < 0) {
    const near = nearestName(
      node,
      names.filter((known) => known !== undefined),
    )
    throw new InputError('invalid_argument', `target "${name}" has no node "${node}"`, {
      hint: near === undefined ? `Its nodes: ${names.join(', ') || 'none'}.` : `Did you mean "${near}"?`,
    })
  }
  nodes.items.splice(index, 1)
}
