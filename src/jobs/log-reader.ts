import { attemptPaths } from '../driver/protocol.ts'
import type { AttemptPlace } from '../executors/executor.ts'
import type { ForeignOutput } from '../executors/foreign-output.ts'
import { type FilePiece, type Transport, transportAt } from '../transports/transport.ts'
import type { LogChunk, LogQuery } from './drover.ts'

/** Largest piece of a file read at once: bounds the memory of a follower. */
const PIECE_BYTES = 256 * 1024
/** Files read in one round trip. */
const FILES_AT_ONCE = 64

/** What the reader asks of the world: the shape of an attempt, and when to look again. */
export interface LogSource {
  /** The attempt's shape and whether more can still come. Undefined: there is no such attempt (yet). */
  attempt(number: number): Promise<AttemptLogs | undefined>
  /** Resolves to the newest attempt number. */
  newest(): Promise<number>
  /** True once the job is settled: no attempt can follow. */
  settled(): Promise<boolean>
  /** Resolves when something may have been written, or after a while. */
  changed(signal: AbortSignal): Promise<void>
}

export interface AttemptLogs {
  readonly transport: Transport
  readonly places: readonly AttemptPlace[]
  readonly hasSetup: boolean
  /** Elements of this attempt that have started; undefined for a job that is no array. */
  readonly elements?: readonly { readonly position: number; readonly ended: boolean; readonly place?: number }[]
  readonly ended: boolean
  /** Of a script that is not ours: the files it writes, as far as the scheduler has told. */
  readonly foreign?: readonly ForeignOutput[]
}

interface LogFile {
  readonly place: AttemptPlace
  /** Relative to the place's directory; with the node before it where there are several places. */
  readonly name: string
  readonly path: string
  readonly stream: LogChunk['stream']
  readonly rank?: number
  readonly element?: number
  readonly ended: boolean
}

/** A log file before it is known where it lies. */
type PlacedLog = Omit<LogFile, 'place' | 'name'>

function filesOf(logs: AttemptLogs, query: LogQuery): readonly LogFile[] {
  return logs.places.flatMap((place, index) =>
    filesAt(place, index, logs, query).map((file) => ({
      ...file,
      place,
      // Only the driver's log has one name in every place.
      name: file.stream === 'driver' && logs.places.length > 1 ? `${place.node}/${file.path}` : file.path,
    })),
  )
}

function filesAt(place: AttemptPlace, index: number, logs: AttemptLogs, query: LogQuery): readonly PlacedLog[] {
  const streams = query.streams ?? ['stdout', 'stderr']
  const files: PlacedLog[] = []
  if (logs.foreign !== undefined) return foreignFiles(logs.foreign, logs, query)
  const ranks = place.ranks.filter((rank) => query.ranks?.includes(rank) ?? true)
  if (streams.includes('driver')) files.push({ path: attemptPaths.driverLog, stream: 'driver', ended: logs.ended })
  if (streams.includes('setup') && logs.hasSetup) {
    for (const rank of ranks) files.push({ path: attemptPaths.setupLog(rank), stream: 'setup', rank, ended: logs.ended })
  }
  if (logs.elements) {
    for (const element of logs.elements) {
      const { position } = element
      if ((element.place ?? 0) !== index || (query.elements && !query.elements.includes(position))) continue
      const at = { rank: place.ranks[0] ?? 0, element: position, ended: element.ended || logs.ended }
      if (streams.includes('stdout')) files.push({ path: attemptPaths.elementStdout(position), stream: 'stdout', ...at })
      if (streams.includes('stderr')) files.push({ path: attemptPaths.elementStderr(position), stream: 'stderr', ...at })
    }
    return files
  }
  for (const rank of ranks) {
    if (streams.includes('stdout')) files.push({ path: attemptPaths.stdout(rank), stream: 'stdout', rank, ended: logs.ended })
    if (streams.includes('stderr')) files.push({ path: attemptPaths.stderr(rank), stream: 'stderr', rank, ended: logs.ended })
  }
  return files
}

/** A file that takes both streams is its stdout. */
function foreignFiles(foreign: readonly ForeignOutput[], { ended }: AttemptLogs, query: LogQuery): readonly PlacedLog[] {
  const streams = query.streams ?? ['stdout', 'stderr']
  return foreign.flatMap(({ task, stdout, stderr }) => {
    if (task !== undefined && query.elements && !query.elements.includes(task)) return []
    const at = { ...(task === undefined ? {} : { element: task }), ended }
    return [
      ...(stdout !== undefined && streams.includes('stdout') ? [{ path: stdout, stream: 'stdout' as const, ...at }] : []),
      ...(stderr !== undefined && stderr !== stdout && streams.includes('stderr')
        ? [{ path: stderr, stream: 'stderr' as const, ...at }]
        : []),
    ]
  })
}

