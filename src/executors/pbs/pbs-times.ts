const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** Epoch ms of `Sat Nov 21 02:41:24 2026`, as qstat prints times in its own zone, which is made UTC; undefined for anything else. */
export function pbsTime(text: string | undefined): number | undefined {
  const match = /^\w{3} (\w{3}) +(\d+) (\d\d):(\d\d):(\d\d) (\d{4})$/.exec(text ?? '')
  if (!match) return undefined
  const [, month = '', ...numbers] = match
  const at = MONTHS.indexOf(month)
  const [day = 0, hours = 0, minutes = 0, seconds = 0, year = 0] = numbers.map(Number)
  return at < 0 ? undefined : Date.UTC(year, at, day, hours, minutes, seconds)
}

/** `[[[[CC]YY]MM]DD]hhmm[.SS]` of a time as people write it, in the server's zone; undefined where it is none. */
export function beginTime(value: unknown): string | undefined {
  if (typeof value === 'number') return beginTime(String(value))
  if (typeof value !== 'string') return undefined
  if (/^(?:\d{2}|\d{4}|\d{6}|\d{8})?\d{4}(?:\.\d\d)?$/.test(value)) return value
  const [, year, month, day, hours, minutes, seconds = '00'] = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d))?$/.exec(value) ?? []
  return year === undefined ? undefined : `${year}${month}${day}${hours}${minutes}.${seconds}`
}

/** ms → `01:30:00`, whole seconds, rounded up. */
export function walltime(ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1000))
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
}
