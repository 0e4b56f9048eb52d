/** One line of an ignore file, compiled. */
export interface IgnoreRule {
  readonly negated: boolean
  readonly directoryOnly: boolean
  /** Tests the path relative to the ignore file's directory, with `/`, a character per byte (`toBytes`). */
  readonly pattern: RegExp
}

/** The rules of one ignore file and the directory they count from (relative to the root; empty for the root). */
export interface IgnoreFile {
  readonly directory: string
  readonly rules: readonly IgnoreRule[]
}

const CLASSES: Readonly<Record<string, string>> = {
  alnum: 'a-zA-Z0-9',
  alpha: 'a-zA-Z',
  blank: ' \\t',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '\\x21-\\x7e',
  lower: 'a-z',
  print: '\\x20-\\x7e',
  punct: '!-\\/:-@\\[-`{-~',
  space: ' \\t\\n\\r\\f\\v',
  upper: 'A-Z',
  xdigit: '0-9a-fA-F',
}

/** Reads an ignore file (gitignore(5) of git 2.39): `*.log` and `build/` and `!keep.log`, one a line. Never throws. */
export function parseIgnoreFile(text: string): readonly IgnoreRule[] {
  const rules: IgnoreRule[] = []
  for (const raw of toBytes(text.replace(/^\uFEFF/, '')).split('\n')) {
    const line = trimTrailingSpaces(raw.replace(/\r$/, ''))
    if (line === '' || line.startsWith('#')) continue
    const negated = line.startsWith('!')
    let body = negated ? line.slice(1) : line
    const directoryOnly = body.endsWith('/')
    if (directoryOnly) body = body.slice(0, -1)
    // A slash at the start or in the middle ties the pattern to the file's own directory.
    const anchored = body.includes('/')
    if (body.startsWith('/')) body = body.slice(1)
    const source = body === '' ? undefined : compilePattern(body, anchored)
    if (source === undefined) continue
    rules.push({ negated, directoryOnly, pattern: new RegExp(anchored ? `^${source}$` : `(?:^|/)${source}$`, 's') })
  }
  return rules
}

/**
 * What the ignore files say of a path (relative to the root): left out, kept, or undefined where no rule speaks of it;
 * later files and later lines win. Parents are the walk's business: what lies below an ignored directory is never asked.
 */
export function decideIgnored(path: string, isDirectory: boolean, files: readonly IgnoreFile[]): boolean | undefined {
  for (const file of files.toReversed()) {
    const relative = toBytes(file.directory === '' ? path : path.slice(file.directory.length + 1))
    const rule = file.rules.findLast((one) => (isDirectory || !one.directoryOnly) && one.pattern.test(relative))
    if (rule !== undefined) return !rule.negated
  }
  return undefined
}

/** A character per byte: git compares bytes, so that `?` is half of an `é`. */
export function toBytes(text: string): string {
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text).toString('latin1')
}

/** Spaces at the end count only behind a backslash. */
function trimTrailingSpaces(line: string): string {
  let end = line.length
  while (end > 0 && line[end - 1] === ' ') {
    const slashes = /\\*$/.exec(line.slice(0, end - 1))?.[0].length ?? 0
    if (slashes % 2 === 1) break
    end--
  }
  return line.slice(0, end)
}

/**
 * The regular expression of a pattern; undefined for one that matches nothing (an unclosed bracket, a lone backslash at the
 * end). Of an anchored pattern git compares the text before the first special character by itself, and takes what follows
 * for a beginning: `a**` + `/b` matches `ab`.
 */
function compilePattern(pattern: string, anchored: boolean): string | undefined {
  let out = ''
  const literal = anchored ? pattern.search(/[*?[\\]/) : 0
  for (let at = 0; at < pattern.length; ) {
    const rest = pattern.slice(at)
    const stars = /^\*+/.exec(rest)?.[0].length ?? 0
    const wide = stars >= 2 && (at === 0 || at === literal || pattern[at - 1] === '/')
    if (wide && rest[stars] === '/') {
      out += at === 0 || pattern[at - 1] === '/' ? '(?:[^/]+/)*' : '(?:[^/]*/)*'
      at += stars + 1
    } else if (wide && rest.length === stars) {
      out += '.*'
      at += stars
    } else if (stars > 0) {
      out += '[^/]*'
      at += stars
    } else if (rest.startsWith('?')) {
      out += '[^/]'
      at++
    } else if (rest.startsWith('[')) {
      const bracket = compileBracket(rest)
      if (bracket === undefined) return undefined
      out += bracket.source
      at += bracket.length
    } else {
      const escaped = rest.startsWith('\\')
      const char = escaped ? rest[1] : rest[0]
      if (char === undefined) return undefined
      out += char.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&')
      at += escaped ? 2 : 1
    }
  }
  return out
}

/** A class at the start of the text, as git's wildmatch.c reads it: a range the wrong way round means its first character alone. */
function compileBracket(text: string): { source: string; length: number } | undefined {
  let at = 1
  const negated = text[at] === '!' || text[at] === '^'
  if (negated) at++
  let members = ''
  /** Where a range may begin: the character before, unless a range or a named class ended with it. */
  let before: string | undefined
  for (let first = true; at < text.length; first = false) {
    const char = text.charAt(at)
    if (char === ']' && !first) return { source: `(?!/)[${negated ? '^' : ''}${members}]`, length: at + 1 }
    const named = /^\[:([^\]]*):\]/.exec(text.slice(at))
    if (char === '-' && before !== undefined && at + 1 < text.length && text[at + 1] !== ']') {
      at++
      if (text[at] === '\\') at++
      const last = text.charAt(at++)
      if (last === '') return undefined
      if (before <= last) members += `${hex(before)}-${hex(last)}`
      before = undefined
    } else if (named !== null) {
      const set = CLASSES[named[1] ?? '']
      if (set === undefined) return undefined
      members += set
      at += named[0].length
      before = undefined
    } else {
      const literal = char === '\\' ? text.charAt(++at) : char
      if (literal === '') return undefined
      members += hex(literal)
      before = literal
      at++
    }
  }
  return undefined
}

/** A character as a class of a regular expression has it. */
function hex(char: string): string {
  return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`
}
