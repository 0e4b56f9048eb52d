import { describe, type Located, type LocatedScalar, quote, refusal } from './located.ts'
import { nearestName } from './nearest-name.ts'

/**
 * The rules for a value, as data. Written here rather than with zod because every refusal has to carry a place in the
 * file, the nearest valid key and no secret, and because the CLI reads a task on every start (zod adds 50 ms to it).
 */
export type Shape =
  | { readonly is: 'anything' }
  /** A scalar that `accept` takes; `types` limits what YAML made of it. */
  | {
      readonly is: 'scalar'
      readonly types: readonly LocatedScalar['type'][]
      readonly accept?: (node: LocatedScalar) => boolean
      readonly noun: string
      /** What is allowed, for the message. */
      readonly allowed?: string
      /** The value is never quoted in a message. */
      readonly secret?: true
    }
  | { readonly is: 'list'; readonly of: Shape; readonly min?: number; readonly max?: number; readonly unique?: true }
  /** A mapping with free keys. */
  | {
      readonly is: 'dict'
      readonly of: Shape
      readonly max?: number
      readonly key?: (key: string) => boolean
      readonly keyForms?: string
    }
  /** A mapping with known keys; `open`: others pass. */
  | {
      readonly is: 'record'
      readonly keys: Readonly<Record<string, Shape>>
      readonly required?: readonly string[]
      readonly open?: true
    }
  | { readonly is: 'either'; readonly of: readonly Shape[]; readonly allowed: string; readonly secret?: true }

const HIDDEN = 'the value given (not shown)'

type ScalarRule = Omit<Extract<Shape, { is: 'scalar' }>, 'is' | 'types' | 'noun'> & { readonly noun?: string }

export const anything: Shape = { is: 'anything' }
export const flag: Shape = { is: 'scalar', types: ['boolean'], noun: 'true or false' }
export const nothing: Shape = { is: 'scalar', types: ['null'], noun: 'nothing' }

/** A string; numbers, dates and booleans must be quoted in YAML. */
export function text(rule: ScalarRule = {}): Shape {
  return { is: 'scalar', types: ['string'], noun: 'a string', ...rule }
}

/** One of some words, case ignored, as SkyPilot's `case_insensitive_enum`. */
export function word(...words: string[]): Shape {
  const known = words.map((one) => one.toLowerCase())
  return text({ accept: (node) => known.includes(node.text.toLowerCase()), allowed: words.join(', ') })
}

/** A whole number within bounds (inclusive). `3.0` is one, as in JSON Schema. */
export function whole(min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): Shape {
  const upper = max === Number.MAX_SAFE_INTEGER ? '' : ` to ${max}`
  return {
    is: 'scalar',
    types: ['integer', 'float'],
    noun: 'a whole number',
    allowed: min === Number.MIN_SAFE_INTEGER ? 'a whole number' : `whole numbers from ${min}${upper}`,
    accept: ({ value }) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
  }
}

/** A finite number; `above` excludes the bound. */
export function number(bounds: { readonly min?: number; readonly above?: number } = {}): Shape {
  const { min = Number.NEGATIVE_INFINITY, above = Number.NEGATIVE_INFINITY } = bounds
  return {
    is: 'scalar',
    types: ['integer', 'float'],
    noun: 'a number',
    allowed: bounds.above === undefined ? (bounds.min === undefined ? 'a finite number' : `numbers from ${min}`) : `numbers above ${above}`,
    accept: ({ value }) => Number.isFinite(value) && Number(value) >= min && Number(value) > above,
  }
}

/** A string or a number that a parser reads: amounts, sizes, durations. */
export function parsed(noun: string, allowed: string, read: (value: string | number) => unknown): Shape {
  return {
    is: 'scalar',
    types: ['string', 'integer', 'float'],
    noun,
    allowed,
    accept: ({ value }) => (typeof value === 'string' || typeof value === 'number') && read(value) !== undefined,
  }
}

export function list(of: Shape, rule: { readonly min?: number; readonly max?: number; readonly unique?: true } = {}): Shape {
  return { is: 'list', of, ...rule }
}
export function dict(
  of: Shape,
  rule: { readonly max?: number; readonly key?: (key: string) => boolean; readonly keyForms?: string } = {},
): Shape {
  return { is: 'dict', of, ...rule }
}
export function record(
  keys: Readonly<Record<string, Shape>>,
  rule: { readonly required?: readonly string[]; readonly open?: true } = {},
): Shape {
  return { is: 'record', keys, ...rule }
}
export function either(allowed: string, ...of: Shape[]): Shape {
  return { is: 'either', of, allowed }
}

/**
 * Checks a value against its shape.
 *
 * @param path dotted key path, for the message
 * @throws InputError `invalid_task` (`invalid_argument` where a flag gave the value) at the first value that does not fit
 */
export function checkShape(node: Located, shape: Shape, path: string): void {
  switch (shape.is) {
    case 'anything':
      return
    case 'scalar':
      checkScalar(node, shape, path)
      return
    case 'list':
      checkList(node, shape, path)
      return
    case 'dict':
      checkDict(node, shape, path)
      return
    case 'record':
      checkRecord(node, shape, path)
      return
    case 'either':
      checkEither(node, shape, path)
  }
}

