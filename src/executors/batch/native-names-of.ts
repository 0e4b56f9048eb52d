import type { NativeRef } from '../executor.ts'
import { nativeName, partName } from './native-name.ts'

/** The scheduler's name for each native id of an attempt, in their order. */
export function nativeNamesOf({ nativeId, jobId, attempt, submittedAs = attempt }: NativeRef): readonly string[] {
  const name = nativeName(jobId, submittedAs)
  const ids = nativeId.split(' ').filter((id) => id !== '')
  return ids.map((_, part) => (ids.length < 2 ? name : partName(name, part)))
}
