/** Below the ports that Linux gives to outgoing connections (32768 and up) and above those of most services. */
const FIRST = 20_000
const PAIRS = 6_000

/**
 * A port for the nodes of an attempt to meet on, where nobody can be asked for a free one before the plan is printed: the same
 * for the same job and attempt, another for the next attempt, always even, with the next one left to a service of the job.
 * The launch script looks whether it is free on the head (FNV-1a, 32 bits): `masterPortOf('j1', 1)` → 20000..31998.
 */
export function masterPortOf(jobId: string, attempt: number): number {
  let hash = 0x811c9dc5
  for (const character of `${jobId}/${attempt}`) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0
  return FIRST + 2 * (hash % PAIRS)
}
