import type { ErrorJson } from '../../errors.ts'

/** The one JSON document of a command, as `-o json` prints it. Infinity has no JSON and becomes null. */
export function compileJson(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}

/** The document in place of the result when a command failed. */
export function compileJsonError(error: ErrorJson): string {
  return compileJson({ error })
}

/** One selector gives an object, several give an array: what was asked for, not how many were found. */
export function oneOrMany<T>(values: readonly T[], many: boolean): T | readonly T[] | undefined {
  return many ? values : values[0]
}
