import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { type IgnoreFile, parseIgnoreFile, toBytes } from './ignore-rules.ts'
import { runGit } from './run-git.ts'

/** The rules that hold in one directory of a walk. */
export interface IgnoreSources {
  /** .gitignore files from the top of the work tree down, or the .skyignore that stands in their place. */
  readonly git: readonly IgnoreFile[]
  /** .droverignore files; they have the last word. */
  readonly own: readonly IgnoreFile[]
  /** Paths that git tracks although a rule names them, with their directories. */
  readonly tracked: ReadonlySet<string>
  /** The same with the files of a directory (relative to the root) added. */
  within(directory: string): IgnoreSources
}

/** Nothing is left out. */
export const NO_IGNORE_FILES: IgnoreSources = { git: [], own: [], tracked: new Set(), within: () => NO_IGNORE_FILES }

/**
 * The rules for a directory that is packaged. A `.skyignore` in it replaces .gitignore, as in SkyPilot. Else, inside a git
 * work tree, the .gitignore files above it and `info/exclude` count too; a user's global ignore file doesn't, so that what
 * is sent is the same whoever sends it.
 */
export async function findIgnoreFiles(root: string): Promise<IgnoreSources> {
  const sky = readIfThere(join(root, '.skyignore'))
  const top = sky === undefined ? findWorkTree(root) : undefined
  const first: IgnoreSources = {
    git: sky === undefined ? (top === undefined ? [] : ignoreFilesAbove(root, top)) : [{ directory: '', rules: parseIgnoreFile(sky) }],
    own: [],
    tracked: top === undefined ? new Set() : await trackedAndIgnored(root),
    within: (directory) => within(first, directory),
  }
  const within = (above: IgnoreSources, directory: string): IgnoreSources => {
    const read = (name: string): readonly IgnoreFile[] => {
      const text = readIfThere(join(root, directory, name))
      return text === undefined ? [] : [{ directory, rules: parseIgnoreFile(text) }]
    }
    const here: IgnoreSources = {
      git: sky === undefined ? [...above.git, ...read('.gitignore')] : above.git,
      own: [...above.own, ...read('.droverignore')],
      tracked: above.tracked,
      within: (below) => within(here, below),
    }
    return here
  }
  return first
}

function findWorkTree(root: string): string | undefined {
  for (let top = root; ; top = dirname(top)) {
    if (existsSync(join(top, '.git'))) return top
    if (dirname(top) === top) return undefined
  }
}

/** Only git can read its index. Without it, or where it refuses the repository, the rules alone decide. */
async function trackedAndIgnored(root: string): Promise<ReadonlySet<string>> {
  const asked = await runGit(['ls-files', '-z', '--cached', '--ignored', '--exclude-standard'], root).catch(() => undefined)
  const paths = new Set<string>()
  if (asked === undefined || asked.failure !== undefined) return paths
  for (const path of asked.stdout.split('\0').filter(Boolean)) for (let at = path; at !== '.'; at = dirname(at)) paths.add(at)
  return paths
}

/** Rules of the work tree around `root`: tested against paths of `root`, so each pattern sees the path from its own directory. */
function ignoreFilesAbove(root: string, top: string): readonly IgnoreFile[] {
  const found: IgnoreFile[] = []
  const add = (path: string, directory: string): void => {
    const text = readIfThere(path)
    if (text === undefined) return
    const prefix = toBytes(relative(directory, root).split(sep).join('/'))
    const rules = parseIgnoreFile(text).map((rule) => (prefix === '' ? rule : { ...rule, pattern: behindPrefix(rule.pattern, prefix) }))
    found.push({ directory: '', rules })
  }
  add(join(commonDirectory(top), 'info', 'exclude'), top)
  const chain: string[] = []
  for (let at = root; at !== top; at = dirname(at)) chain.unshift(dirname(at))
  for (const directory of chain) add(join(directory, '.gitignore'), directory)
  return found
}

/** Where `info/exclude` lies: `.git`, or what the file of that name in a linked work tree or submodule leads to. */
function commonDirectory(top: string): string {
  const dot = join(top, '.git')
  if (statSync(dot).isDirectory()) return dot
  const pointed = /^gitdir: (.+)$/m.exec(readIfThere(dot) ?? '')?.[1]
  if (pointed === undefined) return dot
  const directory = resolve(top, pointed)
  const common = readIfThere(join(directory, 'commondir'))?.trim()
  return common === undefined ? directory : resolve(directory, common)
}

/** A pattern that tests `prefix/path` when asked about `path`. */
function behindPrefix(pattern: RegExp, prefix: string): RegExp {
  return Object.assign(new RegExp(pattern.source, pattern.flags), { test: (path: string) => pattern.test(`${prefix}/${path}`) })
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    // A directory may be called .gitignore.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return undefined
    throw error
  }
}
