import { type ExitRecord, TOLD } from './protocol.ts'

const MODULUS = 1_000_003

/**
 * Checksum that closes an exit record: `sum = (sum * 31 + field % 1000003 + 7) % 1000003` over rank + 2, code, signal, start,
 * end, told (1-4, in the order of `TOLD`), phase (1 setup, 2 run). The node runner computes it with shell arithmetic,
 * `exitChecksumShell`; the numbers stay below 2^31, for shells that count in 32 bits.
 */
export function exitChecksum(record: ExitRecord): number {
  const { rank, code, signal, startedAt, endedAt, told, phase } = record
  const fields = [rank + 2, code, signal, startedAt, endedAt, TOLD.indexOf(told) + 1, phase === 'setup' ? 1 : 2]
  return fields.reduce((sum, field) => (sum * 31 + (field % MODULUS) + 7) % MODULUS, 0)
}

/** The shell's side of `exitChecksum`: `_d_checksum rank code signal start end told phase` sets `_d_sum`; fields are checked before. */
export const exitChecksumShell = `
_d_checksum() {
  _d_sum=0
  case $6 in 0) _d_word=1 ;; term) _d_word=2 ;; timeout) _d_word=3 ;; *) _d_word=4 ;; esac
  case $7 in setup) _d_phase_number=1 ;; *) _d_phase_number=2 ;; esac
  for _d_field in $(($1 + 2)) "$2" "$3" "$4" "$5" "$_d_word" "$_d_phase_number"; do
    _d_sum=$(((_d_sum * 31 + _d_field % ${MODULUS} + 7) % ${MODULUS}))
  done
}
`
