import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DroverError } from '../errors.ts'
import { resolveHome } from './drover-home.ts'
import { loadTargets } from './load-targets.ts'
import { cacheSite, parseProbe, readCachedSite } from './site-facts.ts'
import { targetKey } from './target.ts'

let at = ''
beforeEach(() => {
  at = mkdtempSync(join(tmpdir(), 'drover-targets-'))
})
afterEach(() => rmSync(at, { recursive: true, force: true }))

const put = (path: string, text: string): void => {
  mkdirSync(dirname(join(at, path)), { recursive: true })
  writeFileSync(join(at, path), text)
}
const load = () =>
  loadTargets({
    home: '/h',
    clientDirectory: join(at, 'project/deep'),
    environment: { HOME: at, XDG_CONFIG_HOME: join(at, 'xdg'), DROVER_SITE_CONFIG: join(at, 'site.yaml') },
    kinds: {
      local: {
        optionNames: ['cpus', 'memory', 'gpus'],
        refuseOption: (name, value) => (name === 'memory' && value === 'lots' ? 'a size' : undefined),
      },
      ssh: { optionNames: ['hosts'] },
    },
  })

describe('loadTargets', () => {
  test('local exists without any file', () => {
    expect(load()).toEqual({
      targets: { local: { name: 'local', kind: 'local', root: '/h', options: {}, limits: {} } },
      sources: {},
      limits: {},
      files: [],
      warnings: [],
    })
  })

  test('site, user and project add up; the site limits', () => {
    put(
      'site.yaml',
      'limits: {queries_per_minute: 4, memory: 8GB, unused_bundles: 2d}\ntargets: {lab: {kind: ssh, root: /scratch, prologue: module load x}}',
    )
    put('xdg/drover/config.yaml', 'version: 1\nlimits: {queries_per_minute: 99, cpus: 2}\ntargets: {lab: {kind: ssh, hosts: [a]}}')
    put('project/drover.yaml', 'targets:\n  local: {cpus: 3}\n')
    const { targets, limits, warnings, files } = load()
    expect(targets.lab).toEqual({
      name: 'lab',
      kind: 'ssh',
      root: '/scratch',
      prologue: 'module load x',
      options: { hosts: ['a'] },
      limits,
    })
    expect(targets.local).toMatchObject({ root: '/h', options: { cpus: 3 } })
    expect(limits).toEqual({ queries_per_minute: 4, memory: 8 * 1024 ** 3, cpus: 2, unused_bundles: 2 * 86_400_000 })
    expect(warnings).toHaveLength(1)
    expect(files).toHaveLength(3)
  })

  test('without a client no project file is read', () => {
    put('project/drover.yaml', 'targets: {lab: {kind: ssh}}')
    const { targets, files } = loadTargets({ home: '/h', environment: { HOME: at, DROVER_SITE_CONFIG: '/nowhere' }, kinds: {} })
    expect([Object.keys(targets), files]).toEqual([['local'], []])
  })

  // Only root can give a file away.
  test.skipIf(process.getuid?.() !== 0)("another user's file where anyone may write is passed over, elsewhere it counts", () => {
    put('project/drover.yaml', 'targets: {lab: {kind: ssh}}')
    chownSync(join(at, 'project/drover.yaml'), 65_534, 65_534)
    expect(Object.keys(load().targets)).toEqual(['local', 'lab'])
    chmodSync(join(at, 'project'), 0o1777)
    expect(load()).toMatchObject({ files: [], warnings: [expect.stringMatching(/project\/drover\.yaml is not read: .*65534/)] })
    expect(Object.keys(load().targets)).toEqual(['local'])
  })

  test('a definition has one key however it is written, and another one for each difference', () => {
    const target = { name: 'lab', kind: 'ssh', root: '/r', options: { hosts: ['a', 'b'], port: 1 }, limits: {} }
    const key = targetKey(target)
    expect(key).toMatch(/^[0-9a-f]{16}$/)
    expect(targetKey({ limits: {}, options: { port: 1, hosts: ['a', 'b'] }, root: '/r', kind: 'ssh', name: 'lab' })).toBe(key)
    const others = [
      { name: 'x' },
      { kind: 'x' },
      { root: '/x' },
      { prologue: 'x' },
      { limits: { cpus: 1 } },
      { options: { hosts: ['b', 'a'], port: 1 } },
    ]
    expect(new Set(others.map((other) => targetKey({ ...target, ...other })).concat(key)).size).toBe(others.length + 1)
  })

  test.each([
    ['unknown key', 'target: {}', 1, 1, /"targets"/],
    ['unknown option', 'targets:\n  local:\n    cpu: 1', 3, 5, /"cpus"/],
    ['value of an option', 'targets:\n  local:\n    memory: lots', 3, 13, /memory must be a size, and is "lots"/],
    ['unknown kind', 'targets:\n  x: {kind: shs}', 2, 13, /"ssh"/],
    ['no kind', 'targets:\n  x: {}', 2, 3, /One of/],
    ['local of another kind', 'targets: {local: {kind: ssh}}', 1, 25, /another name/],
    ['relative root', 'targets: {local: {root: x}}', 1, 25, /absolute/],
    ['bad name', 'targets: {"a/b": {kind: ssh}}', 1, 11, /letters/],
    ['prototype name as kind', 'targets: {x: {kind: constructor}}', 1, 21, /Known/],
    ['bad limit', 'limits: {cpus: many}', 1, 16, /number/],
    ['bundles kept for no time', 'limits: {unused_bundles: 10m}', 1, 26, /1h or more/],
    ['future version', 'version: 2', 1, 10, /newer/],
    ['not YAML', 'targets: {', 1, 11, /YAML/],
    ['a list', '- x', 1, 1, /mapping/],
  ])('%s is refused with its place', (_name, text, line, column, says) => {
    put('project/drover.yaml', text)
    try {
      load()
    } catch (error) {
      if (!(error instanceof DroverError)) throw error
      expect(error.code).toBe('invalid_config')
      expect(error.details.location).toEqual({ file: join(at, 'project/drover.yaml'), line, column })
      expect(error.display).toMatch(says)
      return
    }
    throw new Error('not refused')
  })
})

