import { attemptPaths } from '../driver/protocol.ts'
import type { Transport } from '../transports/transport.ts'
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
  readonly attemptDir: string
  readonly ranks: number
  readonly hasSetup: boolean
  /** Elements of this attempt that have started; undefined for a job that is no array. */
  readonly elements?: readonly { readonly position: number; readonly ended: boolean }[]
  readonly ended: boolean
}

interface LogFile {
  readonly path: string
  readonly stream: LogChunk['stream']
  readonly rank?: number
  readonly element?: number
  readonly ended: boolean
}

function filesOf(logs: AttemptLogs, query: LogQuery): readonly LogFile[] {
  const streams = query.streams ?? ['stdout', 'stderr']
  const files: LogFile[] = []
  const ranks = Array.from({ length: logs.ranks }, (_, rank) => rank).filter((rank) => query.ranks?.includes(rank) ?? true)
  if (streams.includes('driver')) files.push({ path: attemptPaths.driverLog, stream: 'driver', ended: logs.ended })
  if (streams.includes('setup') && logs.hasSetup) {
    for (const rank of ranks) files.push({ path: attemptPaths.setupLog(rank), stream: 'setup', rank, ended: logs.ended })
  }
  if (logs.elements) {
    for (const { position, ended } of logs.elements) {
      if (query.elements && !query.elements.includes(position)) continue
      const at = { rank: 0, element: position, ended: ended || logs.ended }
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
  const tails = new Map<string, number>()
  while (!signal.aborted) {
    // Asked before reading: what was written before the end is then read in the same turn.
    const logs = await source.attempt(number)
    if (logs === undefined) return
    let grew = false
    const files = filesOf(logs, query).filter((file) => !drained.has(file.path))
    for (let start = 0; start < files.length; start += FILES_AT_ONCE) {
      const group = files.slice(start, start + FILES_AT_ONCE)
      for (const file of group) {
        if (offsets.has(file.path)) continue
        const key = `${number}/${file.path}`
        const path = `${logs.attemptDir}/${file.path}`
        const begin = query.cursors?.[key] ?? (query.tail === undefined ? 0 : await tailOffset(logs.transport, path, query.tail))
        offsets.set(file.path, begin)
        tails.set(file.path, begin)
      }
      const maxBytes = Math.max(16 * 1024, Math.floor((PIECE_BYTES * 4) / group.length))
      const pieces = await logs.transport.read(
        group.map((file) => ({ path: `${logs.attemptDir}/${file.path}`, offset: offsets.get(file.path) ?? 0, maxBytes })),
      )
      for (const [index, file] of group.entries()) {
        const piece = pieces[index]
        const offset = offsets.get(file.path) ?? 0
        if (piece === undefined || piece.bytes.length === 0) {
          if (file.ended) drained.add(file.path)
          continue
        }
        grew = true
        offsets.set(file.path, offset + piece.bytes.length)
        const place = {
          ...(file.rank === undefined ? {} : { rank: file.rank }),
          ...(file.element === undefined ? {} : { element: file.element }),
        }
        yield { attempt: number, ...place, stream: file.stream, file: `${number}/${file.path}`, offset, bytes: piece.bytes }
      }
    }
    if (grew) continue
    if (!query.follow || logs.ended) return
    await source.changed(signal).catch(() => undefined)
  }
}
