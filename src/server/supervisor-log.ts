import { closeSync, fstatSync, openSync, readSync, renameSync } from 'node:fs'
import { join } from 'node:path'

/** A log above this size is set aside (one old one is kept) when a supervisor starts; bytes. */
const MAX_LOG_BYTES = 8 * 1024 * 1024

/** `<home>/supervisor.log`, readable by its owner only: what detached supervisors of this home print. */
export function supervisorLogPath(home: string): string {
  return join(home, 'supervisor.log')
}

/** Opens the log for appending. The caller closes the descriptor. */
export function openSupervisorLog(home: string): number {
  const path = supervisorLogPath(home)
  const descriptor = openSync(path, 'a', 0o600)
  if (fstatSync(descriptor).size < MAX_LOG_BYTES) return descriptor
  closeSync(descriptor)
  renameSync(path, `${path}.1`)
  return openSync(path, 'a', 0o600)
}

/** The last lines of the log, for the error of a supervisor that did not start; empty when there is none. */
export function supervisorLogTail(home: string, lines: number): string {
  let descriptor: number | undefined
  try {
    descriptor = openSync(supervisorLogPath(home), 'r')
    const { size } = fstatSync(descriptor)
    const buffer = Buffer.alloc(Math.min(size, 16 * 1024))
    readSync(descriptor, buffer, 0, buffer.length, size - buffer.length)
    return buffer.toString('utf8').trimEnd().split('\n').slice(-lines).join('\n')
  } catch {
    // There is no log to show; the error that asked for it says what is known.
    return ''
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}
