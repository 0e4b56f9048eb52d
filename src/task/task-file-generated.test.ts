import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DroverError } from '../errors.ts'
import { parseTaskFile } from './task-file.ts'
import { context } from './task-file-harness.ts'

describe('whatever the text, only errors of Drover', () => {
  const words = [
    'run',
    'name',
    'resources',
    'envs',
    'secrets',
    'array',
    'after',
    'any_of',
    'file_mounts',
    'retries',
    '<<',
    '&a',
    '*a',
    '!!int',
    '!!set',
    'H100:1',
  ]
  const pieces = fc.oneof(
    fc.constantFrom(
      ...words,
      ': ',
      '\n',
      '\n  ',
      '- ',
      '{',
      '}',
      '[',
      ']',
      ',',
      '"',
      "'",
      '|\n',
      '>',
      '---\n',
      '%YAML 1.2\n',
      '\t',
      '? ',
      '#',
      '~',
      '$X',
      '4GB',
      '1e400',
      '-1',
    ),
    fc.string(),
    fc.string({ unit: 'binary' }),
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(pieces, { maxLength: 40 }).map((parts) => parts.join('')),
  )

  test('text', () => {
    fc.assert(fc.property(text, onlyDroverErrors), { numRuns: 3000 })
  })

  test('bytes', () => {
    fc.assert(fc.property(fc.uint8Array(), onlyDroverErrors))
  })

  test('well-formed data with wrong meaning', () => {
    const keys = fc.constantFrom(
      ...words.slice(0, 10),
      'count',
      'range',
      'matrix',
      'when',
      'max',
      'accelerators',
      'cpus',
      'autostop',
      '__proto__',
      'constructor',
    )
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.oneof(fc.string(), fc.double(), fc.integer(), fc.boolean(), fc.constant(null)),
        tie('list'),
        tie('map'),
      ),
      list: fc.array(tie('tree'), { maxLength: 3 }),
      map: fc.dictionary(keys, tie('tree'), { maxKeys: 5 }),
    }))
    fc.assert(
      fc.property(fc.dictionary(keys, tree, { maxKeys: 6 }), (value) => onlyDroverErrors(JSON.stringify({ run: 'x', ...value }))),
      { numRuns: 2000 },
    )
  })

  function onlyDroverErrors(input: string | Uint8Array): void {
    try {
      parseTaskFile(input, 'task.yaml', context())
    } catch (error) {
      if (!(error instanceof DroverError)) throw error
      expect(error.level).toBe('input')
    }
  }
})
