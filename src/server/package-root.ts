import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where this package lies on disk and which version it is. */
export interface PackageFacts {
  /** Directory that holds package.json and bin/. */
  readonly root: string
  /** Path of bin/drover.js, which a detached supervisor is started with. */
  readonly entry: string
  readonly version: string
}

let found: PackageFacts | undefined

/** Finds the package from this file upwards: sources, the bundle and its chunks lie at different depths. */
export function packageFacts(): PackageFacts {
  if (found) return found
  let root = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(root, 'bin', 'drover.js')) && dirname(root) !== root) root = dirname(root)
  const manifest: unknown = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const version = typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : '0.0.0'
  found = { root, entry: join(root, 'bin', 'drover.js'), version }
  return found
}

/** Order of two release versions by their three numbers: negative when `a` is older. Pre-release marks are ignored. */
export function compareVersions(a: string, b: string): number {
  const numbers = (version: string): readonly number[] =>
    version
      .split(/[.+-]/)
      .slice(0, 3)
      .map((part) => Number.parseInt(part, 10) || 0)
  const [left, right] = [numbers(a), numbers(b)]
  for (let index = 0; index < 3; index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
