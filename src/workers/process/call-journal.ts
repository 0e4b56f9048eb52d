import { randomBytes } from 'node:crypto'
import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, readSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProcessIdentity } from '../../transports/transport.ts'
import { watchFile } from '../../transports/watch-file.ts'
import type { WorkerCall } from '../../workflow/calls/worker-call.ts'

/**
 * The processes of a run's calls, in `<run>/.drover-calls/`: `journal`, to which the program of each call (`call-script.ts`) appends
 * two lines, and that program, `<nonce>.sh`, 0600, since it holds the call's environment. A line that is not complete doesn't count.
 *
 *   b <loc>:<attempt>:<nonce> <pid> <start time> <boot id> .     it has begun
 *   e <loc>:<attempt>:<nonce> <code> <word> .                    it has ended
 *
 * Words: `ran` (the code is the command's), `cwd|stdin|stdout|stderr` (that could not be entered or opened; nothing was run),
 * `revoked` (a later controller had found no begin line and took the program away; nothing was run).
 * They lie beside the directories of the nodes, so that a worker that deletes its own does not delete the proof.
 */
const DIRECTORY = '.drover-calls'
const END_WORDS = ['ran', 'cwd', 'stdin', 'stdout', 'stderr', 'revoked'] as const

/** How a call's program ended. */
export interface CallEnd {
  /** 0-255 as a shell has it: 128 + n for signal n. */
  readonly code: number
  readonly word: (typeof END_WORDS)[number]
}

/** What the journal says of one call. */
export interface CallTrace {
  readonly key: string
  readonly identity: ProcessIdentity
  readonly end: CallEnd | undefined
}

const LINE = /^(?:b (\S+) (\d+) (\S+) (\S+)|e (\S+) (\d+) (\w+)) \.$/

/** Reads one line; undefined when it is none, or not a whole one. */
export function parseJournalLine(
  line: string,
): { readonly key: string; readonly identity: ProcessIdentity } | { readonly key: string; readonly end: CallEnd } | undefined {
  const [, begun, pid, startTime = '-', bootId = '-', ended, code, given] = LINE.exec(line) ?? []
  if (begun !== undefined) return { key: begun, identity: { pid: Number(pid), startTime, bootId } }
  const word = END_WORDS.find((one) => one === given)
  return ended === undefined || word === undefined ? undefined : { key: ended, end: { code: Number(code), word } }
}

function nameOf(call: Pick<WorkerCall, 'loc' | 'attempt'>): string {
  return `${encodeURIComponent(call.loc.toWellFormed())}:${call.attempt}`
}

interface Waiter {
  identity: ProcessIdentity | undefined
  onEnd: (end: CallEnd) => void
}

/**
 * The journal of one run, one object per process. It is watched while calls are awaited: one watch, whatever their number, and a
 * read of what was appended. Opening it revokes what an earlier controller had asked for and what has not begun.
 */
export class CallJournal {
  readonly directory: string
  readonly path: string
  readonly #waiting = new Map<string, Waiter>()
  /** What an earlier controller's calls left, by `<loc>:<attempt>`; the last one counts. */
  readonly #traces = new Map<string, CallTrace>()
  #offset = 0
  #rest = ''
  #watch: AbortController | undefined

  /** Makes the directory. Throws what the file system says. */
  constructor(call: Pick<WorkerCall, 'root' | 'runId'>) {
    this.directory = join(call.root, call.runId, DIRECTORY)
    this.path = join(this.directory, 'journal')
    mkdirSync(this.directory, { recursive: true, mode: 0o700 })
    closeSync(openSync(this.path, 'a', 0o600))
    const begun = new Set<string>()
    this.#read((key) => begun.add(key.slice(key.lastIndexOf(':') + 1)))
    for (const name of readdirSync(this.directory)) {
      if (name.endsWith('.sh') && !begun.has(name.slice(0, -3))) removeFile(join(this.directory, name))
    }
    // One that began between the two: it is seen here, or it sees that its program is gone.
    this.#read()
  }

  /** A new key, and where its program is to lie. */
  newKey(call: WorkerCall): { readonly key: string; readonly scriptPath: string } {
    const nonce = randomBytes(9).toString('hex')
    return { key: `${nameOf(call)}:${nonce}`, scriptPath: join(this.directory, `${nonce}.sh`) }
  }

