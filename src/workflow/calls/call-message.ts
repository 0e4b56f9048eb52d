import { open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { WorkerCall } from './worker-call.ts'

/** Most of a message's text, in bytes: the end of what was written, where the cause stands. */
const MOST_BYTES = 4000

/**
 * What a failed call's worker said, for a person. The first of these that holds a text: the file at `error_path` (`<loc>/_error` in
 * Tierkreis 2.0.9, `<loc>/logs` since 2.0.10), the one at `errors_path`, `<loc>/errors` (stderr), `<loc>/_errors` (a fallback of
 * other controllers); else `otherwise`. Of a long text the last 4,000 bytes; bytes that are no UTF-8 become U+FFFD.
 */
export async function callMessage(call: Pick<WorkerCall, 'args' | 'directory' | 'root'>, otherwise: string): Promise<string> {
  const { error_path, errors_path } = call.args
  const places = [error_path, ...(errors_path ? [errors_path] : [])].map((path) => resolve(call.root, path))
  for (const path of [...places, join(call.directory, 'errors'), join(call.directory, '_errors')]) {
    const text = await lastText(path)
    if (text !== undefined) return text
  }
  return otherwise
}

/** The end of a file as text without blank ends; undefined when there is no text, or no such file. */
async function lastText(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path, 'r')
    const stats = await file.stat()
    if (!stats.isFile() || stats.size === 0) return undefined
    const from = Math.max(0, stats.size - MOST_BYTES)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, from)
    let start = 0
    // Not in the middle of a character: up to three continuation bytes.
    if (from > 0) while (start < 3 && ((buffer[start] ?? 0) & 0xc0) === 0x80) start++
    const text = buffer.toString('utf8', start, bytesRead).replaceAll('\0', '\uFFFD').trim()
    if (text === '') return undefined
    return from > 0 ? `… ${text}` : text
  } catch {
    // The message is a help: a file that can't be read leaves the next one, and in the end the exit code.
    return undefined
  }
}
