/** Options a command takes: name → whether it has a value, and its short letter. */
export type OptionTable = Readonly<Record<string, { readonly short?: string; readonly value: 'none' | 'required' | 'optional' }>>

/** One option as given, in order; `value` is '' for a bare flag. */
export interface GivenOption {
  readonly name: string
  readonly value: string
}

/** What getopt makes of a command line. */
export interface ParsedOptions {
  readonly options: readonly GivenOption[]
  readonly rest: readonly string[]
}

/** A command line getopt refuses; `text` is what it prints after `command: `. */
export class OptionError extends Error {
  override readonly name = 'OptionError'
}

/** Builds a table of `name`, `name=` (value required), `name=?` (optional), each with `,x` for its short letter. */
export function optionTable(text: string): OptionTable {
  const table: Record<string, { short?: string; value: 'none' | 'required' | 'optional' }> = {}
  for (const word of text.trim().split(/\s+/)) {
    const [, name = '', kind, short] = /^([a-z0-9-]+)(=\??)?(?:,(\S))?$/i.exec(word) ?? []
    table[name] = { value: kind === '=' ? 'required' : kind === '=?' ? 'optional' : 'none', ...(short ? { short } : {}) }
  }
  return table
}

/**
 * Reads options as glibc's getopt_long does: `--name=value`, `--name value`, unique beginnings of names, `-n5`, `-n 5`,
 * bundled flags, `--` ends them. `stopAtFirst`: the first word that is no option ends them (commands that take a program).
 */
export function parseOptions(table: OptionTable, argv: readonly string[], stopAtFirst: boolean): ParsedOptions {
  const options: GivenOption[] = []
  const rest: string[] = []
  const words = [...argv]
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === '--') return { options, rest: [...rest, ...words] }
    if (word.startsWith('--')) options.push(longOption(table, word, words))
    else if (word.startsWith('-') && word !== '-') options.push(...shortOptions(table, word, words))
    else if (stopAtFirst) return { options, rest: [word, ...words] }
    else rest.push(word)
  }
  return { options, rest }
}

function longOption(table: OptionTable, word: string, words: string[]): GivenOption {
  const at = word.indexOf('=')
  const typed = word.slice(2, at < 0 ? undefined : at)
  const names = Object.keys(table)
  const matches = names.includes(typed) ? [typed] : names.filter((name) => name.startsWith(typed))
  const [name] = matches
  if (matches.length > 1) {
    throw new OptionError(`option '${word}' is ambiguous; possibilities: ${matches.map((one) => `'--${one}'`).join(' ')}`)
  }
  if (name === undefined) throw new OptionError(`unrecognized option '--${typed}'`)
  const kind = table[name]?.value
  if (kind === 'none' && at >= 0) throw new OptionError(`option '--${name}' doesn't allow an argument`)
  if (at >= 0) return { name, value: word.slice(at + 1) }
  if (kind !== 'required') return { name, value: '' }
  const value = words.shift()
  if (value === undefined) throw new OptionError(`option '--${name}' requires an argument`)
  return { name, value }
}

function shortOptions(table: OptionTable, word: string, words: string[]): readonly GivenOption[] {
  const found: GivenOption[] = []
  for (let at = 1; at < word.length; at++) {
    const letter = word[at]
    const entry = Object.entries(table).find(([, option]) => option.short === letter)
    if (!entry) throw new OptionError(`invalid option -- '${letter}'`)
    const [name, { value: kind }] = entry
    if (kind === 'none') {
      found.push({ name, value: '' })
      continue
    }
    const attached = word.slice(at + 1)
    const value = attached !== '' || kind === 'optional' ? attached : words.shift()
    if (value === undefined) throw new OptionError(`option requires an argument -- '${letter}'`)
    return [...found, { name, value }]
  }
  return found
}
