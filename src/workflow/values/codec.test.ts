import { describe, expect, test } from 'vitest'
import { asWritten, readValue, writeValue } from './codec.ts'
import { complexText } from './complex-parts.ts'
import { PythonError } from './python-error.ts'
import { Complex, isGraphDocument, typeName, type Value } from './value.ts'
import { dialectOf, NEWEST_DIALECT, VALUE_DIALECTS } from './value-dialect.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)
const written = (value: Value, version = '2.1.1'): string => Buffer.from(writeValue(value, dialectOf(version))).toString()

describe('reading', () => {
  test.each<[string, Value]>([
    ['1', 1n],
    ['1.0', 1],
    ['-0.0', -0],
    ['-0', 0n],
    ['100000000000000000001', 100000000000000000001n],
    ['NaN', Number.NaN],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['1e400', Number.POSITIVE_INFINITY],
    ['[true, null]', [true, null]],
    [
      '{"10": 1, "2": 2, "10": 3}',
      new Map([
        ['10', 3n],
        ['2', 2n],
      ]),
    ],
    ['{"__proto__": 1}', new Map([['__proto__', 1n]])],
    ['{"__tkr_bytes__": true, "bytes": "/wA="}', Buffer.from([0xff, 0])],
    ['{"\\u005f_tkr_bytes__": true, "bytes": "/wA="}', Buffer.from([0xff, 0])],
    ['"\\ud83d\\ude00"', '\u{1f600}'],
  ])('%s', (text, value) => expect(readValue(bytes(text))).toEqual(value))

  test('without a type: JSON where it is JSON, else the bytes', () => {
    expect(readValue(bytes('5'))).toBe(5n)
    expect(readValue(bytes('not json'))).toEqual(bytes('not json'))
    expect(readValue(Buffer.from([0xff]))).toEqual(Buffer.from([0xff]))
    expect(readValue(bytes('5'), 'bytes')).toEqual(bytes('5'))
    expect(() => readValue(bytes('not json'), 'json')).toThrow('Expecting value: line 1 column 1 (char 0)')
  })

  test('what is neither JSON nor its absence is an error without a type, too', () => {
    expect(() => readValue(bytes('1'.repeat(4301)))).toThrow('Exceeds the limit (4300 digits)')
    expect(() => readValue(bytes('{"__tkr_bytes__": true, "bytes": "a"}'))).toThrow(PythonError)
    expect(() => readValue(bytes('['.repeat(100_000)))).toThrow('maximum recursion depth exceeded')
  })

  test('positions count code points', () => {
    expect(() => readValue(bytes('["\u{1f600}",\n "é" x]'), 'json')).toThrow("Expecting ',' delimiter: line 2 column 6 (char 11)")
  })

  test('complex numbers: tagged in the releases that wrote tags', () => {
    const tagged = bytes('{"__tkr_complex__": [1, 2.5]}')
    expect(readValue(tagged, 'json', dialectOf('2.0.12'))).toEqual(new Complex(1, 2.5))
    expect(readValue(tagged)).toEqual(new Map([['__tkr_complex__', [1n, 2.5]]]))
  })
})

describe('writing', () => {
  test.each<[string, Value]>([
    ['1e+16', 1e16],
    ['1e-05', 0.00001],
    ['1.0', 1],
    ['-0.0', -0],
    ['NaN', Number.NaN],
    ['"\\u00e9\\u007f\\ud83d\\ude00\\\\\\""', 'é\x7f\u{1f600}\\"'],
    [
      '{\n  "b": [\n    1,\n    2.5\n  ],\n  "a": {},\n  "c": []\n}',
      new Map<string, Value>([
        ['b', [1n, 2.5]],
        ['a', new Map()],
        ['c', []],
      ]),
    ],
    ['[\n  1.0,\n  -2.5\n]', new Complex(1, -2.5)],
    ['[\n  {\n    "__tkr_bytes__": true,\n    "bytes": "/wA="\n  }\n]', [Buffer.from([0xff, 0])]],
  ])('%j', (text, value) => expect(written(value)).toBe(text))

  test('bytes at the top are the file', () => expect(writeValue(Buffer.from([0xff]))).toEqual(Buffer.from([0xff])))

  test('each dialect has its form', () => {
    const value = [new Complex(1, 2), new Map([['k', 1n]])]
    expect(written(value, '2.0.11')).toBe('[{"__tkr_complex__": [1.0, 2.0]}, {"k": 1}]')
    expect(written([1n], '2.0.12')).toBe('[\n  1\n]')
    expect(written(new Complex(0, 1), '2.0.12')).toBe('{\n  "__tkr_complex__": [\n    0.0,\n    1.0\n  ]\n}')
    expect(() => written(value, '2.0.9')).toThrow('Expected code to be unreachable, but got: (1+2j)')
  })

  test('an int of more digits than Python writes', () => {
    expect(() => writeValue(10n ** 4300n)).toThrow('Exceeds the limit (4300 digits) for integer string conversion')
    expect(writeValue(-(10n ** 4300n) + 1n)).toHaveLength(4301)
  })
})

test('a dialect is that of the newest release not above the version', () => {
  const of = (version: string): string => dialectOf(version).since
  expect(['2.0.9', '2.0.11', '2.0.12', '2.1.1', '3.0.0', '2.0.1', 'main', '2.1'].map(of)).toEqual([
    '2.0.9',
    '2.0.10',
    '2.0.12',
    '2.1.0',
    '2.1.0',
    '2.0.9',
    '2.1.0',
    '2.1.0',
  ])
  expect(NEWEST_DIALECT).toBe(VALUE_DIALECTS['2.1.0'])
})

test('a value as its file would give it back', () => {
  const plain = [1n, Number.NaN, new Map([['k', 'v']])]
  expect(asWritten(plain)).toBe(plain)
  expect(asWritten([new Map<string, Value>([['z', new Complex(1, 2)]]), 3n])).toEqual([new Map([['z', [1, 2]]]), 3n])
  const complex = [new Complex(1, 2)]
  expect(asWritten(complex, dialectOf('2.0.12'))).toBe(complex)
})

test('kinds by their Python names', () => {
  const values: Value[] = [null, true, 1n, 1, '', [], new Map(), new Uint8Array(), new Complex(0, 0)]
  expect(values.map(typeName)).toEqual(['NoneType', 'bool', 'int', 'float', 'str', 'list', 'dict', 'bytes', 'complex'])
})

test('a graph as a value is told from other objects', () => {
  expect(isGraphDocument(readValue(bytes('{"nodes": [], "graph_output_idx": null}')))).toBe(true)
  expect(isGraphDocument(readValue(bytes('{"nodes": 3, "graph_output_idx": null}')))).toBe(false)
  expect(isGraphDocument([])).toBe(false)
})

test.each([
  [new Complex(1, 2), '(1+2j)'],
  [new Complex(0, 1), '1j'],
  [new Complex(-0, -0.5), '(-0-0.5j)'],
  [new Complex(1, Number.NaN), '(1+nanj)'],
])('%j as text', (value, text) => expect(complexText(value)).toBe(text))
