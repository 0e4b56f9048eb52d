const two = (value: number): string => String(value).padStart(2, '0')

/** `2026-11-21T19:32:49`, local time without zone, seconds cut off: how Slurm prints every instant. */
export function printInstant(ms: number): string {
  const date = new Date(ms)
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** squeue's `5:00`, `1:00:00`, `2-00:00:00`. Milliseconds in; `UNLIMITED` for Infinity. */
export function printSpan(ms: number): string {
  if (ms === Number.POSITIVE_INFINITY) return 'UNLIMITED'
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60]
  if (days > 0) return `${days}-${two(hours)}:${two(minutes)}:${two(seconds % 60)}`
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}

/** scontrol's and sacct's `00:05:00`, `1-00:00:00`. */
export function printLongSpan(ms: number): string {
  if (ms === Number.POSITIVE_INFINITY) return 'UNLIMITED'
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const days = Math.floor(seconds / 86_400)
  const rest = `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  return days > 0 ? `${days}-${rest}` : rest
}

/** Minutes of `--time`: `M`, `M:S`, `H:M:S`, `D-H`, `D-H:M`, `D-H:M:S`; seconds round up. Undefined: not a time. */
export function parseTimeLimit(text: string): number | undefined {
  if (/^(infinite|unlimited|-1)$/i.test(text)) return Number.POSITIVE_INFINITY
  const [, days, rest] = /^(?:(\d+)-)?(\d+(?::\d+){0,2})$/.exec(text) ?? []
  if (rest === undefined) return undefined
  const parts = rest.split(':').map(Number)
  const [a = 0, b = 0, c = 0] = parts
  const seconds =
    days !== undefined
      ? Number(days) * 86_400 + a * 3600 + b * 60 + c
      : parts.length === 1
        ? a * 60
        : parts.length === 2
          ? a * 60 + b
          : a * 3600 + b * 60 + c
  return Math.ceil(seconds / 60)
}

/** Instant of `now`, `now+1hour`, `now-2days`, `2026-11-21[T19:32[:49]]`, `19:32`, `uts1234`. Undefined: not one. */
export function parseInstant(text: string, nowMs: number): number | undefined {
  const [, sign, count, unit = 'seconds'] = /^now(?:([+-])(\d+)(second|minute|hour|day|week)?s?)?$/.exec(text) ?? []
  if (text.startsWith('now') && (text === 'now' || sign !== undefined)) {
    const units: Readonly<Record<string, number>> = { second: 1, seconds: 1, minute: 60, hour: 3600, day: 86_400, week: 604_800 }
    return nowMs + (sign === '-' ? -1 : 1) * Number(count ?? 0) * (units[unit] ?? 1) * 1000
  }
  const [, uts] = /^uts(\d+)$/.exec(text) ?? []
  if (uts !== undefined) return Number(uts) * 1000
  const [, date, clock] = /^(\d{4}-\d{2}-\d{2})?(?:T|^|(?<=T))?(\d{1,2}:\d{2}(?::\d{2})?)?$/.exec(text) ?? []
  if (date === undefined && clock === undefined) return undefined
  const day = date ?? printInstant(nowMs).slice(0, 10)
  const ms = new Date(`${day}T${(clock ?? '00:00').padStart(clock && clock.indexOf(':') === 1 ? clock.length + 1 : 0, '0')}`).getTime()
  return Number.isNaN(ms) ? undefined : ms
}