/** Reads pieces of files of several nodes: one round trip for each, side by side. A node that cannot be asked rejects. */
async function readPieces(
  logs: AttemptLogs,
  files: readonly LogFile[],
  offsets: ReadonlyMap<string, number>,
  maxBytes: number,
): Promise<readonly (FilePiece | undefined)[]> {
  const nodes = [...new Set(files.map((file) => file.place.node))]
  const found = new Map<LogFile, FilePiece | undefined>()
  await Promise.all(
    nodes.map(async (node) => {
      const own = files.filter((file) => file.place.node === node)
      const pieces = await transportAt(logs.transport, node).read(
        own.map((file) => ({ path: pathOf(file), offset: offsets.get(file.name) ?? 0, maxBytes })),
      )
      for (const [index, file] of own.entries()) found.set(file, pieces[index])
    }),
  )
  return files.map((file) => found.get(file))
}

function pathOf({ place, path }: LogFile): string {
  return path.startsWith('/') ? path : `${place.attemptDir}/${path}`
}

/** Where the last `lines` lines of a file begin; reads backwards by pieces, at most 16 MiB. */
async function tailOffset(transport: Transport, path: string, lines: number): Promise<number> {
  const [head] = await transport.read([{ path, offset: 0, maxBytes: 0 }])
  let end = head?.size ?? 0
  let wanted = lines
  let first = true
  const floor = Math.max(0, end - 16 * 1024 * 1024)
  while (end > floor) {
    const start = Math.max(floor, end - PIECE_BYTES)
    const [piece] = await transport.read([{ path, offset: start, maxBytes: end - start }])
    const bytes = piece?.bytes ?? new Uint8Array()
    for (let index = bytes.length - 1; index >= 0; index--) {
      if (bytes[index] !== 10) {
        first = false
        continue
      }
      // The newline that ends the file's last line opens no further one.
      if (first) {
        first = false
        continue
      }
      wanted--
      if (wanted === 0) return start + index + 1
    }
    end = start
  }
  return floor
}

/**
 * Reads a job's logs by (rank or element, stream, byte cursor), file by file; with `follow` goes on until the job is
 * settled, across attempts. At most `FILES_AT_ONCE` pieces are held, so memory stays flat however fast a log grows.
 */
export async function* readLogs(source: LogSource, query: LogQuery): AsyncGenerator<LogChunk> {
  const signal = query.signal ?? new AbortController().signal
  let number = query.attempt ?? (await source.newest())
  while (!signal.aborted) {
    yield* readAttempt(source, number, query, signal)
    if (!query.follow || signal.aborted) return
    const newest = await source.newest()
    if (newest > number) {
      number += 1
      continue
    }
    if (await source.settled()) return
    await source.changed(signal).catch(() => undefined)
  }
}

async function* readAttempt(source: LogSource, number: number, query: LogQuery, signal: AbortSignal): AsyncGenerator<LogChunk> {
  const offsets = new Map<string, number>()
  const drained = new Set<string>()
  while (!signal.aborted) {
    // Asked before reading: what was written before the end is then read in the same turn.
    const logs = await source.attempt(number)
    if (logs === undefined) return
    let grew = false
    const files = filesOf(logs, query).filter((file) => !drained.has(file.name))
    for (let start = 0; start < files.length; start += FILES_AT_ONCE) {
      const group = files.slice(start, start + FILES_AT_ONCE)
      for (const file of group) {
        if (offsets.has(file.name)) continue
        const transport = transportAt(logs.transport, file.place.node)
        const begin =
          query.cursors?.[`${number}/${file.name}`] ??
          (query.tail === undefined ? 0 : await tailOffset(transport, pathOf(file), query.tail))
        offsets.set(file.name, begin)
      }
      const maxBytes = Math.max(16 * 1024, Math.floor((PIECE_BYTES * 4) / group.length))
      const pieces = await readPieces(logs, group, offsets, maxBytes)
      for (const [index, file] of group.entries()) {
        const piece = pieces[index]
        const offset = offsets.get(file.name) ?? 0
        if (piece === undefined || piece.bytes.length === 0) {
          if (file.ended) drained.add(file.name)
          continue
        }
        grew = true
        offsets.set(file.name, offset + piece.bytes.length)
        const place = {
          ...(file.rank === undefined ? {} : { rank: file.rank }),
          ...(file.element === undefined ? {} : { element: file.element }),
        }
        yield { attempt: number, ...place, stream: file.stream, file: `${number}/${file.name}`, offset, bytes: piece.bytes }
      }
    }
    if (grew) continue
    if (!query.follow || logs.ended) return
    await source.changed(signal).catch(() => undefined)
  }
}
