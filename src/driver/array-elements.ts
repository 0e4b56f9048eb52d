import { InputError } from '../errors.ts'
import type { ArraySpec } from '../task/task-spec.ts'
import { quoteOneLine, validateVariableName } from './quote.ts'

/** Where the slots of an array find position and value of the nth element of the attempt. Plain data. */
export type ElementSource =
  /** Computed: position n, value `start + n * step`. */
  | { readonly kind: 'range'; readonly start: number; readonly step: number; readonly count: number }
  /** Line n of the `elements` file: `<position> NAME='value' …`. `names`: the variables the lines set. */
  | { readonly kind: 'file'; readonly names: readonly string[]; readonly count: number }

/** `file`: text of the `elements` file, where there is one. */
export interface CompiledElements {
  readonly source: ElementSource
  readonly file?: string
}

/**
 * Compiles the elements of one attempt. `positions`: 0-based, in the order they are to be started; default all.
 * A whole count or range of integers needs no file. `values: [a, "b c"]` → file
 * `0 DROVER_ARRAY_VALUE=a⏎1 DROVER_ARRAY_VALUE='b c'⏎`; a matrix sets its parameters: `5 lr=0.1 seed=2⏎`.
 * Throws InputError `invalid_argument` on a position outside the array, a parameter that cannot be a variable, and NUL.
 */
export function compileElements(array: ArraySpec, positions?: readonly number[]): CompiledElements {
  const { elements, size } = array
  if (positions === undefined) {
    if (elements.kind === 'count') return { source: { kind: 'range', start: 0, step: 1, count: size } }
    if (elements.kind === 'range' && Number.isSafeInteger(elements.start) && Number.isSafeInteger(elements.step)) {
      return { source: { kind: 'range', start: elements.start, step: elements.step, count: size } }
    }
  }
  const chosen = positions ?? Array.from({ length: size }, (_, position) => position)
  const names = elements.kind === 'matrix' ? elements.parameters.map(({ name }) => name) : ['DROVER_ARRAY_VALUE']
  for (const name of names) validateVariableName(name)
  const line = (position: number): string => {
    if (!Number.isInteger(position) || position < 0 || position >= size) {
      throw new InputError('invalid_argument', `array element ${position} does not exist: the array has ${size}, counted from 0`)
    }
    const values = elementValues(elements, position)
    return `${position} ${names.map((name, index) => `${name}=${quoteOneLine(values[index] ?? '')}`).join(' ')}\n`
  }
  return { source: { kind: 'file', names, count: chosen.length }, file: chosen.map(line).join('') }
}

/** One value, or one per parameter of a matrix. */
function elementValues(elements: ArraySpec['elements'], position: number): readonly string[] {
  switch (elements.kind) {
    case 'count':
      return [String(position)]
    case 'range':
      return [String(elements.start + position * elements.step)]
    case 'values':
      return [elements.values[position] ?? '']
    case 'matrix': {
      let rest = position
      return elements.parameters
        .toReversed()
        .map(({ values }) => {
          const value = values[rest % values.length] ?? ''
          rest = Math.floor(rest / values.length)
          return value
        })
        .toReversed()
    }
  }
}
