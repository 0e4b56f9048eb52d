import type { CallEnd } from '../process/call-journal.ts'

/** What is said to a worker host (`worker-host.py`) and by it: one JSON object a line, so that either side may be read alone. */
export type HostCommand =
  | {
      readonly op: 'call'
      readonly id: number
      /** Path of the call's arguments, as the worker gets it. */
      readonly args: string
      /** Files that are appended to. */
      readonly stdout: string
      readonly stderr: string
      /** The run's journal of processes, and the call's key in it. */
      readonly journal: string
      readonly key: string
    }
  | { readonly op: 'kill'; readonly id: number; readonly signal: number }

export type HostEvent =
  /** `main.py` is imported and waits in its call of Worker.app. */
  | { readonly kind: 'ready' }
  /** This worker can't be served by forks; in words. */
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'ended'; readonly id: number; readonly end: CallEnd }
  /** No process could be made. */
  | { readonly kind: 'unstarted'; readonly id: number; readonly why: string }

/** Reads one line of a host; undefined when it is none. */
export function parseHostEvent(line: string): HostEvent | undefined {
  let read: Readonly<Record<string, unknown>>
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== 'object' || value === null) return undefined
    read = Object.fromEntries(Object.entries(value))
  } catch {
    return undefined
  }
  const { ready, refused, ended, code, word, unstarted, why } = read
  if (typeof ready === 'number') return { kind: 'ready' }
  if (typeof refused === 'string') return { kind: 'refused', why: refused }
  if (typeof ended === 'number' && typeof code === 'number' && (word === 'ran' || word === 'stdout' || word === 'stderr')) {
    return { kind: 'ended', id: ended, end: { code, word } }
  }
  if (typeof unstarted === 'number' && typeof why === 'string') return { kind: 'unstarted', id: unstarted, why }
  return undefined
}
