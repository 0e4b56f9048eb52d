import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { compileBuiltinTable, isBuiltinPageOutdated } from '../../../scripts/builtin-tables.ts'
import { BUILTINS } from './builtin-table.ts'
import { callBuiltin } from './call-builtin.ts'

const page = readFileSync(new URL('../../../docs/builtins.md', import.meta.url), 'utf8')

test('docs/builtins.md has the table of the code; node scripts/builtin-tables.ts writes it', () => {
  expect(isBuiltinPageOutdated(false)).toBe(false)
  expect(compileBuiltinTable().split('\n')).toHaveLength(2 + BUILTINS.length + 1)
})

const examples = [...page.matchAll(/^\| `(\w+)` of (.+?) \| (?:`(.+)`|the node fails: `(.+)`) \|$/gm)]

test('the page has examples', () => expect(examples).toHaveLength(7))

test.each(examples.map(([, name = '', given = '', output, error]) => ({ name, given, output, error })))(
  '$name of $given, as the page says',
  (example) => {
    const ports = BUILTINS.find(({ name }) => name === example.name)?.inputs ?? []
    const inputs = example.given
      .split(' and ')
      .map((text, k): [string, Uint8Array] => [ports[k]?.name ?? '', Buffer.from(text.replaceAll('`', ''))])
    const result = callBuiltin(example.name, new Map(inputs))
    if ('error' in result) expect(result.error).toBe(example.error)
    else
      expect(
        Buffer.from(result.outputs.get('value') ?? [])
          .toString()
          .replace(/\[\n {2}/, '[')
          .replace(/,\n {2}/, ', ')
          .replace(/\n\]/, ']'),
      ).toBe(example.output)
  },
)
