import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileIdl } from '../../src/workers/stubs/idl-compiler.ts'
import { parseIdl } from '../../src/workers/stubs/idl-parser.ts'
import { compilePythonStubs } from '../../src/workers/stubs/python-compiler.ts'
import { parsePythonStubs } from '../../src/workers/stubs/python-parser.ts'
import { typescriptTemplate } from '../../src/workers/templates/typescript-template.ts'
import { SDK } from '../workers/sdk-fixture.ts'

// A worker written with the SDK, called by real Tierkreis's controller through its executors. DROVER_TIERKREIS_ENV names the
// environment, as test/engines/tierkreis-env.sh makes it; DROVER_TIERKREIS_209_ENV one with 2.0.9.

const script = fileURLToPath(new URL('./tierkreis-sdk.py', import.meta.url))
const envScript = fileURLToPath(new URL('./tierkreis-env.sh', import.meta.url))
const environments = {
  '2.1.1': process.env['DROVER_TIERKREIS_ENV'] ?? '/var/tmp/tkr-2.1.1',
  '2.0.9': process.env['DROVER_TIERKREIS_209_ENV'] ?? '/var/tmp/tkr-2.0.9',
}

const WORKER = `import { each, float, int, list, optional, string, worker } from '${SDK}'
await worker('lab')
  .task('split', { inputs: { text: string }, outputs: { head: string, tail: list(string) } }, ({ text }) => {
    const [head = '', ...tail] = text.split(' ')
    return { head, tail }
  })
  .task('shout', { inputs: { text: string }, outputs: string }, ({ text }, { log }) => { log('shouting'); return text.toUpperCase() })
  .task('square', { inputs: { n: int }, outputs: int }, ({ n }) => n * n)
  .task('scale', { inputs: { x: float, by: optional(float, 2) }, outputs: float }, ({ x, by }) => x * by)
  .task('count_up', { inputs: { to: int }, outputs: each(int) }, function* ({ to }) { for (let k = 1; k <= to; k++) yield k })
  .task('refuse', { inputs: {}, outputs: int }, () => { throw new Error('the lab is closed') })
  .app()
`
/** What lets UvExecutor start the worker: uv finds Python, Python becomes node. */
const MAIN_PY = `import os, sys
os.execvp("node", ["node", os.path.join(os.path.dirname(os.path.abspath(__file__)), "main.ts"), *sys.argv[1:]])
`
const PROJECT = '[project]\nname = "lab"\nversion = "0.1.0"\nrequires-python = ">=3.12"\ndependencies = []\n'

let base: string
beforeAll(() => {
  for (const [version, directory] of Object.entries(environments)) {
    if (!existsSync(join(directory, 'bin/python'))) execFileSync(envScript, [directory, version], { stdio: 'inherit' })
  }
  base = mkdtempSync(join(tmpdir(), 'drover-tkr-sdk-'))
  const folder = join(base, 'workers/lab')
  mkdirSync(folder, { recursive: true })
  mkdirSync(join(base, 'bin'))
  const launcher = typescriptTemplate('lab', '0.1.0').find(({ path }) => path === 'main.sh')
  writeFileSync(join(folder, 'main.sh'), launcher?.content ?? '', { mode: 0o755 })
  writeFileSync(join(folder, 'main.ts'), WORKER)
  writeFileSync(join(folder, 'main.py'), MAIN_PY)
  writeFileSync(join(folder, 'pyproject.toml'), PROJECT)
  symlinkSync(join(folder, 'main.sh'), join(base, 'bin/tkr-lab'))
  execFileSync(join(folder, 'main.sh'), ['--stubs-path', join(base, 'stubs.py')])
}, 600_000)
afterAll(() => rmSync(base, { recursive: true, force: true }))

interface Outcome {
  readonly done: boolean
  readonly outputs: Readonly<Record<string, string>>
  readonly stubbed?: Readonly<Record<string, string>>
  readonly failed: { readonly done: boolean; readonly error: boolean; readonly node_done: boolean; readonly texts: readonly string[] }
}

