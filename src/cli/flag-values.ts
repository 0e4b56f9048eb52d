import { InputError } from '../errors.ts'
import { DURATION_FORMS, parseDuration } from '../task/durations.ts'

/** Throws the error for a value that an option does not take. */
export function refuseValue(option: string, value: string, takes: string): never {
  throw new InputError('invalid_argument', `${option} "${value}": it takes ${takes}`)
}

/** A whole number of at least `least`. */
export function wholeNumber(option: string, least = 0): (value: string) => number {
  return (value) => {
    const number = Number(value)
    return /^\d+$/.test(value) && Number.isSafeInteger(number) && number >= least
      ? number
      : refuseValue(option, value, `a whole number of at least ${least}`)
  }
}

/** A duration such as `10m`, as ms; a bare number counts seconds. */
export function duration(option: string): (value: string) => number {
  return (value) => parseDuration(value) ?? refuseValue(option, value, DURATION_FORMS)
}

/** Collects an option that may be given often. */
export function repeated(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value]
}

/** Collects an option whose values may also be joined by commas: `--state running,failed`. */
export function commaSeparated(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), ...value.split(',').filter((part) => part !== '')]
}

/** Longest list of positions that is written out from ranges. */
const MAX_POSITIONS = 1_000_000

/** Reads `3,7-9` as [3, 7, 8, 9]; sorted, each once. */
export function positions(option: string): (value: string) => readonly number[] {
  return (value) => {
    const found = new Set<number>()
    for (const part of value.split(',')) {
      const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim())
      const first = Number(match?.[1])
      const last = match?.[2] === undefined ? first : Number(match[2])
      if (!match || last < first || last - first + found.size > MAX_POSITIONS) refuseValue(option, value, 'positions such as 3,7-9')
      for (let position = first; position <= last; position += 1) found.add(position)
    }
    return [...found].sort((a, b) => a - b)
  }
}
