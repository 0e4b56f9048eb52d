/**
 * `repr` of a float as Python writes it: the shortest digits that read back the same, an exponent below 1e-4 and from
 * 1e16 on, at least two digits in the exponent. `1e16` → `1e+16`, `0.00001` → `1e-05`, `5` → `5.0`, NaN → `nan`.
 */
export function floatText(value: number): string {
  if (Number.isInteger(value)) {
    if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
    if (value < 1e16 && value > -1e16) return `${value}.0`
  } else if (!Number.isFinite(value)) {
    return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
  } else if (value >= 1e-4 || value <= -1e-4) {
    return `${value}`
  }
  const text = value.toExponential()
  const at = text.indexOf('e')
  const digits = text.slice(at + 2)
  return `${text.slice(0, at + 2)}${digits.length < 2 ? '0' : ''}${digits}`
}

/** A float as `json.dumps` writes it: as `floatText`, but `NaN`, `Infinity` and `-Infinity`. */
export function jsonFloat(value: number): string {
  if (Number.isFinite(value)) return floatText(value)
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'
}
