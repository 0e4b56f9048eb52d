import { DroverError } from '../errors.ts'
import type { Capabilities } from '../executors/capabilities.ts'
import { DEFAULT_PROOF_GRACE_MS } from './evidence.ts'

/** Where what a process wrote is seen by all at once, proof that is not there will hardly come. */
const STRONG_FILES_GRACE_MS = 3_000

/**
 * How long proof of an end may still arrive after all that could know has said that a job is gone, ms: `DROVER_PROOF_GRACE` of
 * the supervisor in seconds, else 3 s where files are seen at once, 90 s behind the caches of network file systems.
 *
 * @throws DroverError `invalid_argument` for a value that is no number of seconds
 */
export function proofGraceMs(
  { strongFiles }: Pick<Capabilities, 'strongFiles'>,
  environment: Readonly<Record<string, string | undefined>>,
): number {
  const text = environment['DROVER_PROOF_GRACE']
  if (text === undefined || text === '') return strongFiles ? STRONG_FILES_GRACE_MS : DEFAULT_PROOF_GRACE_MS
  const seconds = Number(text)
  if (Number.isFinite(seconds) && seconds > 0 && seconds <= 86_400) return seconds * 1000
  throw new DroverError('invalid_argument', `DROVER_PROOF_GRACE is "${text}"; it takes seconds, above 0 and at most a day`, {
    level: 'config',
  })
}
