import { execFile } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DroverError } from '../errors.ts'
import type { Transport } from '../transports/transport.ts'
import type { CheckLine } from './check-line.ts'
import { type PreflightHost, type PreflightOptions, preflight } from './preflight.ts'

let base = ''
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'drover-preflight-'))
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

/** A host of its own home on this machine; `tools` stand before those of the machine, `only` are all there are. */
function host(
  name: string,
  part: { home?: string; tools?: Record<string, string>; only?: readonly string[]; gpus?: number | number[]; cpus?: number } = {},
): PreflightHost {
  const [home, bin] = [join(base, part.home ?? name), join(base, `bin-${name}`)]
  for (const directory of [home, bin]) mkdirSync(directory, { recursive: true })
  for (const [tool, script] of Object.entries(part.tools ?? {})) {
    writeFileSync(join(bin, tool), `#!/bin/sh\n${script}\n`)
    chmodSync(join(bin, tool), 0o755)
  }
  for (const tool of part.only ?? []) {
    const found = (process.env['PATH'] ?? '')
      .split(delimiter)
      .map((directory) => join(directory, tool))
      .find((path) => existsSync(path))
    if (found !== undefined) symlinkSync(found, join(bin, tool))
  }
  const path = part.only === undefined ? `${bin}:${process.env['PATH']}` : bin
  const run: Transport['run'] = async (script) => {
    const { stdout, stderr } = await promisify(execFile)('/bin/sh', ['-c', script], { env: { HOME: home, PATH: path, SHELL: '/bin/fish' } })
    return { code: 0, stdout: `Welcome!\n${stdout}`.replace(/^Welcome!\n(?=\d+\n$)/, ''), stderr }
  }
  const { gpus, cpus } = part
  return { name, transport: { run } as Transport, ...(gpus === undefined ? {} : { gpus }), ...(cpus === undefined ? {} : { cpus }) }
}

function broken(name: string, message: string, hint: string): PreflightHost {
  const run = async (): Promise<never> => {
    throw new DroverError('transport_failed', message, { level: 'transport', hint })
  }
  return { name, transport: { run } as unknown as Transport }
}

const check = (hosts: readonly PreflightHost[], part: Partial<PreflightOptions> = {}): Promise<readonly CheckLine[]> =>
  preflight(hosts, { target: 'lab', root: '~/.drover', signal: new AbortController().signal, now: Date.now, ...part })
const of = (lines: readonly CheckLine[], name: string): CheckLine | undefined => lines.find((line) => line.check === name)
const NVIDIA = 'echo "0, NVIDIA A100, 81920"; echo "1, NVIDIA A100, 81920"'

test('a host that is well: every line says what was found', async () => {
  const lines = await check([host('gpu1', { tools: { 'nvidia-smi': NVIDIA }, gpus: 2 })])
  expect(lines.map((line) => line.check)).toEqual(
    ['reach', 'host key', 'authenticate', 'clock', 'root', 'disk', 'shell', 'process groups', 'tools', 'cpus', 'gpus'].map(
      (word) => `gpu1: ${word}`,
    ),
  )
  expect(lines.filter((line) => !line.ok)).toEqual([])
  expect(of(lines, 'gpu1: clock')?.detail).toBe('as here')
  expect(of(lines, 'gpu1: root')?.detail).toBe(join(base, 'gpu1/.drover'))
  expect(of(lines, 'gpu1: shell')?.detail).toContain('login shell /bin/fish')
  expect(of(lines, 'gpu1: gpus')?.detail).toBe('0: NVIDIA A100, 1: NVIDIA A100; 2 of 2 for jobs')
  expect(readdirSync(join(base, 'gpu1/.drover'))).toEqual([])
})

