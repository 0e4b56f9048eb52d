import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Manifest } from './content-hash.ts'
import { compareManifests } from './manifest-difference.ts'

type Tree = Readonly<Record<string, string>>

/** `{'a': 'f1', 'd': 'd'}`: files with content, directories. */
function manifest(tree: Tree): Manifest {
  const lines = new Map(
    Object.entries(tree).map(([path, what]) => [path, `${what.charAt(0)} ${what === 'd' ? '755' : '644'} ${what} "${path}"`]),
  )
  return { hash: '', text: '', lines }
}

describe('what turns one bundle into another', () => {
  test.each<[string, Tree, Tree, readonly string[], readonly string[]]>([
    ['nothing', { a: 'f1' }, { a: 'f1' }, [], []],
    ['a changed file is removed first', { a: 'f1', b: 'f1' }, { a: 'f2', b: 'f1' }, ['a'], ['a']],
    ['a new file, with the directories above', { d: 'd' }, { d: 'd', 'd/x': 'f1' }, ['d', 'd/x'], []],
    ['a tree that is gone is removed once', { d: 'd', 'd/e': 'd', 'd/e/x': 'f1' }, {}, [], ['d']],
    ['a directory becomes a file', { d: 'd', 'd/x': 'f1' }, { d: 'f1' }, ['d'], ['d']],
    ['a file becomes a directory', { d: 'f1' }, { d: 'd', 'd/x': 'f1' }, ['d', 'd/x'], ['d']],
  ])('%s', (_name, from, to, sent, removed) => {
    const difference = compareManifests(manifest(from), manifest(to))
    expect(difference?.sent).toEqual(sent)
    expect(difference?.removed).toEqual(removed)
  })

  test('where most differs, all is sent', () => {
    const tree = (content: string): Tree => Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`f${at}`, content]))
    expect(compareManifests(manifest(tree('f1')), manifest(tree('f2')))).toBeUndefined()
  })

  test('applied to the one it gives the other', () => {
    const what = fc.constantFrom('f1', 'f2', 'd')
    const tree = fc.dictionary(fc.constantFrom('a', 'b', 'd/x', 'd/y', 'd/e/z'), what).map((chosen) => {
      const full: Record<string, string> = {}
      for (const path of Object.keys(chosen).sort()) {
        const above = path.split('/').slice(0, -1)
        for (let at = 1; at <= above.length; at++) full[above.slice(0, at).join('/')] = 'd'
        full[path] = chosen[path] ?? 'd'
      }
      return full
    })
    fc.assert(
      fc.property(tree, tree, (from, to) => {
        const difference = compareManifests(manifest(from), manifest(to))!
        const result = new Map(Object.entries(from))
        for (const gone of difference.removed)
          for (const path of [...result.keys()]) if (path === gone || path.startsWith(`${gone}/`)) result.delete(path)
        for (const path of difference.sent) {
          // A hard-linked file that were written to would change the earlier bundle as well.
          if (to[path] !== 'd') expect(result.has(path)).toBe(false)
          result.set(path, to[path]!)
        }
        expect(Object.fromEntries(result)).toEqual(to)
      }),
    )
  })
})
