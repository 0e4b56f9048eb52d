import { describe, expect, test } from 'vitest'
import type { FileMountSpec } from '../task/task-spec.ts'
import { compileMountScript } from './mount-script.ts'
import { parseMountUri } from './mount-uri.ts'

const mount = (destination: string, uri: string): FileMountSpec => ({ destination, source: { kind: 'uri', uri } })

describe('uris of file_mounts', () => {
  test.each<[string, object]>([
    ['https://h/data.csv?x=1', { kind: 'download', url: 'https://h/data.csv?x=1' }],
    ['https://h/r.git', { kind: 'git', url: 'https://h/r.git' }],
    ['https://h/r.git#v1', { kind: 'git', url: 'https://h/r.git', ref: 'v1' }],
    ['git+https://h/r#main', { kind: 'git', url: 'https://h/r', ref: 'main' }],
    ['ssh://git@h/r', { kind: 'git', url: 'ssh://git@h/r' }],
    ['s3://b/a/b', { kind: 'bucket', scheme: 's3', remote: 's3,provider=AWS,env_auth=true', path: 'b/a/b' }],
    ['GS://b/', { kind: 'bucket', scheme: 'gs', remote: 'gcs,env_auth=true', path: 'b' }],
    [
      'https://acct.blob.core.windows.net/c/p',
      { kind: 'bucket', scheme: 'azure', remote: 'azureblob,account=acct,env_auth=true', path: 'c/p' },
    ],
    ['cos://region/b', { kind: 'bucket', scheme: 'cos', path: 'region/b' }],
  ])('%s', (uri, expected) => {
    expect(parseMountUri(uri, '/d')).toEqual(expected)
  })

  test.each([
    ['file:///x', /file:\/\/ is not copied/],
    ['https://h/a b', /holds a space/],
    ['s3://', /no uri/],
    ['https://h/r.git#-x', /begins with a dash/],
  ])('%s is refused', (uri, message) => {
    expect(() => parseMountUri(uri, '/d')).toThrow(message)
  })
})

describe('the script that brings mounts', () => {
  test('nothing to bring, no script', () => {
    expect(compileMountScript([{ destination: 'a', source: { kind: 'local', path: '/a' } }])).toBeUndefined()
    expect(
      compileMountScript([{ destination: 'a', source: { kind: 'storage', storage: { source: 's3://b', mode: 'MOUNT' } } }]),
    ).toBeUndefined()
  })

  test('calls: quoted, secrets as variables, the home of the node', () => {
    const script = compileMountScript(
      [
        mount('~/it s', 'https://h/x?t=s3cret&y'),
        mount('data/d', 's3://b/$(x)'),
        mount('/abs', 'git+ssh://h/r#v1'),
        mount('/hf', 'hf://m'),
        { destination: '/c', source: { kind: 'storage', storage: { source: 'gs://b/x', mode: 'copy' } } },
      ],
      { TOKEN: 's3cret', NONE: '' },
    )
    expect(script?.split('\n').filter((line) => /^_d_(?:download|git|bucket) /.test(line))).toEqual([
      `_d_download 'https://h/x?t='"$TOKEN"'&y' "$HOME"'/it s'`,
      `_d_bucket s3 "s3,provider=AWS,env_auth=true" 'b/$(x)' ./data/d`,
      '_d_git ssh://h/r v1 /abs',
      "_d_bucket hf '' m /hf",
      '_d_bucket gs "gcs,env_auth=true" b/x /c',
    ])
    expect(script).not.toContain('s3cret')
  })

  test('a secret in the url of a repository is refused', () => {
    expect(() => compileMountScript([mount('/a', 'https://s3cret@h/r.git')], { TOKEN: 's3cret' })).toThrow(/holds a secret/)
  })

  test('the whole of it', async () => {
    await expect(
      compileMountScript([mount('data', 'https://h/x'), mount('r', 'https://h/r.git'), mount('b', 's3://b')]),
    ).toMatchFileSnapshot('./__snapshots__/mount-script.sh')
  })
})