describe('resolveHome', () => {
  test('a short home holds the socket; 0700', () => {
    const { home, socketPath } = resolveHome({ DROVER_HOME: join(at, 'h') })
    expect([home, socketPath]).toEqual([join(at, 'h'), join(at, 'h/supervisor.sock')])
    expect(statSync(home).mode & 0o777).toBe(0o700)
  })

  test('a long home has a short socket, always the same, another per home', () => {
    const socket = (name: string): string => resolveHome({ DROVER_HOME: join(at, name.repeat(120)), XDG_RUNTIME_DIR: at }).socketPath
    expect(Buffer.byteLength(socket('ü'))).toBeLessThanOrEqual(100)
    expect(socket('a')).toBe(socket('a'))
    expect(socket('a')).not.toBe(socket('b'))
    expect(dirname(socket('a'))).toBe(at)
  })
})

describe('site facts', () => {
  const probe = (lines: string): string => `banner\ndrover-probe begin\nhost n1\nboot b-1\nuser u\nroot /r\n${lines}\n\ndrover-probe end\n`

  test('the smallest limit counts; "max" is none', () => {
    const facts = parseProbe(
      probe(
        'cpus 64\nquota max 100000\nquota 250000 100000\nmemory 1000\nmemory max\nmemory 500\nmemory 9223372036854771712\ntool setsid /usr/bin/setsid\ntool env alias x\ngpu 0, NVIDIA H100, 80 GB, 81559',
      ),
      7,
    )
    expect(facts).toMatchObject({
      cpus: 3,
      memoryBytes: 500,
      processGroups: 'setsid',
      tools: { setsid: '/usr/bin/setsid' },
      readAt: 7,
      root: '/r',
    })
    expect(facts.gpus).toEqual([{ index: 0, name: 'NVIDIA H100, 80 GB', memoryBytes: 81559 * 1024 ** 2 }])
  })

  test('what was cut off at any place is refused, never half read', () => {
    const whole = probe('cpus 2\nmemory 5')
    for (let length = 0; length < whole.length - 1; length++) expect(() => parseProbe(whole.slice(0, length), 0)).toThrow(DroverError)
    expect(parseProbe(whole, 0).cpus).toBe(2)
  })

  test('cached with age; a torn cache is none', () => {
    const facts = parseProbe(probe('cpus 2\nmemory 5'), 100)
    expect(readCachedSite(at, 'lab', 150)).toBeUndefined()
    cacheSite(at, 'lab', facts)
    expect(readCachedSite(at, 'lab', 150)).toEqual({ facts, ageMs: 50 })
    put('sites/lab.json', '{"readAt": 1')
    expect(readCachedSite(at, 'lab', 150)).toBeUndefined()
  })
})
