import { posix } from 'node:path'
import { existingSource } from './existing-source.ts'
import { describe, get, type Located, type LocatedMap, nodeText, quote, refusal } from './located.ts'
import { resolvePath } from './paths.ts'
import { dict, either, flag, list, record, type Shape, text, word } from './shape.ts'
import type { TaskContext } from './task-context.ts'
import type { PatternsSpec, WorkdirPartSpec, WorkdirSpec } from './task-spec.ts'

const GIT_URL = /^(?:(?:https?|ssh|git|file):\/\/\S+|[\w.-]+@[\w.-]+:\S+)$/
const line = text({ accept: (node) => node.text !== '' && !node.text.includes('\0'), allowed: 'a string that is not empty' })
const lines = either('a pattern, or a list of patterns', line, list(line, { min: 1 }))
const changes = word('refuse', 'include', 'ignore')

/** Each form by the key that names it, and the keys that may stand beside that one. */
const FORMS: Readonly<Record<string, readonly string[]>> = {
  url: ['ref'],
  git: ['ref', 'subpath', 'submodules', 'uncommitted', 'untracked', 'include'],
  directory: ['keep_git', 'ignore_files'],
  patterns: ['root'],
  parts: ['at_root'],
  link: [],
  none: [],
}
/** Forms of one part of `parts`. */
const PART_FORMS = ['url', 'git', 'directory', 'patterns']

const sourceKeys: Readonly<Record<string, Shape>> = {
  url: line,
  ref: line,
  git: line,
  subpath: line,
  submodules: flag,
  uncommitted: changes,
  untracked: changes,
  include: either(
    'a pattern, {patterns, root}, or a list of them',
    line,
    list(either('a pattern, or {patterns, root}', line, record({ patterns: lines, root: line }, { required: ['patterns'] })), { min: 1 }),
    record({ patterns: lines, root: line }, { required: ['patterns'] }),
  ),
  directory: line,
  keep_git: flag,
  ignore_files: flag,
  patterns: lines,
  root: line,
}

/** The key `workdir`: a path (SkyPilot's), or one of Drover's forms. */
export const workdirShape: Shape = either(
  'a path, or a mapping with one of url, git, directory, patterns, parts, link, none',
  line,
  record({
    ...sourceKeys,
    parts: dict(either('a path, or a mapping with one of url, git, directory, patterns', line, record(sourceKeys))),
    at_root: flag,
    link: line,
    none: flag,
  }),
)

/**
 * Reads a checked, interpolated `workdir`; paths on this machine become absolute and must exist. Undefined: an empty
 * directory (`{none: true}`).
 *
 * @throws InputError `invalid_task` or `missing_file`, with the place
 */
export function readWorkdir(node: Located, context: TaskContext): WorkdirSpec | undefined {
  if (node.kind !== 'map') return { kind: 'directory', path: existingSource(node, 'workdir', context) }
  const form = formOf(node, Object.keys(FORMS), 'workdir')
  if (form === 'none') {
    if (isSet(node, 'none', true)) return undefined
    throw refusal('workdir.none', node.origin, 'is false, and nothing else is given', 'Write none: true, or leave workdir out.')
  }
  if (form === 'link') return { kind: 'link', path: linkedPath(node) }
  if (form === 'parts') return readParts(node, context)
  return readSource(node, form, 'workdir', context)
}

/** The one form that a mapping has. */
function formOf(node: LocatedMap, forms: readonly string[], path: string): string {
  const given = node.entries.map(({ key }) => key).filter((key) => forms.includes(key) && get(node, key) !== undefined)
  const [form, other] = given
  if (form === undefined)
    throw refusal(path, node.origin, 'does not say where the code is', `Give one of: ${forms.filter((key) => key !== 'none').join(', ')}.`)
  if (other !== undefined)
    throw refusal(
      path,
      get(node, other)?.origin ?? node.origin,
      `${form} and ${other} exclude each other`,
      'Keep one; parts joins several.',
    )
  const beside = FORMS[form] ?? []
  for (const { key, keyOrigin, value } of node.entries) {
    if (key === form || beside.includes(key) || (value.kind === 'scalar' && value.type === 'null')) continue
    const allowed = beside.length === 0 ? 'Nothing stands beside it' : `Beside it: ${beside.join(', ')}`
    throw refusal(path, keyOrigin, `${quote(key)} does not go with ${form}`, `${allowed}.`)
  }
  return form
}