  writeScript(path: string, text: string): void {
    writeFileSync(path, text, { mode: 0o600, flag: 'wx' })
  }

  /** Removes a call's program: it has ended, or it shall not begin any more. */
  removeScript(key: string): void {
    removeFile(this.#scriptPath(key))
  }

  #scriptPath(key: string): string {
    return join(this.directory, `${key.slice(key.lastIndexOf(':') + 1)}.sh`)
  }

  /** Calls back once, at the end of the call with this key. */
  expect(key: string, onEnd: (end: CallEnd) => void, identity?: ProcessIdentity): void {
    this.#waiting.set(key, { identity, onEnd })
    if (this.#watch !== undefined) return
    this.#watch = new AbortController()
    watchFile(this.path, () => this.#read(), this.#watch.signal)
    this.#read()
  }

  /** Nobody waits for this call any more. What has ended and was told is not kept. */
  forget(key: string): void {
    this.#waiting.delete(key)
    const name = key.slice(0, key.lastIndexOf(':'))
    const trace = this.#traces.get(name)
    if (trace?.key === key && trace.end !== undefined) this.#traces.delete(name)
    if (this.#waiting.size > 0) return
    this.#watch?.abort()
    this.#watch = undefined
  }

  /** When a call's program was written, epoch ms; undefined when it is gone. */
  startedAt(key: string): number | undefined {
    return statSync(this.#scriptPath(key), { throwIfNoEntry: false })?.mtimeMs
  }

  /** Reads what was appended, at once. */
  readNow(): void {
    this.#read()
  }

  /** Reads what was appended at once; then who has begun that is awaited: undefined when it has not. */
  begunNow(key: string): ProcessIdentity | undefined {
    this.#read()
    return this.#waiting.get(key)?.identity
  }

  /** What an earlier controller's try at this call left; the last, if there were several. */
  traceOf(call: WorkerCall): CallTrace | undefined {
    this.#read()
    return this.#traces.get(nameOf(call))
  }

  #read(onBegin?: (key: string) => void): void {
    for (const line of this.#newLines()) {
      const read = parseJournalLine(line)
      if (read === undefined) continue
      const { key } = read
      const waiter = this.#waiting.get(key)
      const name = key.slice(0, key.lastIndexOf(':'))
      if ('identity' in read) {
        onBegin?.(key)
        if (waiter !== undefined) waiter.identity = read.identity
        this.#traces.set(name, { key, identity: read.identity, end: undefined })
      } else {
        const trace = this.#traces.get(name)
        if (trace?.key === key) this.#traces.set(name, { ...trace, end: read.end })
        waiter?.onEnd(read.end)
      }
    }
  }

  /** Whole lines since the last look. A file that is gone or was cut is read from its beginning once it is there. */
  #newLines(): readonly string[] {
    let text = ''
    try {
      const descriptor = openSync(this.path, 'r')
      try {
        const { size } = fstatSync(descriptor)
        if (size < this.#offset) {
          this.#offset = 0
          this.#rest = ''
        }
        const buffer = Buffer.allocUnsafe(Math.min(size - this.#offset, 1 << 20))
        while (this.#offset < size) {
          const length = readSync(descriptor, buffer, 0, Math.min(buffer.length, size - this.#offset), this.#offset)
          if (length === 0) break
          this.#offset += length
          // One byte, one character: keys are ASCII, and a character may be cut here.
          text += buffer.toString('latin1', 0, length)
        }
      } finally {
        closeSync(descriptor)
      }
    } catch (error) {
      if (!isMissing(error)) throw error
      return []
    }
    if (text === '') return []
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    return lines
  }
}

const OPEN = new Map<string, { readonly journal: CallJournal; users: number }>()

/** The journal of a call's run: the same object for everybody in this process, until each has let go of it. */
export function openJournal(call: Pick<WorkerCall, 'root' | 'runId'>): CallJournal {
  const path = join(call.root, call.runId)
  const known = OPEN.get(path) ?? { journal: new CallJournal(call), users: 0 }
  known.users++
  OPEN.set(path, known)
  return known.journal
}

export function releaseJournal(journal: CallJournal): void {
  for (const [path, known] of OPEN) {
    if (known.journal === journal && --known.users === 0) OPEN.delete(path)
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}
