import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DroverError } from '../errors.ts'
import { editConfigFile, replaceConfigText } from './edit-config.ts'
import { applyTargetEdit, removeTarget, type TargetEdit } from './edit-target.ts'

let at = ''
beforeEach(() => {
  at = mkdtempSync(join(tmpdir(), 'drover-edit-'))
})
afterEach(() => rmSync(at, { recursive: true, force: true }))

const kinds = {
  local: { optionNames: ['cpus'] },
  ssh: {
    optionNames: ['nodes', 'shared_home'],
    refuseOption: (name: string, value: unknown) =>
      name === 'nodes' && Array.isArray(value) && value.length > 0 ? undefined : name === 'nodes' ? 'a list' : undefined,
  },
}
const path = () => join(at, 'drover/config.yaml')
const options = () => ({
  home: '/h',
  environment: { HOME: at, XDG_CONFIG_HOME: at, DROVER_SITE_CONFIG: join(at, 'site.yaml') },
  kinds,
  path: path(),
})
const put = (text: string, file = path()): void => {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text, { mode: 0o640 })
}
const edit = (name: string, change: TargetEdit) => editConfigFile(options(), (document) => applyTargetEdit(document, name, change))
const text = (): string => readFileSync(path(), 'utf8')

/** As somebody keeps it: comments, odd order, both styles. */
const WRITTEN = `# my machines
limits: {cpus: 4}   # enough

targets:
  # the lab's
  lab:
    kind: ssh
    shared_home: false # no NFS
    nodes:
      - gpu1          # the head
      - {host: gpu2, gpus: 4} # loud
    prologue: |
      module load cuda
      export A=1
  other: {kind: local, cpus: 2}
# the end
`

describe('a change leaves the rest as it is written', () => {
  test.each<[name: string, edit: TargetEdit, from: string, to: string]>([
    ['one value', { options: { shared_home: true } }, 'shared_home: false', 'shared_home: true'],
    ['a key of a node', { nodes: [{ host: 'gpu2', gpus: 8 }] }, 'gpus: 4', 'gpus: 8'],
    ['a new key of a node', { nodes: [{ host: 'gpu2', port: 22 }] }, 'gpus: 4}', 'gpus: 4, port: 22}'],
    ['a key of a node leaves', { nodes: [{ host: 'gpu2', gpus: null }] }, '{host: gpu2, gpus: 4}', '{host: gpu2}'],
    ['the root', { root: '/scratch' }, '      export A=1\n', '      export A=1\n    root: /scratch\n'],
    ['a node more', { nodes: [{ host: 'gpu3' }] }, '# loud\n', '# loud\n      - gpu3\n'],
    ['a node more with keys', { nodes: [{ host: 'gpu3', gpus: 1 }] }, '# loud\n', '# loud\n      - {host: gpu3, gpus: 1}\n'],
    ['a node leaves', { removeNodes: ['gpu2'] }, '      - {host: gpu2, gpus: 4} # loud\n', ''],
    ['a key leaves', { unset: ['shared_home'] }, '    shared_home: false # no NFS\n', ''],
    ['nothing at all', { nodes: [{ host: 'gpu1' }] }, '', ''],
  ])('%s', async (_name, change, from, to) => {
    put(WRITTEN)
    await edit('lab', change)
    expect(text()).toBe(WRITTEN.replace(from, to))
    expect(statSync(path()).mode & 0o777).toBe(0o640)
  })

  test('a target leaves', async () => {
    put(WRITTEN)
    const loaded = await editConfigFile(options(), (document) => expect(removeTarget(document, 'other')).toBe(true))
    expect(Object.keys(loaded.targets)).toEqual(['local', 'lab'])
    expect(text()).not.toContain('other')
    expect(text()).toContain('# my machines')
    await editConfigFile(options(), (document) => expect(removeTarget(document, 'other')).toBe(false))
  })
})

test.each([
  ['none', undefined],
  ['an empty one', ''],
  ['one of comments', '# mine\n'],
  ['one with an empty list', 'targets:\n'],
])('a file is made of %s', async (_name, before) => {
  if (before !== undefined) put(before)
  const loaded = await edit('lab', {
    kind: 'ssh',
    nodes: [{ host: 'gpu1' }, { host: 'gpu2', user: 'ada', gpus: [0, 2] }],
    options: { shared_home: true },
  })
  expect(loaded.targets['lab']).toMatchObject({
    kind: 'ssh',
    options: { nodes: ['gpu1', { host: 'gpu2', user: 'ada', gpus: [0, 2] }], shared_home: true },
  })
  expect(text()).toContain(
    '  lab:\n    kind: ssh\n    shared_home: true\n    nodes:\n      - gpu1\n      - {host: gpu2, user: ada, gpus: [0, 2]}\n',
  )
  if (before === '# mine\n') expect(text()).toContain('# mine')
  if (before === undefined) expect(statSync(path()).mode & 0o777).toBe(0o600)
  expect(readdirSync(dirname(path()))).toEqual(['config.yaml'])
})

