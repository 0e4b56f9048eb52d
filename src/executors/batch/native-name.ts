/** Name of an attempt for the scheduler: at most 15 characters, found again by it after an unknown submit. */
export function nativeName(jobId: string, attempt: number): string {
  return `d-${jobId}-${attempt}`
}

/** The attempt that a native name (of a part of a split array, too) belongs to; undefined: none of Drover's. */
export function parseNativeName(name: string): { readonly jobId: string; readonly attempt: number } | undefined {
  const [, jobId, attempt] = /^d-([a-z0-9]{10})-(\d+)[a-z]*$/.exec(name) ?? []
  return jobId === undefined ? undefined : { jobId, attempt: Number(attempt) }
}

/** Name of part `part` of an array that the scheduler takes in several pieces. */
export function partName(name: string, part: number): string {
  let suffix = ''
  for (let rest = part; ; rest = Math.floor(rest / 26) - 1) {
    suffix = String.fromCharCode(97 + (rest % 26)) + suffix
    if (rest < 26) return name + suffix
  }
}
