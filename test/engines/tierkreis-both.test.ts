import { execFileSync, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LocalHome } from '../conformance/local-home.ts'
import { runDrover } from '../conformance/run-drover.ts'
import { writeWorkers } from './tierkreis-both-workers.ts'

// One graph of the real Python builder, one folder of workers, two controllers: real Tierkreis's, then `drover workflow run`.
// The outputs are the same, byte for byte. DROVER_TIERKREIS_ENV names the environment of 2.1.1, as test/engines/tierkreis-env.sh
// makes it; those of older releases are made beside it.

const script = fileURLToPath(new URL('./tierkreis-both.py', import.meta.url))
const envScript = fileURLToPath(new URL('./tierkreis-env.sh', import.meta.url))

interface Outcome {
  readonly workflow: string
  readonly done: boolean
  readonly failed: readonly string[]
  readonly raised: string | null
}

let base: string
beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'drover-tkr-both-'))
})
afterAll(() => rmSync(base, { recursive: true, force: true }))

function environmentOf(version: string): string {
  const given = version === '2.1.1' ? process.env['DROVER_TIERKREIS_ENV'] : undefined
  return execFileSync(envScript, [given ?? `/var/tmp/tkr-${version}`, version], { encoding: 'utf8' }).trim()
}

/** Workers of a released source distribution, unchanged. */
function releasedWorkers(python: string, version: string): string {
  const into = join(base, 'released')
  mkdirSync(into, { recursive: true })
  const options = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--no-binary', ':all:', `tierkreis==${version}`, '--dest', into]
  execFileSync(python, options, { stdio: 'pipe' })
  execFileSync('tar', ['xzf', join(into, `tierkreis-${version}.tar.gz`), '-C', into])
  return join(into, `tierkreis-${version}`, 'tests/workers')
}

describe.each([
  [
    '2.1.1',
    [
      'several_ports',
      'raw_bytes',
      'text_and_numbers',
      'optional_inputs',
      'named_tuples',
      'mapped',
      'looped',
      'chosen',
      'refused',
      'complex_numbers',
      'with_typescript',
      'typed',
    ],
  ],
  ['2.0.12', ['several_ports', 'complex_numbers', 'mapped', 'refused', 'released']],
  ['2.0.9', ['several_ports', 'raw_bytes', 'text_and_numbers', 'optional_inputs', 'named_tuples', 'mapped', 'looped', 'chosen', 'refused']],
])('graphs and workers of %s', (version, names) => {
  let home: LocalHome
  let directory: string
  let registries: readonly string[]
  let outcomes: Readonly<Record<string, Outcome>>
  beforeAll(() => {
    const environment = environmentOf(version)
    const python = join(environment, 'bin/python')
    directory = join(base, version)
    mkdirSync(join(directory, 'graphs'), { recursive: true })
    mkdirSync(join(directory, 'checkpoints'))
    writeWorkers(join(directory, 'workers'), version)
    registries = [join(directory, 'workers'), ...(version === '2.0.12' ? [releasedWorkers(python, version)] : [])]
    // What uv and pip look for in the user's own directory stays there.
    const env = {
      ...(process.env as Record<string, string>),
      PATH: `${join(environment, 'bin')}:${process.env['PATH']}`,
      UV_PYTHON: python,
      UV_PYTHON_DOWNLOADS: 'never',
      UV_CACHE_DIR: join(base, 'uv-cache'),
    }
    home = new LocalHome({}, { ...env, HOME: process.env['HOME'] ?? '/root' })
    execFileSync(python, [join(directory, 'workers/calc/main.py'), '--stubs-path', join(directory, 'graphs/calc_stubs.py')], { env })
    const args = [script, join(directory, 'checkpoints'), join(directory, 'graphs'), ...registries]
    const { status, stdout, stderr } = spawnSync(python, args, { env, encoding: 'utf8', timeout: 500_000, maxBuffer: 1 << 26 })
    expect(status, stderr + stdout).toBe(0)
    outcomes = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
  }, 600_000)
  afterAll(async () => await home?.close())

  test('the builder made the graphs that are compared', () => {
    expect(Object.keys(outcomes).sort()).toEqual([...names].sort())
  })

  describe.each(['warm', 'cold'])('%s', (way) => {
    test.each(names)(
      '%s',
      async (name) => {
        const theirs = outcomes[name] as Outcome
        const inputs = readdirSync(join(directory, 'graphs')).filter((file) => file.startsWith(`${name}.in-`))
        const id = randomUUID()
        const run = ['workflow', 'run', join(directory, 'graphs', `${name}.json`), '--id', id, '-o', 'json']
        run.push(...inputs.flatMap((file) => ['-i', `${file.slice(name.length + 4)}:${join(directory, 'graphs', file)}`]))
        if (way === 'warm') run.push(...registries.flatMap((registry) => ['--registry', registry]))
        else {
          const document = join(directory, 'executors.yaml')
          writeFileSync(document, coldExecutors(registries))
          run.push('--executors', document, '--layout', 'tierkreis', '--checkpoints', join(directory, 'ours'))
        }
        const { code, stdout, stderr } = await runDrover(home.environment, run, { cwd: directory, timeoutMs: 250_000 })
        const end = JSON.parse(stdout || 'null')
        if (name === 'refused') {
          expect({ code, state: end.state }).toEqual({ code: 1, state: 'failed' })
          expect(theirs).toMatchObject({ done: false, failed: end.failed.map(({ node }: { node: string }) => node) })
          expect(end.failed).toMatchObject([{ name: 'calc.refuse', message: expect.stringContaining('no 8, said calc') }])
          return
        }
        // An input left out is worth a word, no more.
        const said = stderr.replaceAll(/^warning: .*\n/gm, '')
        expect({ code, state: end?.state, stderr: said }).toEqual({ code: 0, state: 'succeeded', stderr: '' })
        expect(theirs).toMatchObject({ done: true, failed: [] })
        const outputs = join(directory, 'checkpoints', theirs.workflow, '-/outputs')
        expect(Object.keys(end.outputs).sort()).toEqual(readdirSync(outputs).sort())
        const exported = join(directory, 'ours')
        if (way === 'warm') await runDrover(home.environment, ['workflow', 'export', id, exported], { cwd: directory })
        for (const port of readdirSync(outputs)) {
          const expected = readFileSync(join(outputs, port))
          expect(readFileSync(join(exported, id, '-/outputs', port)).equals(expected), `${port}: ${expected.toString()}`).toBe(true)
        }
        expect(existsSync(join(exported, id, '-/_done'))).toBe(true)
      },
      300_000,
    )
  })
})

function coldExecutors(registries: readonly string[]): string {
  const document = {
    executors: { python: { kind: 'uv', registry: registries, warm: false }, shell: { kind: 'shell', registry: registries } },
    default: 'python',
    assignments: { lab: 'shell' },
  }
  return JSON.stringify(document)
}
