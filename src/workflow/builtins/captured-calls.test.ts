import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { dialectOf } from '../values/value-dialect.ts'
import { callBuiltin } from './call-builtin.ts'
import { builtin } from './run-builtin.ts'

interface CapturedCalls {
  readonly builtins: readonly string[]
  readonly rows: readonly {
    readonly fn: string
    readonly inputs: Record<string, string>
    readonly outputs?: Record<string, string>
    readonly error?: string
  }[]
}

describe.each(['2.1.1', '2.0.12'])('calls of the builtins worker of Tierkreis %s', (version) => {
  const path = new URL(`../../../test/fixtures/tierkreis/${version}/builtins.json`, import.meta.url)
  const captured = JSON.parse(readFileSync(path, 'utf8')) as CapturedCalls
  const byName = Map.groupBy(captured.rows, (row) => row.fn)

  test('every builtin of that release exists', () => {
    expect(captured.builtins.filter((name) => builtin(name) === undefined)).toEqual([])
  })

  test.each([...byName.keys()])('%s: the same bytes and the same errors', (name) => {
    const differences = []
    for (const row of byName.get(name) ?? []) {
      const inputs = new Map(Object.entries(row.inputs).map(([port, text]) => [port, Buffer.from(text)]))
      const result = callBuiltin(name, inputs, dialectOf(version))
      const seen =
        'error' in result
          ? { fn: name, inputs: row.inputs, error: result.error }
          : {
              fn: name,
              inputs: row.inputs,
              outputs: Object.fromEntries([...result.outputs].map(([port, bytes]) => [port, Buffer.from(bytes).toString()])),
            }
      if (JSON.stringify(seen) !== JSON.stringify(row)) differences.push({ expected: row, seen })
    }
    expect(differences).toEqual([])
  })
})

interface GeneratedCalls {
  readonly rows: readonly {
    readonly fn: string
    readonly inputs: Record<string, string>
    readonly outputs?: Record<string, string>
    readonly error?: string
  }[]
}

/** Generated inputs (broken JSON, other encodings, wrong kinds, extreme numbers) and what the real worker made of them; bytes as base64. */
describe.each(['2.1.1', '2.0.12'])('generated calls, answered by the builtins worker of Tierkreis %s', (version) => {
  const path = new URL(`../../../test/fixtures/tierkreis/${version}/builtins-generated.json.gz`, import.meta.url)
  const captured = JSON.parse(gunzipSync(readFileSync(path)).toString()) as GeneratedCalls
  const byName = Map.groupBy(captured.rows, (row) => row.fn)

  test.each([...byName.keys()])('%s: the same bytes and the same errors', (name) => {
    const differences = []
    for (const row of byName.get(name) ?? []) {
      const inputs = new Map(Object.entries(row.inputs).map(([port, text]) => [port, Buffer.from(text, 'base64')]))
      const result = callBuiltin(name, inputs, dialectOf(version))
      const seen =
        'error' in result
          ? { fn: name, inputs: row.inputs, error: result.error }
          : {
              fn: name,
              inputs: row.inputs,
              outputs: Object.fromEntries([...result.outputs].map(([port, bytes]) => [port, Buffer.from(bytes).toString('base64')])),
            }
      if (JSON.stringify(seen) !== JSON.stringify(row)) differences.push({ expected: row, seen })
    }
    expect(differences).toEqual([])
  })
})
