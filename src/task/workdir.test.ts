import { describe, expect, test } from 'vitest'
import { refused, task } from './task-file-harness.ts'

const archive = { kind: 'git_archive', path: '/base/code', submodules: true, uncommitted: 'refuse', untracked: 'ignore', include: [] }

describe('forms of workdir', () => {
  test.each<[string, object | undefined]>([
    ['code', { kind: 'directory', path: '/base/code' }],
    ['{directory: code}', { kind: 'directory', path: '/base/code', keepGit: false, ignoreFiles: true }],
    [
      '{directory: code, keep_git: true, ignore_files: false}',
      { kind: 'directory', path: '/base/code', keepGit: true, ignoreFiles: false },
    ],
    ['{git: code}', archive],
    [
      '{git: code, ref: v1, subpath: ./src/, submodules: false, uncommitted: include, untracked: Refuse}',
      { ...archive, ref: 'v1', subpath: 'src', submodules: false, uncommitted: 'include', untracked: 'refuse' },
    ],
    ['{git: code, include: gen/**}', { ...archive, include: [{ patterns: ['gen/**'] }] }],
    [
      '{git: code, include: [a, {patterns: b, root: .}, c]}',
      { ...archive, include: [{ patterns: ['a', 'c'] }, { patterns: ['b'], root: '/base' }] },
    ],
    ["{patterns: ['*.py', conf/**], root: code}", { kind: 'patterns', patterns: ['*.py', 'conf/**'], root: '/base/code' }],
    ["{patterns: '*.py'}", { kind: 'patterns', patterns: ['*.py'], root: '/base' }],
    ['{url: git@h:r, ref: x}', { kind: 'git', url: 'git@h:r', ref: 'x' }],
    [
      '{parts: {app: {git: code}, ./data/: code}, at_root: true}',
      {
        kind: 'parts',
        atRoot: true,
        parts: [
          { folder: 'app', source: archive },
          { folder: 'data', source: { kind: 'directory', path: '/base/code' } },
        ],
      },
    ],
    ['{link: /data/../x}', { kind: 'link', path: '/x' }],
    ['{link: ~/x}', { kind: 'link', path: '~/x' }],
    ['{none: true}', undefined],
  ])('%s', (text, expected) => {
    expect(task(`run: x\nworkdir: ${text}`).workdir).toEqual(expected)
  })

  test.each([
    ['{gti: code}', '2:11', 'unknown key "gti"', 'Did you mean "git"?'],
    ['{git: code, subpth: x}', '2:22', 'unknown key "subpth"', 'Did you mean "subpath"?'],
    ['{git: code, url: https://h/r}', '2:27', 'git and url exclude each other', 'Keep one'],
    ['{link: /x, ref: main}', '2:21', '"ref" does not go with link', 'Nothing stands beside it'],
    ['{patterns: a, subpath: b}', '2:24', '"subpath" does not go with patterns', 'Beside it: root'],
    ['{git: code, uncommitted: maybe}', '2:35', '"maybe" is not allowed', 'refuse, include, ignore'],
    ['{git: code, subpath: ../x}', '2:31', 'leaves the repository', 'top of the repository'],
    ['{git: nowhere}', '2:16', 'workdir.git: "/base/nowhere" does not exist', 'relative to the task file'],
    ['{link: x}', '2:17', 'workdir.link: "x" is not absolute', '~/path'],
    ['{parts: {}}', '2:18', 'workdir.parts: has no part', undefined],
    ['{parts: {../x: code}}', '2:19', '"../x" is no folder', 'libs/app'],
    ['{parts: {a: {link: /x}}}', '2:23', 'unknown key "link"', undefined],
    ['{parts: {a: {git: code, patterns: x}}}', '2:44', 'git and patterns exclude each other', 'Keep one'],
    ['{none: false}', '2:10', 'is false', 'leave workdir out'],
    ['{patterns: []}', '2:21', 'at least 1', undefined],
  ])('%s is refused', (text, place, message, hint) => {
    const error = refused(`run: x\nworkdir: ${text}`)
    expect(error.message).toContain(message)
    if (hint !== undefined) expect(error.details.hint).toContain(hint)
    const at = error.details.location
    expect(`${at?.line}:${at?.column}`).toBe(place)
  })
})

describe('the content of a mounted file', () => {
  test('stands as it was written', () => {
    const { fileMounts } = task("run: x\nenvs: {A: b}\nfile_mounts: {conf/$A.json: {text: 'a $A'}}")
    expect(fileMounts).toEqual([{ destination: 'conf/b.json', source: { kind: 'text', text: 'a $A' } }])
  })
  test('a destination called text is one like others', () => {
    const { fileMounts } = task('run: x\nenvs: {A: b}\nfile_mounts: {text: s3://$A}')
    expect(fileMounts).toEqual([{ destination: 'text', source: { kind: 'uri', uri: 's3://b' } }])
  })
  test('stands alone', () => {
    expect(refused('run: x\nfile_mounts: {a: {text: b, mode: COPY}}').message).toContain('"mode" does not go with text')
  })
})
