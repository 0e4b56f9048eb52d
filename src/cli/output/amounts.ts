/** A span for people, at most two units: `850ms`, `12s`, `3m 5s`, `2h 10m`, `4d 3h`. */
export function spanText(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))}ms`
  const seconds = Math.floor(ms / 1000)
  if (seconds < 60) return ms < 10_000 ? `${(Math.floor(ms / 100) / 10).toString()}s` : `${seconds}s`
  const parts: readonly [number, string, number, string] =
    seconds < 3600
      ? [Math.floor(seconds / 60), 'm', seconds % 60, 's']
      : seconds < 86_400
        ? [Math.floor(seconds / 3600), 'h', Math.floor((seconds % 3600) / 60), 'm']
        : [Math.floor(seconds / 86_400), 'd', Math.floor((seconds % 86_400) / 3600), 'h']
  return parts[2] === 0 ? `${parts[0]}${parts[1]}` : `${parts[0]}${parts[1]} ${parts[2]}${parts[3]}`
}

/** Bytes for people, in powers of 1024: `512 B`, `1.5 MiB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? 'B'}`
}

/** ms between two ISO times; up to `now` while the second is absent; undefined while the first is. */
export function spanMs(from: string | null, to: string | null, now: number): number | undefined {
  return from === null ? undefined : (to === null ? now : Date.parse(to)) - Date.parse(from)
}
