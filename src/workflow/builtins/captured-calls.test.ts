import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { dialectOf } from '../values/value-dialect.ts'
import { callBuiltin } from './call-builtin.ts'
import { builtin } from './run-builtin.ts'

interface CapturedCall {
  readonly fn: string
  readonly inputs: Record<string, string>
  readonly outputs?: Record<string, string>
  readonly error?: string
}

const fixture = (version: string, name: string): URL => new URL(`../../../test/fixtures/tierkreis/${version}/${name}`, import.meta.url)

/** Calls that end otherwise here than they did there; `encoding` is how the rows hold bytes. */
function differences(calls: readonly CapturedCall[], version: string, encoding: 'utf8' | 'base64'): readonly object[] {
  return calls.flatMap((expected) => {
    const { fn, inputs } = expected
    const given = new Map(Object.entries(inputs).map(([port, text]) => [port, Buffer.from(text, encoding)]))
    const result = callBuiltin(fn, given, dialectOf(version))
    const seen =
      'error' in result
        ? { fn, inputs, error: result.error }
        : {
            fn,
            inputs,
            outputs: Object.fromEntries([...result.outputs].map(([port, bytes]) => [port, Buffer.from(bytes).toString(encoding)])),
          }
    return JSON.stringify(seen) === JSON.stringify(expected) ? [] : [{ expected, seen }]
  })
}

describe.each(['2.1.1', '2.0.12'])('calls of the builtins worker of Tierkreis %s', (version) => {
  const captured = JSON.parse(readFileSync(fixture(version, 'builtins.json'), 'utf8')) as {
    readonly builtins: readonly string[]
    readonly rows: readonly CapturedCall[]
  }

  test('every builtin of that release exists', () => {
    expect(captured.builtins.filter((name) => builtin(name) === undefined)).toEqual([])
  })

  test.each([...Map.groupBy(captured.rows, ({ fn }) => fn)])('%s: the same bytes and the same errors', (_name, calls) => {
    expect(differences(calls, version, 'utf8')).toEqual([])
  })
})

/** Generated inputs (broken JSON, other encodings, wrong kinds, extreme numbers) and what the real worker made of them; bytes as base64. */
describe.each(['2.1.1', '2.0.12'])('generated calls, answered by the builtins worker of Tierkreis %s', (version) => {
  const generated = JSON.parse(gunzipSync(readFileSync(fixture(version, 'builtins-generated.json.gz'))).toString()) as {
    readonly rows: readonly CapturedCall[]
  }

  test.each([...Map.groupBy(generated.rows, ({ fn }) => fn)])('%s: the same bytes and the same errors', (_name, calls) => {
    expect(differences(calls, version, 'base64')).toEqual([])
  })
})