describe('nothing is written', () => {
  const refusedWith = async (work: Promise<unknown>, code: string, says: RegExp): Promise<DroverError> => {
    const error: unknown = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(DroverError)
    expect(error).toMatchObject({ code, message: expect.stringMatching(says) })
    expect(text()).toBe(WRITTEN)
    expect(readdirSync(dirname(path()))).toEqual(['config.yaml'])
    return error as DroverError
  }
  test('when the parser refuses the change', async () => {
    put(WRITTEN)
    const error = await refusedWith(edit('lab', { options: { shared_hom: true } }), 'invalid_argument', /"shared_hom" is not known/)
    expect(error.details.location).toBeUndefined()
    await refusedWith(edit('lab', { options: { nodes: 'gpu1' } }), 'invalid_argument', /nodes must be a list/)
    await refusedWith(edit('a/b', { kind: 'ssh' }), 'invalid_argument', /not usable/)
    await refusedWith(edit('lab', { removeNodes: ['gpu9'] }), 'invalid_argument', /no node "gpu9"/)
    await refusedWith(edit('lab', { unset: ['root'] }), 'invalid_argument', /has no root/)
  })
  test("when the site's rules refuse it", async () => {
    put(WRITTEN)
    put('limits: {roots: [/scratch, ~/.drover], options: {ssh: [nodes, shared_home]}}\n', join(at, 'site.yaml'))
    await refusedWith(edit('lab', { root: '/tmp/x' }), 'invalid_argument', /root \/tmp\/x is outside .*site\.yaml/)
    await refusedWith(edit('lab', { root: '/scratch/../etc' }), 'invalid_argument', /outside/)
    await refusedWith(edit('lab', { root: '/scratchy' }), 'invalid_argument', /outside/)
    put('limits: {options: {ssh: [nodes]}}\n', join(at, 'site.yaml'))
    const error = await refusedWith(
      edit('other', { options: { cpus: 3 } }),
      'invalid_config',
      /shared_home may not be set here, says .*site\.yaml/,
    )
    expect(error.details.location).toEqual({ file: path(), line: 8, column: 5 })
  })
  test('over another change that is being made', async () => {
    put(WRITTEN)
    writeFileSync(`${path()}.lock`, '')
    const waiting = edit('lab', { root: '/scratch' })
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(text()).toBe(WRITTEN)
    rmSync(`${path()}.lock`)
    await waiting
    expect(text()).toContain('root: /scratch')
  })
})

test('a file that is wrong is named with its place, and left alone', async () => {
  put('targets: {lab: {kind: nope}}\n')
  await expect(edit('x', { kind: 'ssh', nodes: [{ host: 'a' }] })).rejects.toMatchObject({
    code: 'invalid_config',
    details: { location: { file: path(), line: 1, column: 23 } },
  })
  expect(text()).toBe('targets: {lab: {kind: nope}}\n')
})

test('changes at one moment are all made', async () => {
  await Promise.all(Array.from({ length: 12 }, (_, index) => edit(`t${index}`, { kind: 'ssh', nodes: [{ host: `h${index}` }] })))
  for (let index = 0; index < 12; index++) expect(text()).toContain(`t${index}:`)
})

test('a link is followed, not replaced', async () => {
  put(WRITTEN, join(at, 'dotfiles/config.yaml'))
  mkdirSync(dirname(path()))
  symlinkSync(join(at, 'dotfiles/config.yaml'), path())
  await edit('lab', { root: '/scratch' })
  expect(lstatSync(path()).isSymbolicLink()).toBe(true)
  expect(readFileSync(join(at, 'dotfiles/config.yaml'), 'utf8')).toContain('root: /scratch')
})

test('nodes of another file are carried over with the change', async () => {
  const inherited = ['gpu1', { host: 'gpu2', gpus: 4 }]
  await editConfigFile(options(), (document) =>
    applyTargetEdit(document, 'lab', { kind: 'ssh', nodes: [{ host: 'gpu2', gpus: 8 }] }, inherited),
  )
  expect(text()).toContain('- gpu1\n      - {host: gpu2, gpus: 8}\n')
})

test('an edited text replaces only what it was made from', async () => {
  put(WRITTEN)
  await expect(replaceConfigText(options(), 'older', 'version: 1\n')).rejects.toMatchObject({ code: 'conflict' })
  await expect(replaceConfigText(options(), WRITTEN, 'targets: {a: {}}\n')).rejects.toMatchObject({ code: 'invalid_config' })
  expect(text()).toBe(WRITTEN)
  await replaceConfigText(options(), WRITTEN, 'version: 1\n')
  expect(text()).toBe('version: 1\n')
  expect(existsSync(`${path()}.lock`)).toBe(false)
})
