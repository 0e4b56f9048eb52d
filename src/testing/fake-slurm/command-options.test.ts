import { expect, test } from 'vitest'
import { OptionError, optionTable, parseOptions } from './command-options.ts'

const table = optionTable('array=,a hold,H exclusive=? parsable partition=,p part-two quiet,Q')

test.each([
  [
    ['--array=1-3', '-H', 'script', '-Q'],
    true,
    [
      ['array', '1-3'],
      ['hold', ''],
    ],
    ['script', '-Q'],
  ],
  [
    ['--array', '1-3', 'x', '-Hp', 'main'],
    false,
    [
      ['array', '1-3'],
      ['hold', ''],
      ['partition', 'main'],
    ],
    ['x'],
  ],
  [
    ['-a5', '--exclusive', 'user', '--'],
    false,
    [
      ['array', '5'],
      ['exclusive', ''],
    ],
    ['user'],
  ],
  [['--arr=1', '--', '--hold'], false, [['array', '1']], ['--hold']],
] as const)('%j', (argv, stopAtFirst, options, rest) => {
  expect(parseOptions(table, argv, stopAtFirst)).toEqual({ options: options.map(([name, value]) => ({ name, value })), rest })
})

test.each([
  [['--foo=1'], "unrecognized option '--foo'"],
  [['-x'], "invalid option -- 'x'"],
  [['--array'], "option '--array' requires an argument"],
  [['--hold=1'], "option '--hold' doesn't allow an argument"],
  [['--part=1'], "option '--part=1' is ambiguous; possibilities: '--partition' '--part-two'"],
])('%j is refused', (argv, message) => {
  expect(() => parseOptions(table, argv, false)).toThrow(new OptionError(message))
})
