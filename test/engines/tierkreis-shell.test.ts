import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LocalHome } from '../conformance/local-home.ts'
import { type CommandOutcome, runDrover } from '../conformance/run-drover.ts'

// Workers that are programs of any language, openssl among them, run by real Tierkreis 2.1.1 and by `drover workflow run`, unchanged.
// DROVER_TIERKREIS_ENV names the environment, as test/engines/tierkreis-env.sh makes it.

const script = fileURLToPath(new URL('./tierkreis-shell.py', import.meta.url))
const cppSource = fileURLToPath(new URL('./tierkreis-cpp-worker.cpp', import.meta.url))
const python = join(process.env['DROVER_TIERKREIS_ENV'] ?? '/var/tmp/tkr-2.1.1', 'bin/python')

/** One script for several tasks. Tierkreis gives \`function_name\` as a path. */
const OPENSSL = `#!/bin/sh
set -eu
case \${function_name##*/} in
  generate)
    openssl genrsa -aes128 -passout "file:$input_passphrase_file" -out "$output_private_key_file" "$(cat "$input_numbits_file")"
    openssl rsa -in "$output_private_key_file" -passin "file:$input_passphrase_file" -pubout -out "$output_public_key_file" ;;
  digest) openssl dgst -sha256 -r < "$input_data_file" | cut -d ' ' -f 1 > "$output_value_file" ;;
  sign)
    openssl dgst -sha256 -sign "$input_private_key_file" -passin "file:$input_passphrase_file" \\
      -out "$output_signature_file" "$input_data_file" ;;
  verify)
    openssl dgst -sha256 -verify "$input_public_key_file" -signature "$input_signature_file" "$input_data_file" \\
      > "$output_value_file" || { cat "$output_value_file" >&2; exit 1; } ;;
  *) echo "no task $function_name" >&2; exit 64 ;;
esac
`
const COUNT = `#!/bin/sh
wc -l < "$input_text_file" | tr -d ' \\n' > "$output_lines_file"
wc -w < "$input_text_file" | tr -d ' \\n' > "$output_words_file"
`
/** Bytes that are no text, and more than fits a pipe. */
const DATA = Buffer.concat([Buffer.from('one two\nthree\n'), Buffer.from(Array.from({ length: 100_000 }, (_, k) => (k * 31) % 256))])

interface Outcome {
  readonly done: boolean
  readonly failed: readonly string[]
  readonly outputs: Readonly<Record<string, string>>
}

let base: string
let home: LocalHome
let theirs: Readonly<Record<string, Outcome>>
const registry = (): string => join(base, 'registry')

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'drover-tkr-shell-'))
  const [bin, graphs] = [join(base, 'bin'), join(base, 'graphs')]
  for (const directory of [bin, graphs, join(registry(), 'openssl_worker')]) mkdirSync(directory, { recursive: true })
  writeFileSync(join(registry(), 'openssl_worker/main.sh'), OPENSSL, { mode: 0o755 })
  writeFileSync(join(bin, 'tkr-count-words'), COUNT, { mode: 0o755 })
  writeFileSync(join(graphs, 'data'), DATA)
  execFileSync('g++', ['-O1', '-o', join(bin, 'tkr-cpp-worker'), cppSource], { stdio: 'pipe' })
  const environment = { PATH: `${bin}:${process.env['PATH']}` }
  home = new LocalHome({}, environment)
  // Both controllers share the user's home, whose default checkpoints directory the compiled worker knows.
  const root = join(home.base, '.tierkreis/checkpoints')
  mkdirSync(root, { recursive: true })
  const env = { ...process.env, ...environment, HOME: home.base }
  const { status, stdout, stderr } = spawnSync(python, [script, root, graphs, registry()], { env, encoding: 'utf8', timeout: 280_000 })
  expect(status, stderr + stdout).toBe(0)
  theirs = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
}, 300_000)
afterAll(async () => {
  await home?.close()
  rmSync(base, { recursive: true, force: true })
})

async function run(name: string, ...args: string[]): Promise<CommandOutcome> {
  const graph = join(base, 'graphs', `${name}.json`)
  const all = ['workflow', 'run', graph, '-i', `data:${join(base, 'graphs/data')}`, '-o', 'json', ...args]
  return await runDrover(home.environment, all, { cwd: base })
}

async function outputOf(id: string, port: string): Promise<string> {
  return (await runDrover(home.environment, ['workflow', 'outputs', id, port], { cwd: base })).stdout
}

function textOf(outcome: Outcome | undefined, port: string): string {
  return Buffer.from(outcome?.outputs[port] ?? '', 'base64').toString()
}

describe('openssl as a shell worker of a registry', () => {
  test.each(['drover', 'tierkreis'])('generates a key, digests, signs and verifies: layout %s', async (layout) => {
    const id = randomUUID()
    const { code, stdout, stderr } = await run('signing', '--registry', registry(), '--layout', layout, '--id', id)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ state: 'succeeded', failed: [] })
    expect(theirs['signing']).toMatchObject({ done: true })
    const digest = `${createHash('sha256').update(DATA).digest('hex')}\n`
    expect([await outputOf(id, 'digest'), await outputOf(id, 'verified')]).toEqual([digest, 'Verified OK\n'])
    expect([textOf(theirs['signing'], 'digest'), textOf(theirs['signing'], 'verified')]).toEqual([digest, 'Verified OK\n'])
    expect(await outputOf(id, 'public_key')).toMatch(/^-----BEGIN PUBLIC KEY-----\n/)
  })

  test('a signature of something else fails the node that verifies it', async () => {
    const { code, stdout } = await run('forged', '--registry', registry())
    expect(code).toBe(1)
    const { state, failed } = JSON.parse(stdout)
    expect(state).toBe('failed')
    expect(failed).toMatchObject([
      { name: 'openssl_worker.verify', cause: 'exit', exit_code: 1, message: expect.stringContaining('erification') },
    ])
    expect(theirs['forged']).toMatchObject({ done: false, failed: failed.map(({ node }: { node: string }) => node) })
  })
})

describe('programs on PATH, tkr-<worker>', () => {
  test.each([
    ['the layout of Tierkreis, whose directory is the default one', ['--layout', 'tierkreis']],
    ["Drover's layout in that directory", ['--checkpoints', 'DEFAULT']],
  ])('a compiled worker that knows only the default directory, and a script: %s', async (_name, flags) => {
    const args = flags.map((flag) => (flag === 'DEFAULT' ? join(home.base, '.tierkreis/checkpoints') : flag))
    const { code, stdout, stderr } = await run('found', ...args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ state: 'succeeded', outputs: { numbers: [2, 40, -6], lines: expect.any(Number) } })
    const { id } = JSON.parse(stdout)
    for (const port of ['numbers', 'lines', 'words']) expect(await outputOf(id, port), port).toBe(textOf(theirs['found'], port))
    expect(textOf(theirs['found'], 'numbers')).toBe('[2,40,-6]')
  })

  test('a worker that nobody has is said before anything is started', async () => {
    const empty = { ...home.environment, PATH: '/usr/bin:/bin' }
    const graph = join(base, 'graphs/found.json')
    const { code, stderr } = await runDrover(empty, ['workflow', 'run', graph, '-i', 'data=1'], { cwd: base })
    expect(code).toBe(125)
    expect(stderr).toMatch(/cpp_worker[\s\S]*count-words/)
  })
})
