import { describe, expect, test } from 'vitest'
import { InputError } from '../../errors.ts'
import { callArgsOf, outputPath, readCallArgs, writeCallArgs } from './call-args.ts'

/** Of 2.1.1, as the Python controller wrote it. */
const REAL =
  '{"function_name":"itimes","inputs":{"a":"W/-.N3.N0/outputs/doubler_input","b":"W/-.N3.N2/outputs/value"},"outputs":{"value":"W/-.N3.N3/outputs/value"},"output_dir":"W/-.N3.N3/outputs","done_path":"W/-.N3.N3/_done","error_path":"W/-.N3.N3/logs","logs_path":"W/logs"}'

const PLAIN = JSON.parse(REAL)

describe('reading', () => {
  const readable = {
    'as 2.1.1 writes it': PLAIN,
    'as 2.0.9 writes it': { ...PLAIN, error_path: 'W/-.N3.N3/_error' },
    'logs path null': { ...PLAIN, logs_path: null },
    'an errors path beside the error path': { ...PLAIN, errors_path: 'W/-.N3.N3/_errors' },
    'absolute paths, no output directory': {
      ...PLAIN,
      inputs: { a: '/tmp/x/a' },
      outputs: { value: '/tmp/x/value' },
      output_dir: '',
      done_path: '/tmp/throw/away',
      error_path: '/tmp/throw/away2',
      logs_path: null,
    },
    'unknown keys': { ...PLAIN, resources: { gpus: 2 }, version: 7 },
    'hostile port names': { ...PLAIN, inputs: { __proto__x: 'a', constructor: 'b', 'ä b': 'c' } },
  }
  test.each(Object.entries(readable))('%s', (_, document) => {
    expect(readCallArgs(JSON.stringify(document))).toEqual(document)
    expect(readCallArgs(Buffer.from(JSON.stringify(document, null, 2)))).toEqual(document)
  })

  test('a missing logs path is null', () => {
    const { logs_path: _, ...rest } = PLAIN
    expect(readCallArgs(JSON.stringify(rest)).logs_path).toBeNull()
  })

  const refused: Record<string, [unknown, RegExp]> = {
    'no function name': [{ ...PLAIN, function_name: undefined }, /"function_name" is missing/],
    'an empty function name': [{ ...PLAIN, function_name: '' }, /"function_name" is empty/],
    'inputs as a list': [{ ...PLAIN, inputs: [] }, /"inputs" is a list/],
    'a path that is a number': [{ ...PLAIN, outputs: { value: 3 } }, /"outputs\.value" is number 3, a path was expected/],
    'no done path': [{ ...PLAIN, done_path: null }, /"done_path" is null/],
    'no error path': [{ ...PLAIN, error_path: {} }, /"error_path" is an object/],
    'logs path a number': [{ ...PLAIN, logs_path: 4 }, /"logs_path" is number 4/],
    'errors path a list': [{ ...PLAIN, errors_path: [] }, /"errors_path" is a list/],
    'a list': [[], /the document is a list/],
    null: [null, /the document is null/],
  }
  test.each(Object.entries(refused))('%s is refused with the key named', (_, [document, message]) => {
    expect(() => readCallArgs(JSON.stringify(document))).toThrow(message)
    expect(() => readCallArgs(JSON.stringify(document))).toThrow(InputError)
  })

  test('a truncated file is refused, wherever it ends', () => {
    for (let k = 0; k < REAL.length; k++) {
      expect(() => readCallArgs(REAL.slice(0, k), 'W/-.N3.N3/definition')).toThrow(/W\/-\.N3\.N3\/definition: (the file is empty|not JSON)/)
    }
  })
})

describe('writing', () => {
  test('is byte for byte what 2.1.1 writes', () => {
    expect(writeCallArgs(readCallArgs(REAL))).toBe(REAL)
  })

  test('the arguments of a node', () => {
    const inputs = new Map([
      ['a', outputPath('W/-.N3.N0', 'doubler_input')],
      ['b', outputPath('W/-.N3.N2', 'value')],
    ])
    const args = callArgsOf({ runId: 'W', directory: 'W/-.N3.N3', task: 'itimes', inputs, outputs: ['value'] })
    expect(writeCallArgs(args)).toBe(REAL)
  })

  test('unknown keys follow the known ones', () => {
    const args = readCallArgs(JSON.stringify({ extra: 1, ...PLAIN, errors_path: 'E' }))
    expect(writeCallArgs(args)).toBe(`${REAL.slice(0, -1)},"extra":1,"errors_path":"E"}`)
  })
})
