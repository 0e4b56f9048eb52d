import { describe, expect, test } from 'vitest'
import { readPlainFlags } from './fast-list.ts'

describe('plain flags of list', () => {
  test.each([
    ['', { options: {}, mode: 'table', daemon: true }],
    ['--state running,failed -s lost', { options: { state: ['running', 'failed', 'lost'] }, mode: 'table', daemon: true }],
    [
      '-n a -t b -g c -l 3 --since 2h -o json',
      { options: { name: 'a', target: 'b', group: 'c', limit: '3', since: '2h' }, mode: 'json', daemon: true },
    ],
    ['--name=a=b --all --no-daemon --output=quiet', { options: { name: 'a=b', all: true }, mode: 'quiet', daemon: false }],
    // All that needs the real parser, for its help or its message.
    ['--help', undefined],
    ['--stat running', undefined],
    ['word', undefined],
    ['--name', undefined],
    ['--name --all', undefined],
    ['-o yaml', undefined],
    ['-ojson', undefined],
  ])('%s', (line, expected) => {
    expect(readPlainFlags(line.split(' ').filter((word) => word !== ''))).toEqual(expected)
  })
})
