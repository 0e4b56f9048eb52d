import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { executorKinds } from '../../src/workers/defaults/executor-kinds.ts'
import { parseExecutors } from '../../src/workers/multiple/parse-executors.ts'
import * as sdk from '../../src/workers/sdk/index.ts'
import { parseIdl } from '../../src/workers/stubs/idl-parser.ts'
import { compileTypeScriptStubs } from '../../src/workers/stubs/typescript-compiler.ts'

const page = readFileSync(new URL('../../docs/workers.md', import.meta.url), 'utf8')
const block = (language: string): string => page.match(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'm'))?.[1] ?? ''

test('the document of executors is one', () => {
  const kinds = executorKinds({ drover: () => Promise.reject(new Error('nobody calls')) })
  const set = parseExecutors(block('yaml'), 'workers.md', '/', kinds)
  expect([...set.executors.keys()]).toEqual(['uv', 'scripts', 'cluster'])
  expect(set.assign('qsim', 'run')).toBe('cluster')
  expect(set.assign('qsim', 'run', '-.N4.N1')).toBe('uv')
})

test('the stubs shown are those that are written', () => {
  const interfaceText = page.match(/loud\.tsp <<'END'\n([\s\S]*?)END/)?.[1] ?? ''
  expect(compileTypeScriptStubs(parseIdl(interfaceText, 'loud.tsp'))).toContain(block('ts'))
})

test('the table of types names every one that the library has', () => {
  const types = Object.entries(sdk).filter(([name]) => /^[a-z]/.test(name) && name !== 'worker')
  expect(types.length).toBeGreaterThan(15)
  const table = page.slice(page.indexOf('| type | in the task |'), page.indexOf('The second argument of a task'))
  expect(types.map(([name]) => name).filter((name) => !new RegExp(`\`${name}[(\`]`).test(table))).toEqual([])
})

test('the tables of executors name every kind and every key', () => {
  const kinds = executorKinds({ drover: () => Promise.reject(new Error('nobody calls')) })
  const part = page.slice(page.indexOf('## Executors'), page.indexOf('**uv.**'))
  expect(Object.keys(kinds).filter((kind) => !part.includes(`| \`${kind}\` |`))).toEqual([])
  // A cell of the first column, then those of the second.
  const rows = [...part.matchAll(/^\| ([^|]*) \| ([^|]*) \|[^|]*\|$/gm)].map(([, keys = '', of = '']) => ({ keys, of }))
  const covered = (kind: string, of: string): boolean => (of.startsWith('all') ? !of.includes(`\`${kind}\``) : of.includes(`\`${kind}\``))
  const missing = Object.entries(kinds).flatMap(([kind, { keys }]) =>
    Object.keys(keys)
      .filter((key) => !rows.some((row) => row.keys.includes(`\`${key}\``) && covered(kind, row.of)))
      .map((key) => `${kind}.${key}`),
  )
  expect(missing).toEqual([])
})