function run(version: keyof typeof environments, way: 'shell' | 'path' | 'uv'): Outcome {
  const python = join(environments[version], 'bin/python')
  const root = join(base, `${version}-${way}`)
  mkdirSync(root)
  const path = [join(base, 'bin'), join(environments[version], 'bin'), process.env['PATH']].join(':')
  const env = { ...process.env, PATH: path, UV_PYTHON: python, UV_PYTHON_DOWNLOADS: 'never' }
  const args = [script, root, join(base, 'workers'), way, ...(version === '2.1.1' ? [join(base, 'stubs.py')] : [])]
  const { status, stdout, stderr } = spawnSync(python, args, { env, encoding: 'utf8', timeout: 280_000 })
  expect(status, stderr + stdout).toBe(0)
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
}

describe('a TypeScript worker under real Tierkreis', { timeout: 300_000 }, () => {
  test.each([
    ['2.1.1', 'shell'],
    ['2.1.1', 'path'],
    ['2.1.1', 'uv'],
    ['2.0.9', 'shell'],
    ['2.0.9', 'uv'],
  ] as const)('%s, %s', (version, way) => {
    const { done, outputs, stubbed, failed } = run(version, way)
    expect(done).toBe(true)
    const values = Object.fromEntries(Object.entries(outputs).map(([port, text]) => [port, JSON.parse(text)]))
    expect(values).toEqual({ head: 'AB', tail: ['cd', 'ef'], squares: [1, 4, 9, 16], doubled: 2.5 })
    if (version === '2.1.1') expect(stubbed).toEqual({ value: '"XY"' })
    expect(failed).toMatchObject({ done: false, error: true, node_done: false })
    expect(failed.texts.join('\n')).toContain('the lab is closed')
    const log = readFileSync(join(base, `${version}-${way}`, '00000000-0000-0000-0000-000000000001/logs'), 'utf8')
    expect(log).toContain('shouting')
  })
})

describe('stubs beside those of real Tierkreis', () => {
  const namespaceStubs = (spec: string): string => {
    writeFileSync(join(base, 'spec.tsp'), spec)
    const program =
      'import sys; from pathlib import Path; from tierkreis.namespace import Namespace; sys.stdout.write(Namespace.from_spec_file(Path(sys.argv[1])).stubs())'
    return execFileSync(join(environments['2.1.1'], 'bin/python'), ['-c', program, join(base, 'spec.tsp')], { encoding: 'utf8' })
  }

  test('from the interface that a TypeScript worker writes', () => {
    const spec = `model Point<T1> { x: integer; tag: T1; }
@portmapping model MoveOutputs<T1> { moved: Point<T1>; text: string; z: complex; }
interface shop { move<T1, T2>(p: Point<T1>, by: integer, note: T2): MoveOutputs<T1>; none(): null; many(a: Array<Record<bytes>>): bool; }`
    const written = compileIdl(parseIdl(spec, 'spec.tsp'))
    expect(compilePythonStubs(parseIdl(written, 'spec.tsp'))).toBe(namespaceStubs(written))
  })

  test('of the Python worker in docs/workers.md', () => {
    const page = readFileSync(new URL('../../docs/workers.md', import.meta.url), 'utf8')
    const main = join(base, 'stats.py')
    writeFileSync(main, page.match(/^```python\n([\s\S]*?)^```$/m)?.[1] ?? '')
    const env = { PATH: join(base, 'bin') }
    execFileSync(join(environments['2.1.1'], 'bin/python'), [main, '--stubs-path', join(base, 'stats_stubs.py')], { env, stdio: 'pipe' })
    const stubs = readFileSync(join(base, 'stats_stubs.py'), 'utf8')
    const described = parsePythonStubs(stubs, 'stats_stubs.py')
    expect(compilePythonStubs(described)).toBe(stubs)
    expect(described.tasks.map(({ name, inputs }) => [name, inputs.map((port) => [port.name, port.isOptional])])).toEqual([
      [
        'summary',
        [
          ['values', false],
          ['scale', true],
        ],
      ],
    ])
  })

  test('from the recorded interface', () => {
    const spec = readFileSync(new URL('../fixtures/tierkreis/2.1.1/stubs/measure.tsp', import.meta.url), 'utf8')
    expect(compilePythonStubs(parseIdl(spec, 'measure.tsp'))).toBe(namespaceStubs(spec))
  })
})