describe('one thing is wrong', () => {
  test.each<[name: string, part: Parameters<typeof host>[1], line: string, expected: Partial<CheckLine>]>([
    [
      'a clock that is far off',
      { tools: { date: 'echo 1000000000' } },
      'clock',
      { ok: false, detail: expect.stringMatching(/s behind this machine/) },
    ],
    [
      'a clock that is a little off',
      { tools: { date: 'echo $(($(/bin/date +%s) + 20))' } },
      'clock',
      { ok: true, warning: true, detail: expect.stringMatching(/^(19|20|21) s ahead of/) },
    ],
    ['no date', { tools: { date: 'exit 0' } }, 'clock', { ok: false, detail: expect.stringContaining('unknown') }],
    [
      'a full disk',
      { tools: { df: 'echo H; echo "/dev/x 100 99 1 99% /"' } },
      'disk',
      { ok: false, fix: 'free some space, or set another root' },
    ],
    [
      'little room',
      { tools: { df: 'echo H; echo "/dev/x 9 9 1048576 99% /"' } },
      'disk',
      { ok: true, warning: true, detail: expect.stringContaining('1.0 GiB free') },
    ],
    [
      'GPUs that are not there',
      { tools: { 'nvidia-smi': NVIDIA }, gpus: 4 },
      'gpus',
      { ok: false, fix: expect.stringContaining('Set gpus to 2') },
    ],
    [
      'a device that is not there',
      { tools: { 'nvidia-smi': NVIDIA }, gpus: [0, 7] },
      'gpus',
      { ok: false, detail: expect.stringContaining('no device 7') },
    ],
    [
      'more cores than there are',
      { cpus: 100_000 },
      'cpus',
      { ok: true, warning: true, detail: expect.stringContaining('jobs share cores') },
    ],
  ])('%s', async (_name, part, line, expected) => {
    const lines = await check([host('gpu1', part)])
    expect(of(lines, `gpu1: ${line}`)).toMatchObject(expected)
    expect(lines.filter((one) => !one.ok).map((one) => one.check)).toEqual(expected.ok ? [] : [`gpu1: ${line}`])
  })

  const BARE = ['sh', 'uname', 'id', 'getconf', 'nproc', 'date', 'mkdir', 'dirname', 'df', 'tail', 'rm']
  test('missing tools are named with what they are for', async () => {
    const bare = await check([host('gpu1', { only: BARE, gpus: 1 })])
    expect(of(bare, 'gpu1: tools')).toMatchObject({ ok: false, detail: expect.stringContaining('neither tar nor rsync') })
    expect(of(bare, 'gpu1: process groups')).toMatchObject({ ok: false, fix: expect.stringContaining('setsid') })
    expect(of(bare, 'gpu1: gpus')).toMatchObject({ ok: false, detail: expect.stringContaining('there is no nvidia-smi') })
    const more = await check([host('gpu2', { only: [...BARE, 'tar', 'setsid'] })])
    expect(of(more, 'gpu2: tools')).toEqual({
      check: 'gpu2: tools',
      ok: true,
      warning: true,
      detail: 'tar; without rsync whole bundles are sent by tar; without python3 torchrun and optuna cannot run',
      fix: null,
    })
  })

  test('a root that cannot be written says why', async () => {
    writeFileSync(join(base, 'gpu1'), '')
    const lines = await check([host('gpu2', { home: 'gpu2' })], { root: `${base}/gpu1/x` })
    expect(of(lines, 'gpu2: root')).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/gpu1\/x cannot be written: .*Not a directory/),
    })
  })
})

describe('a host that does not answer', () => {
  test.each([
    ['ssh gpu1: cannot connect: its name is not known', ['reach']],
    ['ssh gpu1: cannot connect: its host key is not known', ['reach', 'host key']],
    ['ssh gpu1: cannot connect: it wants a password or a one-time password', ['reach', 'host key', 'authenticate']],
    ['ssh gpu1: cannot connect: it accepts none of the keys offered for this user', ['reach', 'host key', 'authenticate']],
  ])('%s', async (message, steps) => {
    const lines = await check([broken('gpu1', message, 'Do this.'), host('gpu2')])
    expect(lines.filter((line) => line.check.startsWith('gpu1')).map((line) => line.check)).toEqual(steps.map((step) => `gpu1: ${step}`))
    expect(of(lines, `gpu1: ${steps.at(-1)}`)).toEqual({ check: `gpu1: ${steps.at(-1)}`, ok: false, detail: message, fix: 'Do this.' })
    expect(of(lines, 'gpu2: reach')?.ok).toBe(true)
    expect(of(lines, 'shared home')).toMatchObject({ warning: true, detail: expect.stringContaining('unknown') })
  })
})

describe('shared home', () => {
  test.each<[string, homes: string[], configured: boolean | undefined, expected: Partial<CheckLine>]>([
    ['found out: true', ['x', 'x', 'x'], undefined, { ok: true, detail: 'true: all nodes see one ~/.drover' }],
    ['found out: false', ['x', 'y', 'z'], undefined, { ok: true, detail: 'false: each node has its own ~/.drover' }],
    ['as configured', ['x', 'x'], true, { ok: true, detail: 'true: all nodes see one ~/.drover' }],
    ['said to be, and is not', ['x', 'y'], true, { ok: false, fix: 'drover target edit lab --no-shared-home' }],
    ['is, and is said not to be', ['x', 'x'], false, { ok: true, warning: true, detail: expect.stringContaining('--shared-home') }],
    ['only some, said to be', ['x', 'x', 'y'], true, { ok: false, detail: expect.stringContaining('only some nodes') }],
    ['only some', ['x', 'x', 'y'], undefined, { ok: true, warning: true, detail: expect.stringContaining('only some nodes') }],
  ])('%s', async (_name, homes, configured, expected) => {
    const lines = await check(
      homes.map((home, index) => host(`n${index}`, { home })),
      configured === undefined ? {} : { sharedHome: configured },
    )
    const line = of(lines, 'shared home')
    expect(line).toMatchObject(expected)
    if (expected.warning === undefined) expect(line?.warning).toBeUndefined()
    for (const home of new Set(homes)) expect(readdirSync(join(base, home, '.drover'))).toEqual([])
  })
})
