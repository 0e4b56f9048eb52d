const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }
const WHOLE = /^(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+$/i
const PART = /(\d+(?:\.\d+)?)(ms|[smhdw])/gi

/** What a duration may look like; for messages and help. */
export const DURATION_FORMS = 'seconds as a number, or 500ms, 45s, 10m, 2h, 1h30m, 1d, 1w'

/** A duration as the TypeScript builder accepts it: seconds, or `45s`, `1h30m`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd' | 'w'}` | `${number}h${number}m` | `${number}m${number}s`

/**
 * Reads a duration; `undefined` when the text is none, or is longer than a million weeks.
 *
 * @param value `500ms`, `45s`, `10m`, `2h`, `1h30m`, `1d`, `1w`, or a bare number
 * @param bareUnitMs what a bare number counts; default seconds (1000). SkyPilot's autostop counts minutes (60000).
 * @returns whole milliseconds, at least 0
 */
export function parseDuration(value: string | number, bareUnitMs = 1000): number | undefined {
  let ms: number
  if (typeof value === 'number') ms = value * bareUnitMs
  else {
    const text = value.trim()
    if (/^\d+(?:\.\d+)?$/.test(text)) ms = Number(text) * bareUnitMs
    else if (WHOLE.test(text)) {
      ms = 0
      for (const [, count, unit] of text.matchAll(PART)) ms += Number(count) * (UNIT_MS[(unit ?? '').toLowerCase()] ?? Number.NaN)
    } else return undefined
  }
  const whole = Math.round(ms)
  return whole >= 0 && whole <= 1e6 * 604_800_000 ? whole : undefined
}

/** The shortest exact text of a duration: 5_400_000 → `1h30m`, 0 → `0s`. Reads back to the same value. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms)
  let text = ''
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const size = UNIT_MS[unit] ?? 1
    const count = Math.floor(rest / size)
    if (count > 0) text += `${count}${unit}`
    rest -= count * size
  }
  return text === '' ? '0s' : text
}
