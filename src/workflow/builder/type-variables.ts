import { dict, elements, list, type PortShape, type PortType, tuple, union } from './port-type.ts'

/** What type variables stand for, by name. */
export type Bindings = ReadonlyMap<string, PortType<unknown>>

/** What the type variables of a generic task stand for in one call, by the types of the ports that it is given. */
export function bindVariables(shape: PortShape, given: Iterable<readonly [string, PortType<unknown>]>): Bindings {
  const bindings = new Map<string, PortType<unknown>>()
  for (const [name, type] of given) {
    const declared = Object.hasOwn(shape, name) ? shape[name] : undefined
    if (declared !== undefined) bind(declared, type, bindings)
  }
  return bindings
}

function bind(declared: PortType<unknown>, given: PortType<unknown>, bindings: Map<string, PortType<unknown>>): void {
  if (declared.kind === 'variable') {
    if (!bindings.has(declared.annotation)) bindings.set(declared.annotation, given)
    return
  }
  if (declared.kind !== given.kind) return
  for (const [k, arg] of declared.args.entries()) {
    const other = given.args[k]
    if (other !== undefined) bind(arg, other, bindings)
  }
}

/** The type with its variables replaced; a variable that nothing is known of stays. */
export function substitute(type: PortType<unknown>, bindings: Bindings): PortType<unknown> {
  if (type.kind === 'variable') return bindings.get(type.annotation) ?? type
  const args = type.args.map((arg) => substitute(arg, bindings))
  const [first] = args
  if (first === undefined) return type
  switch (type.kind) {
    case 'list':
      return list(first)
    case 'dict':
      return dict(first)
    case 'elements':
      return elements(first)
    case 'tuple':
      return tuple(...args)
    case 'union':
      return union(...args)
    default:
      return type
  }
}
