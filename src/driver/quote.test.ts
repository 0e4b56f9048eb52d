import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InputError } from '../errors.ts'
import { quoteArgv, quoteDirective, quoteOneLine, quoteShell, shellAssignments } from './quote.ts'

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

/** Words of a directive line as sbatch 22.05.8 reads them; each row of the first table below was measured with it. */
function splitDirective(line: string): readonly string[] {
  const words: string[] = []
  let at = 0
  while (at < line.length) {
    if (/\s/.test(line[at] ?? '')) {
      at += 1
      continue
    }
    if (line[at] === '#') break
    let word = ''
    let quote = ''
    for (; at < line.length && (quote !== '' || !/\s/.test(line[at] ?? '')); at += 1) {
      const character = line[at] ?? ''
      if (character === '\\') {
        at += 1
        word += line[at] ?? ''
      } else if (quote !== '' && character === quote) quote = ''
      else if (quote === '' && (character === '"' || character === "'")) quote = character
      else if (quote === '' && character === '#') return [...words, word]
      else word += character
    }
    words.push(word)
  }
  return words
}

describe('quoteDirective', () => {
  test.each([
    ['--comment="a b"', 'a b'],
    ["--comment='a b'", 'a b'],
    ['--comment="a\\"b"', 'a"b'],
    ['--comment="a\\\\b"', 'a\\b'],
    ['--comment=a#b', 'a'],
    ['--comment="a#b"', 'a#b'],
    ['--comment="a\\nb"', 'anb'],
    ['--comment="a" # c', 'a'],
    ['--comment="a$b`c`"', 'a$b`c`'],
    ['--comment="trailing\\\\"', 'trailing\\'],
  ])('the stand-in reads %s as sbatch does', (line, value) => {
    expect(splitDirective(line)[0]).toBe(`--comment=${value}`)
  })

  test.each([
    ['--partition=main,gpu', '--partition=main,gpu'],
    ['--exclusive', '--exclusive'],
    ['--comment=a b', '--comment="a b"'],
    ['--comment=q"\\', '--comment="q\\"\\\\"'],
    ['--array=0-9%3', '--array=0-9%3'],
    ['--comment=', '--comment='],
  ])('%s → %s', (option, written) => {
    expect(quoteDirective(option)).toBe(written)
  })

  test('whatever an option holds, sbatch reads that one word', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.constantFrom('--comment=', '--account=', ''), (text, name) => {
        const value = text.replace(/[\0\n\r]/g, '')
        fc.pre(name !== '' || value !== '')
        expect(splitDirective(quoteDirective(name + value))).toEqual([name + value])
      }),
    )
  })

  test.each(['--comment=a\nb', '--comment=a\rb', '--comment=\0'])('%j is refused', (option) => {
    expect(() => quoteDirective(option)).toThrow(InputError)
  })
})
