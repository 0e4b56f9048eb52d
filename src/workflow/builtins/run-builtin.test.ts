import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { writeValue } from '../values/codec.ts'
import { Complex, type Value } from '../values/value.ts'
import { dialectOf } from '../values/value-dialect.ts'
import { BUILTIN_ALIASES, BUILTINS } from './builtin-table.ts'
import { callBuiltin } from './call-builtin.ts'
import { type Builtin, builtin } from './run-builtin.ts'

function find(name: string): Builtin {
  const task = builtin(name)
  if (!task) throw new Error(`no builtin ${name}`)
  return task
}

function run(name: string, inputs: Record<string, Value>, version = '2.1.1'): Record<string, Value> {
  return Object.fromEntries(find(name).run(new Map(Object.entries(inputs)), dialectOf(version)))
}

function call(name: string, inputs: Record<string, string | undefined>, version = '2.1.1') {
  const files = Object.entries(inputs).map(([port, text]): [string, Uint8Array | undefined] => [
    port,
    text === undefined ? undefined : Buffer.from(text),
  ])
  const result = callBuiltin(name, new Map(files), dialectOf(version))
  if ('error' in result) return result
  return Object.fromEntries([...result.outputs].map(([port, bytes]) => [port, Buffer.from(bytes).toString()]))
}

test('all 58 of the newest release, and 8 older names', () => {
  expect(BUILTINS).toHaveLength(58)
  expect(new Set(BUILTINS.map(({ name }) => name)).size).toBe(58)
  expect([...BUILTIN_ALIASES].filter(([alias, name]) => builtin(alias) !== builtin(name) || !builtin(name))).toEqual([])
  expect(BUILTIN_ALIASES.size).toBe(8)
  expect(builtin('toString')).toBeUndefined()
})

describe('values in memory', () => {
  test('are taken and given without bytes', () => {
    expect(run('iadd', { a: 2n ** 70n, b: 1n })).toEqual({ value: 2n ** 70n + 1n })
    expect(run('head', { v: [1n, 'x'] })).toEqual({ head: 1n, rest: ['x'] })
    expect(run('tkr_range', { start: 0n, stop: 3n })).toEqual({ value: [0n, 1n, 2n] })
    expect(run('unfold_values', { value: ['a', 2.5] })).toEqual({ 0: 'a', 1: 2.5 })
    expect(run('fold_values', { values_glob: [1n, Buffer.from('[2]'), Buffer.from('no json')] })).toEqual({
      value: [1n, [2n], Buffer.from('no json')],
    })
  })

  test('inputs stay as they were', () => {
    const list = Object.freeze([1n]) as readonly Value[]
    expect(run('append', { v: list, a: 2n })).toEqual({ value: [1n, 2n] })
    expect(run('tkr_reversed', { values: list })).toEqual({ value: [1n] })
    expect(run('sort_number_list', { values: list })).toEqual({ value: [1n] })
    expect(list).toEqual([1n])
  })

  test('a raw file is read as the port says', () => {
    expect(run('iadd', { a: Buffer.from(' 3 '), b: 4n })).toEqual({ value: 7n })
    expect(run('tkr_decode', { value_bytes: Buffer.from('é') })).toEqual({ value: 'é' })
    expect(run('tkr_decode', { value_bytes: 5n })).toEqual({ value: '5' })
    expect(run('tkr_len', { v: Buffer.from('"\u{1f600}a"') })).toEqual({ value: 2n })
  })

  test('a complex number is what the next reader gets', () => {
    expect(run('tkr_pow', { a: -4n, b: 0.5 })).toEqual({ value: [1.2246467991473532e-16, 2] })
    expect(run('tkr_pow', { a: -4n, b: 0.5 }, '2.0.12')).toEqual({ value: new Complex(1.2246467991473532e-16, 2) })
    expect(run('conjugate', { z: [1n, 2.5] })).toEqual({ value: [1, -2.5] })
    expect(run('conjugate', { z: new Complex(1, 2.5) }, '2.0.12')).toEqual({ value: new Complex(1, -2.5) })
  })

  const leaves = fc.oneof(fc.bigInt(-100n, 100n), fc.double(), fc.boolean(), fc.constant(null), fc.string({ maxLength: 3 }))
  const values: fc.Arbitrary<Value> = fc.oneof(
    leaves,
    fc.array(leaves, { maxLength: 4 }),
    fc.array(fc.array(leaves, { maxLength: 2 }), { maxLength: 3 }),
  )
  const deterministic = BUILTINS.filter(({ name }) => name !== 'rand_int' && name !== 'fold_values')

  test('two nodes in a row give in memory what they give through files', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...deterministic),
        fc.array(values, { minLength: 3, maxLength: 3 }),
        fc.constantFrom(...deterministic),
        (first, inputs, second) => {
          const chain = (link: (task: string, given: Map<string, Value>) => Map<string, Value>): unknown => {
            try {
              const given = new Map(first.inputs.map((port, k) => [port.name, inputs[k] ?? null]))
              const [middle = null] = link(first.name, given).values()
              const last = link(second.name, new Map(second.inputs.map((port) => [port.name, middle])))
              return [...last].map(([port, value]) => [port, Buffer.from(writeValue(value)).toString()])
            } catch (error) {
              return (error as Error).message
            }
          }
          const inMemory = chain((name, given) => find(name).run(given))
          const throughFiles = chain((name, given) => {
            const result = callBuiltin(name, new Map([...given].map(([port, value]) => [port, writeValue(value)])))
            if ('error' in result) throw new Error(result.error)
            return new Map(result.outputs)
          })
          expect(inMemory).toEqual(throughFiles)
        },
      ),
      { numRuns: 3000 },
    )
  })
})