function checkEither(node: Located, shape: Extract<Shape, { is: 'either' }>, path: string): void {
  const fitting = shape.of.filter((one) => fitsKind(node, one))
  const [only] = fitting
  const shown = shape.secret && node.kind === 'scalar' ? HIDDEN : describe(node)
  if (only === undefined) {
    throw refusal(path, node.origin, `must be ${shape.allowed}, not ${shown}`, shape.secret ? undefined : quoteHint(node))
  }
  if (fitting.length === 1) checkShape(node, only, path)
  else if (!fitting.some((one) => passes(node, one))) {
    throw refusal(path, node.origin, `${shown} is not allowed`, `Allowed: ${shape.allowed}.`)
  }
}

function passes(node: Located, shape: Shape): boolean {
  try {
    checkShape(node, shape, '')
    return true
  } catch {
    // Any refusal means that this alternative does not fit; the caller words the error for all of them.
    return false
  }
}

function fitsKind(node: Located, shape: Shape): boolean {
  if (shape.is === 'anything') return true
  if (shape.is === 'either') return shape.of.some((one) => fitsKind(node, one))
  if (node.kind === 'scalar') return shape.is === 'scalar' && shape.types.includes(node.type)
  return node.kind === 'list' ? shape.is === 'list' : shape.is === 'dict' || shape.is === 'record'
}

function quoteHint(node: Located): string | undefined {
  return node.kind === 'scalar' && node.type !== 'string' && node.type !== 'null'
    ? `If text is meant, put it in quotes: "${node.source.slice(0, 60)}".`
    : undefined
}

function checkScalar(node: Located, shape: Extract<Shape, { is: 'scalar' }>, path: string): void {
  const shown = shape.secret ? HIDDEN : describe(node)
  if (node.kind !== 'scalar' || !shape.types.includes(node.type)) {
    const hint = shape.types.includes('string') && !shape.secret ? quoteHint(node) : shape.allowed && `Allowed: ${shape.allowed}.`
    throw refusal(path, node.origin, `must be ${shape.noun}, not ${shown}`, hint)
  }
  if (shape.accept && !shape.accept(node)) {
    throw refusal(path, node.origin, `${shown} is not allowed`, shape.allowed && `Allowed: ${shape.allowed}.`)
  }
}

function checkList(node: Located, shape: Extract<Shape, { is: 'list' }>, path: string): void {
  if (node.kind !== 'list') throw refusal(path, node.origin, `must be a list, not ${describe(node)}`)
  const { min = 0, max = Number.POSITIVE_INFINITY } = shape
  if (node.items.length < min) throw refusal(path, node.origin, `must have at least ${min} ${min === 1 ? 'entry' : 'entries'}`)
  if (node.items.length > max) throw refusal(path, node.origin, `has ${node.items.length} entries; at most ${max} are allowed`)
  const seen = new Set<string>()
  node.items.forEach((item, index) => {
    checkShape(item, shape.of, `${path}[${index}]`)
    if (shape.unique && item.kind === 'scalar') {
      if (seen.has(item.text)) throw refusal(`${path}[${index}]`, item.origin, `${describe(item)} stands in the list twice`)
      seen.add(item.text)
    }
  })
}

function checkDict(node: Located, shape: Extract<Shape, { is: 'dict' }>, path: string): void {
  if (node.kind !== 'map') throw refusal(path, node.origin, `must be a mapping, not ${describe(node)}`)
  if (shape.max !== undefined && node.entries.length > shape.max) {
    throw refusal(path, node.origin, `has ${node.entries.length} keys; at most ${shape.max} ${shape.max === 1 ? 'is' : 'are'} allowed`)
  }
  for (const entry of node.entries) {
    if (shape.key && !shape.key(entry.key)) {
      throw refusal(
        path,
        entry.keyOrigin,
        `the key ${quote(entry.shownKey ?? entry.key)} is not allowed`,
        shape.keyForms && `Allowed: ${shape.keyForms}.`,
      )
    }
    checkShape(entry.value, shape.of, `${path}.${entry.shownKey ?? entry.key}`)
  }
}

function checkRecord(node: Located, shape: Extract<Shape, { is: 'record' }>, path: string): void {
  if (node.kind !== 'map') throw refusal(path, node.origin, `must be a mapping, not ${describe(node)}`)
  for (const entry of node.entries) {
    const rule = Object.hasOwn(shape.keys, entry.key) ? shape.keys[entry.key] : undefined
    if (rule === undefined) {
      if (shape.open) continue
      const known = Object.keys(shape.keys).filter((key) => !key.startsWith('_'))
      const near = nearestName(entry.key, known)
      const hint = near === undefined ? `Allowed: ${known.join(', ')}.` : `Did you mean "${near}"?`
      throw refusal(path, entry.keyOrigin, `unknown key ${quote(entry.shownKey ?? entry.key)}`, hint)
    }
    // A key without a value counts as not given, as SkyPilot drops None.
    if (entry.value.kind === 'scalar' && entry.value.type === 'null') continue
    checkShape(entry.value, rule, path === '' ? entry.key : `${path}.${entry.key}`)
  }
  for (const key of shape.required ?? []) {
    if (!node.entries.some((entry) => entry.key === key)) throw refusal(path, node.origin, `the key "${key}" is missing`)
  }
}
