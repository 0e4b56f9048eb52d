import { InputError } from '../errors.ts'
import { get, type Located, type LocatedMap, type LocatedScalar, quote, refusal } from './located.ts'
import { resolvePath } from './paths.ts'
import type { TaskContext } from './task-context.ts'
import { MAX_ARRAY_SIZE } from './task-shape.ts'
import type { ArraySpec } from './task-spec.ts'

const FORMS = ['count', 'range', 'values', 'file', 'matrix'] as const
const RANGE_FORMS = 'Allowed: "0-9" or "0-99:10" (ends included), [start, stop], [start, stop, step] (stop excluded).'

/**
 * Reads a checked `array`. A `range` text includes its ends, as in schedulers (`--array=0-9`); a list or mapping excludes
 * `stop`, as Python's `range`; the result always excludes it. Lines of a `file` keep their order; the last line end is
 * none of its own.
 *
 * @throws InputError `invalid_task`, or `missing_file` where the file cannot be read
 */
export function readArray(node: Located, context: TaskContext): ArraySpec {
  if (node.kind === 'scalar') return { elements: { kind: 'count', count: Number(node.value) }, size: Number(node.value) }
  const map = node as LocatedMap
  const given = FORMS.filter((form) => get(map, form) !== undefined)
  const [form] = given
  if (form === undefined || given.length > 1) {
    const message = form === undefined ? 'says not which elements it has' : `has ${given.join(' and ')}`
    throw refusal('array', node.origin, message, `Give exactly one of ${FORMS.join(', ')}.`)
  }
  const value = get(map, form) as Located
  const maxNode = get(map, 'max_parallel')
  const maxParallel = maxNode?.kind === 'scalar' ? Number(maxNode.value) : undefined
  const elements = readElements(form, value, context)
  const size = sizeOf(elements)
  if (!(size >= 1 && size <= MAX_ARRAY_SIZE)) {
    throw refusal(`array.${form}`, value.origin, `gives ${size} elements`, `Allowed: 1 to ${MAX_ARRAY_SIZE}.`)
  }
  return { elements, size, ...(maxParallel === undefined ? {} : { maxParallel }) }
}

function sizeOf(elements: ArraySpec['elements']): number {
  switch (elements.kind) {
    case 'count':
      return elements.count
    case 'range':
      return Math.max(0, Math.ceil((elements.stop - elements.start) / elements.step))
    case 'values':
      return elements.values.length
    case 'matrix':
      return elements.parameters.reduce((size, parameter) => size * parameter.values.length, elements.parameters.length === 0 ? 0 : 1)
  }
}

const texts = (node: Located | undefined): string[] =>
  node?.kind === 'list' ? node.items.map((item) => (item.kind === 'scalar' ? elementText(item) : '')) : []

/** Numbers and booleans as they are written: `0.10` stays `0.10`, unlike in envs, where Python's `str()` is the rule. */
function elementText(node: LocatedScalar): string {
  return node.source
}

function readElements(form: (typeof FORMS)[number], node: Located, context: TaskContext): ArraySpec['elements'] {
  switch (form) {
    case 'count':
      return { kind: 'count', count: Number((node as LocatedScalar).value) }
    case 'range':
      return { kind: 'range', ...readRange(node) }
    case 'values':
      return { kind: 'values', values: texts(node) }
    case 'file':
      return { kind: 'values', values: readLines(node as LocatedScalar, context) }
    case 'matrix':
      return {
        kind: 'matrix',
        parameters: (node as LocatedMap).entries.map((entry) => ({ name: entry.key, values: texts(entry.value) })),
      }
  }
}

function readRange(node: Located): { readonly start: number; readonly stop: number; readonly step: number } {
  if (node.kind === 'scalar' && node.type === 'string') {
    const match = /^(-?\d+)-(-?\d+)(?::(\d+))?$/.exec(node.text.trim())
    const [start, last, step] = [Number(match?.[1]), Number(match?.[2]), Number(match?.[3] ?? 1)]
    if (!match || last < start || step < 1 || !Number.isSafeInteger(last) || !Number.isSafeInteger(start)) {
      throw refusal('array.range', node.origin, `${quote(node.text)} is not a range`, RANGE_FORMS)
    }
    return { start, stop: last + 1, step }
  }
  const number = (one: Located | undefined) => (one?.kind === 'scalar' ? Number(one.value) : undefined)
  let start: number | undefined
  let stop: number | undefined
  let step: number | undefined
  if (node.kind === 'scalar') stop = number(node)
  else if (node.kind === 'map') [start, stop, step] = [number(get(node, 'start')), number(get(node, 'stop')), number(get(node, 'step'))]
  else if (node.items.length === 1) stop = number(node.items[0])
  else [start, stop, step] = node.items.map(number)
  if (stop === undefined || (step ?? 1) < 1) {
    throw refusal('array.range', node.origin, stop === undefined ? 'has no stop' : 'has a step below 1', RANGE_FORMS)
  }
  return { start: start ?? 0, stop, step: step ?? 1 }
}

function readLines(node: LocatedScalar, context: TaskContext): string[] {
  const base = node.origin.flag === undefined ? context.baseDirectory : (context.currentDirectory ?? context.baseDirectory)
  const path = resolvePath(node.text, base, context.files.homedir)
  let content: string
  try {
    content = context.files.readText(path)
  } catch (error) {
    throw new InputError('missing_file', `${node.origin.flag ?? 'array.file'}: cannot read ${path}`, {
      cause: error,
      ...(node.origin.place === undefined ? {} : { location: node.origin.place }),
    })
  }
  if (content.includes('\0')) throw refusal('array.file', node.origin, `${path} holds NUL characters; it is not a text file`)
  const lines = content.replace(/^\uFEFF/, '').split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  return lines
}
