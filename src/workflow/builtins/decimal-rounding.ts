/** A finite double's size as the exact fraction `numerator / denominator`. */
function fractionOf(value: number): [numerator: bigint, denominator: bigint] {
  let power = 0n
  let whole = Math.abs(value)
  while (!Number.isInteger(whole)) {
    whole *= 2
    power++
  }
  return [BigInt(whole), 1n << power]
}

function roundHalfEven(numerator: bigint, denominator: bigint): bigint {
  const whole = numerator / denominator
  const twice = (numerator - whole * denominator) * 2n
  return twice > denominator || (twice === denominator && (whole & 1n) === 1n) ? whole + 1n : whole
}

/** `%.{places}f` of the size of a finite number, rounded as C does: exactly, half to even. `2.5, 0` → `2`. */
export function fixedText(value: number, places: number): string {
  const [numerator, denominator] = fractionOf(value)
  const digits = roundHalfEven(numerator * 10n ** BigInt(places), denominator)
    .toString()
    .padStart(places + 1, '0')
  return places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`
}

/** `%.{places}e` of the size of a finite number: digits and the exponent of the first one. */
export function exponentialDigits(value: number, places: number): [digits: string, exponent: number] {
  if (value === 0) return ['0'.repeat(places + 1), 0]
  const [numerator, denominator] = fractionOf(value)
  // The shortest digits round up where there are few bits: 5e-324 is 4.94…e-324.
  let exponent = Number(value.toExponential().split('e')[1])
  const digitsAt = (first: number): bigint => {
    const shift = places - first
    return shift >= 0
      ? roundHalfEven(numerator * 10n ** BigInt(shift), denominator)
      : roundHalfEven(numerator, denominator * 10n ** BigInt(-shift))
  }
  let rounded = digitsAt(exponent)
  if (rounded < 10n ** BigInt(places)) rounded = digitsAt(--exponent)
  if (rounded === 10n ** BigInt(places + 1)) {
    rounded /= 10n
    exponent++
  }
  return [rounded.toString(), exponent]
}
