import { quoteShell } from '../../driver/quote.ts'

/** Texts from this length on are sent once for all scripts of a group, characters. */
const LONG = 256

/**
 * What the scripts of a group have in common, said once before them: twenty jobs bring the same driver, and a program that is
 * started once for all of them saves nineteen starts. Nothing of it needs to have worked: each script looks for itself.
 */
export class GroupHead {
  readonly #texts = new Map<string, string>()
  readonly #directories: string[] = []
  readonly #programs: string[] = []
  readonly #lines = new Set<string>()

  /** A word of sh that means the text; parts of it that hold no `id` stand in a variable of the group. Throws as `quoteShell`. */
  word(text: string, id: string): string {
    const parts = text.split(id).map((part) => (part.length < LONG ? (part === '' ? '' : quoteShell(part)) : this.#variable(part)))
    return text === '' ? "''" : parts.join(id)
  }

  #variable(text: string): string {
    const known = this.#texts.get(text)
    if (known !== undefined) return `"$${known}"`
    // First, as it may be refused.
    quoteShell(text)
    const name = `drover_text${this.#texts.size}`
    this.#texts.set(text, name)
    return `"$${name}"`
  }

  /** Directories to be made, absolute. */
  directories(paths: readonly string[]): void {
    this.#directories.push(...paths)
  }

  /** Files that only their owner may read and run, empty where they are not there yet; absolute. */
  programs(paths: readonly string[]): void {
    this.#programs.push(...paths)
  }

  /** Lines of sh, once however often they are asked for. */
  once(lines: string): void {
    this.#lines.add(lines)
  }

  toString(): string {
    const directories = this.#directories.map(quoteShell).join(' ')
    const programs = this.#programs.map(quoteShell).join(' ')
    return [
      'umask 077',
      ...[...this.#texts].map(([text, name]) => `${name}=${quoteShell(text)}`),
      ...(directories === '' ? [] : [`mkdir -p ${directories} 2>/dev/null`]),
      ...(programs === ''
        ? []
        : [`for drover_file in ${programs}; do printf '' >>"$drover_file"; done 2>/dev/null`, `chmod 700 ${programs} 2>/dev/null`]),
      ...this.#lines,
      '',
    ].join('\n')
  }
}
