import { randomBytes } from 'node:crypto'

const LETTERS = 'abcdefghjkmnpqrstvwxyz'
const ALPHABET = `0123456789${LETTERS}`

/** A new job id: 10 characters, the first a letter (never read as a number), no look-alikes; about 49 random bits. */
export function newJobId(): string {
  let id = ''
  while (id.length < 10) {
    for (const byte of randomBytes(16)) {
      const alphabet = id.length === 0 ? LETTERS : ALPHABET
      // Bytes above the largest multiple would favour the alphabet's first characters.
      if (byte >= 256 - (256 % alphabet.length)) continue
      id += alphabet[byte % alphabet.length] ?? ''
      if (id.length === 10) break
    }
  }
  return id
}
