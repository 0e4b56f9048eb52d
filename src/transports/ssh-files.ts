import { DroverError } from '../errors.ts'
import type { AgentAnswer } from './ssh-agent.ts'
import { agentCall } from './ssh-agent-script.ts'
import { remoteFileError, transportFailure } from './ssh-errors.ts'
import type { SshOptions } from './ssh-options.ts'
import type { FilePiece, FileToWrite } from './transport.ts'

/** A piece as `Transport.read` asks for it. */
export interface PieceToRead {
  readonly path: string
  readonly offset: number
  readonly maxBytes: number
}

/** Pieces in one call of the agent's function: what it holds in a shell stays small. */
export const PIECES_PER_REQUEST = 200

/** The call that reads pieces; `alone`: each by a process of its own, with a separator, for files that change meanwhile. */
export function compileRead(pieces: readonly PieceToRead[], alone: boolean): string {
  return agentCall(alone ? 'G' : 'g', [
    pieces.map(({ offset, maxBytes }) => `${Math.max(0, Math.floor(offset))} ${Math.max(0, Math.floor(maxBytes))}`).join(' '),
    ...pieces.map(({ path }) => path),
  ])
}

/**
 * Reads the answer of `compileRead`; undefined when a file changed while it was read, so that the bytes cannot be told
 * apart. Content: ` ? ? -⏎SIZES⏎` data `⏎SIZES`; data: parts of files in their order, then whole files in their order.
 *
 * @throws DroverError as `remoteFileError` for a file that cannot be read
 */
export function parseRead(
  options: SshOptions,
  pieces: readonly PieceToRead[],
  content: Buffer,
  separator: string | undefined,
): readonly FilePiece[] | undefined {
  const first = content.indexOf(10)
  const second = content.indexOf(10, first + 1)
  const last = content.lastIndexOf(10)
  if (first < 0 || second < 0 || last < second) throw transportFailure(options, 'the agent answered what is no answer', { transient: true })
  const states = content.subarray(0, first).toString().trim().split(' ')
  const sizes = content.subarray(first + 1, second).toString()
  const data = content.subarray(second + 1, last)
  const after = content.subarray(last + 1).toString()
  const known = sizes.split(' ').filter((size) => size !== '')
  const found = pieces.map((piece, at) => {
    const state = states[at]
    refuseUnreadable(options, piece, state)
    return {
      piece,
      missing: state === '-',
      size: state === '?' ? Number(known.shift() ?? Number.NaN) : 0,
      bytes: new Uint8Array(0) as Uint8Array,
      present: state === '?',
    }
  })
  if (found.some(({ size }) => Number.isNaN(size)) || known.length > 0) return undefined
  const lengthOf = (one: (typeof found)[number]): number => Math.max(0, Math.min(one.piece.maxBytes, one.size - one.piece.offset))
  if (separator !== undefined) {
    let from = 0
    const mark = Buffer.from(`\n${separator} S\n`)
    for (const one of found.filter(({ present }) => present)) {
      const end = data.indexOf(mark, from)
      if (end < 0) return undefined
      one.bytes = data.subarray(from, end)
      from = end + mark.length
    }
  } else {
    if (sizes !== after) return undefined
    const isWhole = (one: (typeof found)[number]): boolean => one.piece.offset === 0 && lengthOf(one) === one.size
    let from = 0
    for (const one of [...found.filter((each) => !isWhole(each)), ...found.filter(isWhole)]) {
      one.bytes = data.subarray(from, from + lengthOf(one))
      from += lengthOf(one)
    }
    if (from !== data.length) return undefined
  }
  return found.map(({ piece, size, bytes, missing }) => ({ path: piece.path, offset: piece.offset, bytes, size, missing }))
}

function refuseUnreadable(options: SshOptions, piece: PieceToRead, state: string | undefined): void {
  const why =
    state === 'D'
      ? 'Permission denied'
      : state === 'I' && piece.maxBytes > 0
        ? 'Is a directory'
        : state === 'E'
          ? 'Input/output error'
          : undefined
  if (why !== undefined) throw remoteFileError(options, 'read', piece.path, why)
}

/** The calls that make directories and write files, and the contents that travel beside them. */
export function compileWrite(
  directories: readonly string[],
  files: readonly FileToWrite[],
): { readonly text: string; readonly payload: readonly Uint8Array[] } {
  const payload: Uint8Array[] = []
  const lines = directories.length === 0 ? [] : [agentCall('d', directories)]
  for (const { path, mode, content } of files) {
    const octal = (mode & 0o7777).toString(8)
    if (typeof content === 'string' && content.length < 32_768 && !content.includes('\0'))
      lines.push(agentCall('w', [octal, path, content]))
    else {
      const bytes = typeof content === 'string' ? Buffer.from(content) : content
      payload.push(bytes)
      lines.push(agentCall('W', [octal, path, String(bytes.length)]))
    }
  }
  // Sizes prove the contents: not each shell's printf tells of a full disk.
  if (files.length > 0) lines.push('printf \'%s Z\\n\' "$M"', agentCall('z', [...new Set(files.map(({ path }) => path))]))
  return { text: `${lines.join('\n')}\n`, payload }
}

/** Checks the answer of `compileWrite`. @throws DroverError as `remoteFileError` for the first file that was refused */
export function checkWritten(options: SshOptions, marker: string, files: readonly FileToWrite[], answer: AgentAnswer): void {
  refuseFailed(options, marker, answer)
  if (files.length === 0) return
  const sizes = answer.content.toString().split(`${marker} Z\n`)[1]?.trim().split(/\s+/) ?? []
  const wanted = new Map(
    files.map(({ path, content }) => [path, typeof content === 'string' ? Buffer.byteLength(content) : content.length]),
  )
  const paths = [...wanted.keys()]
  const wrong =
    sizes.length === paths.length
      ? paths.find((path, at) => sizes[at] !== String(wanted.get(path)))
      : paths.length === 1
        ? paths[0]
        : undefined
  if (wrong !== undefined || sizes.length !== paths.length) {
    throw new DroverError('staging_failed', `${options.host}: ${wrong ?? 'a file'} does not hold what was written`, {
      level: 'staging',
      transient: true,
      hint: 'Is the disk full, or does something else write there?',
    })
  }
}

/** Throws what the agent's functions said of a failure: `MARKER F make directory /x⏎words of the tool`. */
export function refuseFailed(options: SshOptions, marker: string, answer: AgentAnswer): void {
  const text = answer.content.toString()
  const at = text.indexOf(`${marker} F `)
  if (at < 0) return
  const [what = '', ...rest] = text.slice(at + marker.length + 3).split('\n')
  const end = rest.findIndex((line) => line.startsWith(`${marker} `))
  const said = (end < 0 ? rest : rest.slice(0, end)).join('\n')
  const slash = what.indexOf(' /')
  const [verb, path] = slash < 0 ? [what, ''] : [what.slice(0, slash), what.slice(slash + 1)]
  throw remoteFileError(options, verb, path, said)
}
