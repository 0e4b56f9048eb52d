import { describe, expect, test } from 'vitest'
import { decideIgnored, parseIgnoreFile } from './ignore-rules.ts'

const ignored = (text: string, path: string, isDirectory = false): boolean =>
  decideIgnored(path, isDirectory, [{ directory: '', rules: parseIgnoreFile(text) }]) ?? false

describe('ignore rules', () => {
  test.each([
    ['name anywhere', '*.log', 'a/b/x.log', true],
    ['star stays in a name', 'a/*.log', 'a/b/x.log', false],
    ['leading slash anchors', '/x', 'a/x', false],
    ['middle slash anchors', 'a/x', 'b/a/x', false],
    ['double star in front', '**/x', 'a/b/x', true],
    ['double star at the end', 'a/**', 'a/b/c', true],
    ['double star at the end is not the directory itself', 'a/**', 'a', false],
    ['double star between, none', 'a/**/b', 'a/b', true],
    ['double star between, two', 'a/**/b', 'a/x/y/b', true],
    ['negation', '*.log\n!keep.log', 'keep.log', false],
    ['last wins', '!keep.log\n*.log', 'keep.log', true],
    ['comment', '#x', '#x', false],
    ['escaped hash', '\\#x', '#x', true],
    ['escaped bang', '\\!x', '!x', true],
    ['trailing space cut', 'x  ', 'x', true],
    ['escaped trailing space', 'x\\ ', 'x ', true],
    ['class', 'x[0-9]', 'x5', true],
    ['negated class', 'x[!0-9]', 'x5', false],
    ['posix class', 'x[[:digit:]]', 'x5', true],
    ['bracket first in class', 'x[]]', 'x]', true],
    ['class never matches a slash', 'a[!b]c', 'a/c', false],
    ['unclosed class matches nothing', 'x[', 'x[', false],
    ['dot is a dot', 'a.b', 'axb', false],
    ['windows line end', 'x\r', 'x', true],
    ['newline in a name', 'a*b', 'a\nb', true],
  ])('%s', (_name, text, path, expected) => {
    expect(ignored(text, path)).toBe(expected)
  })

  test('a trailing slash means directories only', () => {
    expect(ignored('build/', 'build', true)).toBe(true)
    expect(ignored('build/', 'build', false)).toBe(false)
  })

  test('a deeper file wins', () => {
    const files = [
      { directory: '', rules: parseIgnoreFile('*.log') },
      { directory: 'a', rules: parseIgnoreFile('!x.log') },
    ]
    expect(decideIgnored('a/x.log', false, files)).toBe(false)
    expect(decideIgnored('x.log', false, [files[0]!])).toBe(true)
    expect(decideIgnored('y', false, files)).toBeUndefined()
  })
})
