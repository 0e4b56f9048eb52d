import { InputError } from '../errors.ts'

/**
 * Compiles a glob over relative paths with `/`: `*` and `?` within a name, `[a-z]`, `[!a]`, `{a,b}`, `**` across
 * directories (also none), `\` before a character for itself. `out/**` + `/*.pt` matches `out/a.pt` and `out/x/y/a.pt`.
 *
 * @throws InputError `invalid_argument` for an empty or absolute pattern, one with `..`, or an unclosed bracket or brace
 */
export function compileGlob(pattern: string): RegExp {
  const plain = pattern.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '')
  const refuse = (why: string): InputError =>
    new InputError('invalid_argument', `the pattern ${JSON.stringify(pattern)} ${why}`, {
      hint: 'Patterns are relative to the work directory: results/*.json, out/**.',
    })
  if (plain === '.') return /^/s
  if (plain === '') throw refuse('is empty')
  if (plain.startsWith('/')) throw refuse('is absolute')
  if (plain.split('/').includes('..')) throw refuse('leaves the work directory through ".."')
  let text = ''
  let braces = 0
  for (let at = 0; at < plain.length; at++) {
    const char = plain.charAt(at)
    const startsName = at === 0 || plain[at - 1] === '/'
    if (char === '*' && startsName && /^\*\*(?:\/|$)/.test(plain.slice(at))) {
      const last = at + 2 >= plain.length
      text += last ? '.*' : '(?:[^/]+/)*'
      at += last ? 1 : 2
    } else if (char === '*') {
      while (plain[at + 1] === '*') at++
      text += '[^/]*'
    } else if (char === '?') text += '[^/]'
    else if (char === '[') {
      const bracket = /^\[(!|\^)?(\]?[^\]]*)\]/s.exec(plain.slice(at))
      if (bracket === null || !bracket[2]) throw refuse('has a "[" without its "]"')
      text += `(?!/)[${bracket[1] ? '^' : ''}${bracket[2].replace(/[\\[\]^]/g, '\\$&')}]`
      at += bracket[0].length - 1
    } else if (char === '{') {
      braces++
      text += '(?:'
    } else if (char === '}' && braces > 0) {
      braces--
      text += ')'
    } else if (char === ',' && braces > 0) text += '|'
    else {
      const literal = char === '\\' && at + 1 < plain.length ? plain.charAt(++at) : char
      text += literal.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
    }
  }
  if (braces > 0) throw refuse('has a "{" without its "}"')
  try {
    return new RegExp(`^${text}$`, 's')
  } catch {
    throw refuse('has a range that is the wrong way round')
  }
}
