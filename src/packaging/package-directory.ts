import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { lstat, readlink, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { DroverError, InputError } from '../errors.ts'
import type { WorkdirSpec } from '../task/task-spec.ts'
import type { ArchiveEntry } from './archive-entry.ts'
import { type CodeTree, changing, withCodeTree } from './code-tree.ts'
import { readManifest } from './content-hash.ts'
import { writeTar } from './tar-writer.ts'
import { unreadable } from './walk-directory.ts'
import { writeZip } from './zip-writer.ts'

export type ArchiveFormat = 'zip' | 'tar.gz'

/** How code is exported. */
export interface PackageDirectoryOptions {
  /** Default: by the name of `output`, else `tar.gz`. */
  readonly format?: ArchiveFormat
  /** Where the archive is written; replaced when it is there. Default: `<name>.<format>` in the current directory. */
  readonly output?: string
  /** What stands in the archive's `.drover/job.json`. Default: no id, and the directory's name. */
  readonly job?: { readonly id?: string; readonly name?: string }
  /** Files put in beside: path in the archive → text. */
  readonly files?: Readonly<Record<string, string>>
}

/**
 * Writes code to an archive and resolves to its absolute path: a directory as it would be sent to a target (ignore files
 * count, `.git` is left out), or any form of `workdir`. The archive also holds `.drover/job.json`: `{"version": 1, "id",
 * "name"}`. The same content gives the same bytes; an archive is complete or not there.
 *
 * @throws InputError for what is not there, and for a `link`, whose code is on a target; DroverError `staging_failed`,
 *   `no_permission`, `no_space`
 */
export async function packageDirectory(source: string | WorkdirSpec, options: PackageDirectoryOptions = {}): Promise<string> {
  const workdir: WorkdirSpec = typeof source === 'string' ? { kind: 'directory', path: resolve(source) } : source
  if (workdir.kind === 'link') {
    throw new InputError('unsupported', `there is nothing to package: ${workdir.path} is a directory on the target`, {
      hint: 'Give the directory itself.',
    })
  }
  const name = options.job?.name ?? nameOf(workdir)
  const format = formatOf(options)
  const output = resolve(options.output ?? `${name}.${format}`)
  if ((await stat(output).catch(() => undefined))?.isDirectory())
    throw new InputError('invalid_argument', `cannot write the archive ${output}: it is a directory`)
  const extra: ArchiveEntry[] = Object.entries({
    '.drover/job.json': `${JSON.stringify({ version: 1, id: options.job?.id ?? null, name })}\n`,
    ...options.files,
  }).map(([path, text]) => ({ path, type: 'file', mode: 0o644, bytes: Buffer.from(text) }))
  await withCodeTree(workdir, (tree) => writeArchive(tree, extra, format, output))
  return output
}

function nameOf(workdir: WorkdirSpec): string {
  const path =
    workdir.kind === 'git'
      ? workdir.url.replace(/\.git$/, '')
      : workdir.kind === 'patterns'
        ? workdir.root
        : 'path' in workdir
          ? workdir.path
          : ''
  return basename(path) || 'code'
}

function formatOf({ format, output }: PackageDirectoryOptions): ArchiveFormat {
  const named =
    output === undefined ? undefined : /\.zip$/i.test(output) ? 'zip' : /\.(?:tar\.gz|tgz)$/i.test(output) ? 'tar.gz' : undefined
  if (format !== undefined && named !== undefined && format !== named)
    throw new InputError('invalid_argument', `the format is ${format}, and the name ${output} is that of a ${named} file`, {
      hint: 'Leave one of them out.',
    })
  return format ?? named ?? 'tar.gz'
}

async function writeArchive(tree: CodeTree, extra: readonly ArchiveEntry[], format: ArchiveFormat, output: string): Promise<void> {
  const part = join(dirname(output), `.${basename(output)}.part-${randomUUID()}`)
  // An archive in the directory itself does not hold its own earlier state.
  const own = new Set([relative(tree.root, output), relative(tree.root, part)])
  const list = async (): ReturnType<CodeTree['list']> => (await tree.list()).filter(({ path }) => !own.has(path))
  try {
    const listed = await list()
    const before = tree.still ? undefined : await readManifest(tree.root, listed)
    const entries = merge(await toArchiveEntries(tree.root, listed), extra)
    await write(entries, format, part)
    if (before !== undefined && (await readManifest(tree.root, await list())).hash !== before.hash) throw changing(tree.root)
    await rename(part, output)
  } finally {
    await rm(part, { force: true })
  }
}

async function write(entries: readonly ArchiveEntry[], format: ArchiveFormat, part: string): Promise<void> {
  const file = createWriteStream(part, { mode: 0o644 })
  try {
    if (format === 'zip') await pipeline(Readable.from(writeZip(entries)), file)
    else await pipeline(Readable.from(writeTar(entries)), createGzip({ level: 6 }), anonymousSystem(), file)
  } catch (error) {
    if (error instanceof DroverError) throw error
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ENOSPC' || code === 'EDQUOT')
      throw new DroverError('no_space', `cannot write ${part}: no space is left`, { level: 'staging', cause: error })
    if (code === 'ENOENT' && !(await stat(dirname(part)).catch(() => undefined)))
      throw new InputError('missing_file', `cannot write the archive: there is no directory ${dirname(part)}`, { cause: error })
    throw unreadable(part, error)
  }
}

/** Byte 9 of gzip names the system that packed; without it the bytes are the same everywhere (RFC 1952: 255 is unknown). */
function anonymousSystem(): Transform {
  let at = 0
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      if (at <= 9 && at + piece.length > 9) piece[9 - at] = 255
      at += piece.length
      done(null, piece)
    },
  })
}

async function toArchiveEntries(root: string, listed: Awaited<ReturnType<CodeTree['list']>>): Promise<ArchiveEntry[]> {
  const entries: ArchiveEntry[] = []
  for (const { path, type, mode } of listed) {
    const from = join(root, path)
    if (type === 'link') entries.push({ path, type, mode: 0o777, bytes: await readlink(from, 'buffer') })
    else if (type === 'directory') entries.push({ path, type, mode })
    else entries.push({ path, type, mode, from: { path: from, size: (await lstat(from)).size } })
  }
  return entries
}

/** Drover's files take the place of those of the same name; their directories are made. Sorted by path. */
function merge(entries: readonly ArchiveEntry[], extra: readonly ArchiveEntry[]): readonly ArchiveEntry[] {
  const all = new Map(entries.map((entry) => [entry.path, entry]))
  for (const entry of extra) {
    for (let at = dirname(entry.path); at !== '.'; at = dirname(at))
      if (all.get(at)?.type !== 'directory') all.set(at, { path: at, type: 'directory', mode: 0o755 })
    all.set(entry.path, entry)
  }
  return [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
}
