const two = (value: number): string => String(value).padStart(2, '0')

/** `0000:08:27`. */
export function printSpan(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  return `${String(Math.floor(seconds / 3600)).padStart(4, '0')}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
}

/** `02:00:00 (7200)`, of the statistical information. */
export function printSpanWithSeconds(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)} (${seconds})`
}

/** `06/01 15:03:44`, in the local zone and without the year. */
export function printInstant(ms: number): string {
  const at = new Date(ms)
  return `${two(at.getMonth() + 1)}/${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
}

/** `2016/07/29 21:11:29`. */
export function printDate(ms: number): string {
  return `${new Date(ms).getFullYear()}/${printInstant(ms)}`
}

/** `[[hour:]minute:]second` or a range of them, the longer one counting, in ms; undefined: none. */
export function parseElapse(text: string): number | undefined {
  const last = text.split('-').at(-1) ?? ''
  const parts = last.split(':')
  if (parts.length > 3 || parts.some((part) => !/^\d+$/.test(part))) return undefined
  return parts.reduce((sum, part) => sum * 60 + Number(part), 0) * 1000
}
