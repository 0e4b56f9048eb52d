const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

const two = (value: number): string => String(value).padStart(2, '0')

/** As ctime(3) in UTC: `Sat Nov 21 02:41:24 2026`. */
export function printTime(ms: number): string {
  const date = new Date(ms)
  const day = String(date.getUTCDate()).padStart(2, ' ')
  const clock = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`
  return `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${day} ${clock} ${date.getUTCFullYear()}`
}

/** As comments write it: `Sat Nov 21 at 02:41`. */
export function printCommentTime(ms: number): string {
  return printTime(ms).replace(/^(.{10}) (\d\d:\d\d).*$/, '$1 at $2')
}

/** `90`, `1:30`, `01:00:00` → ms; undefined where it is none. */
export function parseDurationMs(text: string): number | undefined {
  const parts = text.split(':')
  if (parts.length > 3 || parts.some((part) => !/^\d+$/.test(part))) return undefined
  return parts.reduce((sum, part) => sum * 60 + Number(part), 0) * 1000
}

/** ms → `00:01:30`. */
export function printDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
}

/** `[[[[CC]YY]MM]DD]hhmm[.SS]` of qsub -a, in UTC; undefined where it is none. A time of today that is over is tomorrow's. */
export function parseBegin(text: string, now: number): number | undefined {
  const [, date = '', clock = '', seconds = '0'] = /^(\d{2}|\d{4}|\d{6}|\d{8})?(\d{4})(?:\.(\d\d))?$/.exec(text) ?? []
  if (clock === '') return undefined
  const today = new Date(now)
  const full = `${today.getUTCFullYear()}${two(today.getUTCMonth() + 1)}${two(today.getUTCDate())}`
  const day = date.length === 8 ? date : full.slice(0, 8 - date.length) + date
  const [year, month, of] = [Number(day.slice(0, 4)), Number(day.slice(4, 6)), Number(day.slice(6))]
  const ms = Date.UTC(year, month - 1, of, Number(clock.slice(0, 2)), Number(clock.slice(2)), Number(seconds))
  return date === '' && ms < now ? ms + 86_400_000 : ms
}
