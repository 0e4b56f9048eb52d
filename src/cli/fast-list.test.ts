import { describe, expect, test } from 'vitest'
import { readAnswer } from '../server/one-request.ts'
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

describe('a plain answer', () => {
  const answer = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n["\u00e4a"]'
  test('is read whole', () => {
    expect(readAnswer(Buffer.from(answer))).toEqual(['\u00e4a'])
  })

  test('cut off anywhere it is refused, never half a list', () => {
    const bytes = Buffer.from(answer)
    for (let length = 0; length < bytes.length; length += 1) expect(() => readAnswer(bytes.subarray(0, length))).toThrow()
  })

  test.each([
    ['another status', answer.replace('200 OK', '426 Upgrade Required')],
    ['no length', answer.replace(/Content-Length.*\r\n/, '')],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n'],
  ])('%s is refused', (_name, text) => {
    expect(() => readAnswer(Buffer.from(text))).toThrow()
  })
})
