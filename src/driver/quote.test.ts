import { describe, expect, test } from 'vitest'
import { InputError } from '../errors.ts'
import { quoteArgv, quoteOneLine, quoteShell, shellAssignments } from './quote.ts'

describe('quoteShell', () => {
  test.each([
    ['plain/path-1.txt', 'plain/path-1.txt'],
    ['', "''"],
    ["it's", "'it'\\''s'"],
    ['a b', "'a b'"],
    ['$(x)', "'$(x)'"],
    ['two\nlines', "'two\nlines'"],
    ['if', "'if'"],
    ['A=1', "'A=1'"],
    ['~', "'~'"],
  ])('%j → %s', (value, quoted) => {
    expect(quoteShell(value)).toBe(quoted)
  })

  test('NUL is refused', () => {
    expect(() => quoteShell('a\0b')).toThrow(InputError)
    expect(() => quoteArgv(['ok', '\0'])).toThrow(InputError)
    expect(() => shellAssignments({ A: '\0' })).toThrow(InputError)
  })
})

test('quoteArgv joins words', () => {
  expect(quoteArgv(['echo', 'a b', '-n'])).toBe("echo 'a b' -n")
})

test('quoteOneLine has no line break', () => {
  expect(quoteOneLine('a\nb\n')).toBe(`'a'"$_d_nl"'b'"$_d_nl"''`)
})

describe('shellAssignments', () => {
  test('one export per variable', () => {
    expect(shellAssignments({ A: '1', B_2: 'x y' })).toBe("export A=1\nexport B_2='x y'\n")
  })

  test.each(['', '1A', 'A-B', 'A B', 'A=B', 'A\n', 'UID', 'PPID', '_d_dir'])('the name %j is refused', (name) => {
    expect(() => shellAssignments({ [name]: 'x' })).toThrow(InputError)
  })

  test('the longest value is what a Linux kernel takes', () => {
    expect(shellAssignments({ A: 'x'.repeat(131_069) })).toContain('xxx')
    expect(() => shellAssignments({ A: 'x'.repeat(131_070) })).toThrow(/A is 131070 bytes/)
  })
})
