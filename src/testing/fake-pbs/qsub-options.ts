/** Options of qsub: those with a value, and bare ones (usage of OpenPBS 23.06.06). */
const WITH_VALUE = 'aAcCejJklmMNopPqrRSuvW'
const BARE = 'fhIVXz'

/** What a command line, or directives, say. */
export interface QsubWords {
  readonly options: ReadonlyMap<string, readonly string[]>
  /** Words that are no options: the script and its arguments, or the command after `--`. */
  readonly operands: readonly string[]
  readonly direct: boolean
  /** An option there is none of. */
  readonly invalid?: string
}

/** Reads words as getopt does. */
export function parseQsubWords(words: readonly string[]): QsubWords {
  const options = new Map<string, string[]>()
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    if (word === '--') return { options, operands: words.slice(at + 1), direct: true }
    if (!/^-./.test(word)) return { options, operands: words.slice(at), direct: false }
    for (let letter = 1; letter < word.length; letter++) {
      const name = word[letter] ?? ''
      if (BARE.includes(name)) options.set(name, [...(options.get(name) ?? []), ''])
      else if (WITH_VALUE.includes(name)) {
        const value = word.slice(letter + 1) || (words[++at] ?? '')
        options.set(name, [...(options.get(name) ?? []), value])
        break
      } else return { options, operands: [], direct: false, invalid: name }
    }
  }
  return { options, operands: [], direct: false }
}

/** Words of the `#PBS` lines before the first command of a script. Quotes keep blanks together; nothing else is special. */
export function directiveWords(script: string): readonly string[] {
  const words: string[] = []
  for (const line of script.split('\n')) {
    if (line.trim() !== '' && !line.startsWith('#')) break
    if (!line.startsWith('#PBS')) continue
    for (const [, plain, double, single] of line.slice(4).matchAll(/((?:[^\s"']+))|"([^"]*)"|'([^']*)'/g))
      words.push(plain ?? double ?? single ?? '')
  }
  return words
}

/** `select=…` and other parts of `-l`, which may be joined by commas. */
export function resourceParts(values: readonly string[]): ReadonlyMap<string, string> {
  const parts = new Map<string, string>()
  for (const value of values) {
    for (const part of value.split(',')) {
      const at = part.indexOf('=')
      parts.set(at < 0 ? part : part.slice(0, at), at < 0 ? '' : part.slice(at + 1))
    }
  }
  return parts
}
