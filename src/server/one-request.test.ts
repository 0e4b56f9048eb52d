import { describe, expect, test } from 'vitest'
import { parseAnswer } from './one-request.ts'

const plain = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n["\u00e4a"]'
const chunked =
  'HTTP/1.1 409 Conflict\r\nTransfer-Encoding: chunked\r\ndrover-version: 1.2.3\r\n\r\n3;a=b\r\n["\u00e4\r\n3\r\na"]\r\n0\r\n\r\n'

describe('an answer', () => {
  test('of a known length is read whole', () => {
    expect(parseAnswer(Buffer.from(plain))).toEqual({
      status: 200,
      headers: { 'content-type': 'application/json', 'content-length': '7' },
      text: '["\u00e4a"]',
    })
  })

  test('in chunks is read whole, letters that lie in two of them too', () => {
    const bytes = Buffer.from(chunked.replace('3;a=b\r\n["\u00e4', '4;a=b\r\n["\u00e4'))
    expect(parseAnswer(bytes)).toMatchObject({ status: 409, headers: { 'drover-version': '1.2.3' }, text: '["\u00e4a"]' })
    const split = Buffer.concat([
      Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n'),
      Buffer.from([0xc3]),
      Buffer.from('\r\n1\r\n'),
      Buffer.from([0xa4]),
      Buffer.from('\r\n0\r\n\r\n'),
    ])
    expect(parseAnswer(split).text).toBe('\u00e4')
  })

  test.each([
    ['of a known length', plain],
    ['in chunks', chunked.replace('3;a=b', '4;a=b')],
  ])('%s that was cut off anywhere is refused, never half of it', (_name, text) => {
    const bytes = Buffer.from(text)
    // The empty line after the last chunk says nothing any more.
    const whole = text === plain ? bytes.length : bytes.length - 2
    for (let length = 0; length < whole; length += 1) expect(() => parseAnswer(bytes.subarray(0, length))).toThrow()
  })

  test('of no known length is refused', () => {
    expect(() => parseAnswer(Buffer.from(plain.replace(/Content-Length.*\r\n/, '')))).toThrow()
  })
})