function readSource(node: LocatedMap, form: string, path: string, context: TaskContext): WorkdirPartSpec {
  if (form === 'url') {
    const url = get(node, 'url')
    const ref = nodeText(get(node, 'ref'))
    const urlText = nodeText(url) ?? ''
    if (!GIT_URL.test(urlText)) {
      const message = `${describe(url ?? node)} is not a git URL`
      throw refusal(`${path}.url`, url?.origin ?? node.origin, message, 'Allowed: https://…, ssh://…, user@host:path.')
    }
    return { kind: 'git', url: urlText, ...(ref === undefined ? {} : { ref }) }
  }
  if (form === 'patterns') return { kind: 'patterns', ...readPatterns(node, path, context) }
  const at = get(node, form) ?? node
  const source = existingSource(at, `${path}.${form}`, context)
  if (form === 'directory')
    return { kind: 'directory', path: source, keepGit: isSet(node, 'keep_git', false), ignoreFiles: isSet(node, 'ignore_files', true) }
  const ref = nodeText(get(node, 'ref'))
  const subpath = get(node, 'subpath')
  return {
    kind: 'git_archive',
    path: source,
    ...(ref === undefined ? {} : { ref }),
    ...(subpath === undefined ? {} : { subpath: innerPath(subpath, `${path}.subpath`) }),
    submodules: isSet(node, 'submodules', true),
    uncommitted: choice(get(node, 'uncommitted'), 'refuse'),
    untracked: choice(get(node, 'untracked'), 'ignore'),
    include: readIncludes(get(node, 'include'), path, context),
  }
}

function readIncludes(
  node: Located | undefined,
  path: string,
  context: TaskContext,
): readonly { patterns: readonly string[]; root?: string }[] {
  const items = node === undefined ? [] : node.kind === 'list' ? node.items : [node]
  const own = items.flatMap((item) => nodeText(item) ?? [])
  const rooted = items.flatMap((item, index) => {
    if (item.kind !== 'map') return []
    const { patterns, root } = readPatterns(item, `${path}.include[${index}]`, context)
    return [get(item, 'root') === undefined ? { patterns } : { patterns, root }]
  })
  return [...(own.length === 0 ? [] : [{ patterns: own }]), ...rooted]
}

function readPatterns(node: LocatedMap, path: string, context: TaskContext): PatternsSpec {
  const root = get(node, 'root')
  const patterns = get(node, 'patterns')
  return {
    patterns: patterns?.kind === 'list' ? patterns.items.map((item) => nodeText(item) ?? '') : [nodeText(patterns) ?? ''],
    root: root === undefined ? context.baseDirectory : existingSource(root, `${path}.root`, context),
  }
}

function readParts(node: LocatedMap, context: TaskContext): WorkdirSpec {
  const parts = get(node, 'parts')
  if (parts?.kind !== 'map' || parts.entries.length === 0) throw refusal('workdir.parts', (parts ?? node).origin, 'has no part')
  return {
    kind: 'parts',
    atRoot: isSet(node, 'at_root', false),
    parts: parts.entries.map(({ key, shownKey, keyOrigin, value }) => {
      const path = `workdir.parts.${shownKey ?? key}`
      const folder = posix.normalize(key).replace(/\/$/, '')
      if (key === '' || key.startsWith('/') || folder.split('/').includes('..') || key.includes('\0'))
        throw refusal('workdir.parts', keyOrigin, `${quote(shownKey ?? key)} is no folder`, 'Allowed: names and paths as app or libs/app.')
      const source: WorkdirPartSpec =
        value.kind === 'map'
          ? readSource(value, formOf(value, PART_FORMS, path), path, context)
          : { kind: 'directory', path: existingSource(value, path, context) }
      return { folder, source }
    }),
  }
}

/** A link leads to a directory of the target, which nobody here can look up. */
function linkedPath(node: LocatedMap): string {
  const link = get(node, 'link')
  const path = nodeText(link) ?? ''
  if (!path.startsWith('/') && path !== '~' && !path.startsWith('~/'))
    throw refusal(
      'workdir.link',
      link?.origin ?? node.origin,
      `${describe(link ?? node)} is not absolute`,
      'It is a directory on the target: /path, or ~/path below the home there.',
    )
  return path.startsWith('~') ? path : resolvePath(path, '/', '/')
}

/** A path inside a repository. */
function innerPath(node: Located, path: string): string {
  const inner = posix.normalize(nodeText(node) ?? '').replace(/\/$/, '')
  if (inner.startsWith('/') || inner.split('/').includes('..'))
    throw refusal(path, node.origin, `${describe(node)} leaves the repository`, 'It is relative to the top of the repository.')
  return inner === '.' ? '' : inner
}

function isSet(node: LocatedMap, key: string, otherwise: boolean): boolean {
  const value = get(node, key)
  return value?.kind === 'scalar' ? value.value === true : otherwise
}

function choice(node: Located | undefined, otherwise: 'refuse' | 'ignore'): 'refuse' | 'include' | 'ignore' {
  const given = nodeText(node)?.toLowerCase()
  return given === 'refuse' || given === 'include' || given === 'ignore' ? given : otherwise
}