describe('what the captured calls leave out', () => {
  test('fold_values sorts by the number that ends the name', () => {
    expect(call('fold_values', { 'value-10': '"c"', 'value-9': '[1]', 'value-0': 'raw' })).toEqual({
      value: '[\n  {\n    "__tkr_bytes__": true,\n    "bytes": "cmF3"\n  },\n  [\n    1\n  ],\n  "c"\n]',
    })
    expect(call('fold_values', {})).toEqual({ value: '[]' })
    expect(call('fold_values', { 'value-x': '1' })).toEqual({ error: "invalid literal for int() with base 10: 'x'", exitCode: 1 })
  })

  test('rand_int gives every number of its range and none besides', () => {
    const seen = new Set(Array.from({ length: 500 }, () => run('rand_int', { a: -1n, b: 2n })['value']))
    expect(seen).toEqual(new Set([-1n, 0n, 1n, 2n]))
    expect(run('rand_int', { a: 5n, b: 5n })).toEqual({ value: 5n })
    const large = run('rand_int', { a: 2n ** 200n, b: 2n ** 200n + 3n })['value'] as bigint
    expect(large - 2n ** 200n).toBeLessThan(4n)
    expect(call('rand_int', { a: '5', b: '3' })).toEqual({ error: 'empty range in randrange(5, 4)', exitCode: 1 })
    expect(call('rand_int', { a: '5', b: '6.5' })).toEqual({ error: "'float' object cannot be interpreted as an integer", exitCode: 1 })
  })

  test('tkr_sleep says how long and leaves the waiting to its caller', () => {
    const sleep = find('tkr_sleep')
    expect(sleep.delayMs?.(new Map([['delay_seconds', 1.5]]))).toBe(1500)
    expect(run('tkr_sleep', { delay_seconds: 3600n })).toEqual({ value: true })
    expect(callBuiltin('tkr_sleep', new Map([['delay_seconds', Buffer.from('2')]]))).toMatchObject({ delayMs: 2000 })
    expect(call('tkr_sleep', { delay_seconds: '-1' })).toEqual({ error: 'sleep length must be non-negative', exitCode: 1 })
    expect(find('iadd').delayMs).toBeUndefined()
  })

  test('NaN: unequal to itself, but lists of it are equal, as all NaN of JSON are one object; powers of 1', () => {
    expect(call('eq', { a: 'NaN', b: 'NaN' })).toEqual({ value: 'false' })
    expect(call('eq', { a: '[NaN]', b: '[NaN]' })).toEqual({ value: 'true' })
    expect(call('lt', { a: '[NaN, 1]', b: '[NaN, 2]' })).toEqual({ value: 'true' })
    expect(call('tkr_pow', { a: '1.0', b: 'NaN' })).toEqual({ value: '1.0' })
    expect(call('tkr_pow', { a: '-1.0', b: 'Infinity' })).toEqual({ value: '1.0' })
  })

  test('unzip of null', () => {
    expect(call('unzip', { value: 'null' })).toEqual({ error: 'zip() argument after * must be an iterable, not NoneType', exitCode: 1 })
  })

  test('absent and unknown ports, unknown names', () => {
    expect(call('tkr_range', { start: '0', stop: '2', step: undefined })).toEqual({ value: '[\n  0,\n  1\n]' })
    expect(call('iadd', { a: '1', b: undefined })).toEqual({ error: 'Input b not found.', exitCode: 1 })
    expect(call('iadd', { a: '1' })).toEqual({ error: "iadd() missing 1 required positional argument: 'b'", exitCode: 1 })
    expect(call('tkr_and', {})).toEqual({ error: "tkr_and() missing 2 required keyword-only arguments: 'a' and 'b'", exitCode: 1 })
    expect(call('iadd', { a: '1', b: '2', c: '3' })).toEqual({ error: "'c'", exitCode: 1 })
    expect(call('nothing', {})).toEqual({ error: 'builtins: function name\nnothing not found', exitCode: 1 })
  })

  test('the oldest release: other names, one line of JSON, exit code 0 after a failure', () => {
    expect(call('tuple_impl', { a: '1', b: '[2]' }, '2.0.9')).toEqual({ value: '[1, [2]]' })
    expect(call('tkr_decode', { bytes: 'abc' }, '2.0.9')).toEqual({ value: '"abc"' })
    expect(call('head', { v: '[]' }, '2.0.9')).toEqual({ error: 'list index out of range', exitCode: 0 })
  })

  test('results that would fill the memory are refused at once', () => {
    expect(call('ipow', { a: '10', b: '1000000000000' })).toMatchObject({
      error: expect.stringContaining('Exceeds the limit (4300 digits)'),
    })
    expect(call('itimes', { a: '"ab"', b: '1000000000000' })).toMatchObject({ error: expect.stringContaining('is too large') })
    expect(call('tkr_range', { start: '0', stop: '1000000000000' })).toMatchObject({ error: expect.stringContaining('is too large') })
    expect(call('mod', { a: '"%9999999999d"', b: '1' })).toMatchObject({ error: expect.stringContaining('is too large') })
  })

  test('the digits of an int have an end, exactly where Python ends', () => {
    expect(call('iadd', { a: '9'.repeat(4300), b: '0' })).toEqual({ value: '9'.repeat(4300) })
    expect(call('iadd', { a: '9'.repeat(4300), b: '1' })).toMatchObject({ exitCode: 1 })
    expect(call('ipow', { a: '10', b: '4299' })).toEqual({ value: `1${'0'.repeat(4299)}` })
    expect(call('ipow', { a: '10', b: '4300' })).toMatchObject({ exitCode: 1 })
    expect(call('ipow', { a: '-1', b: '99999999999' })).toEqual({ value: '-1' })
  })
})
