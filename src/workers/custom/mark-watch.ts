import { type FSWatcher, statSync, watch } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { WorkerCall } from '../../workflow/calls/worker-call.ts'

/** How often some of the awaited calls are looked at beside the watches, ms: a network file system tells nobody of others' writes. */
const LOOK_MS = 1000
/** Of how many at least; of more a tenth at a time, so that each has its turn within 10 s. */
const LEAST_PER_LOOK = 100
const LOOKS_PER_TURN = 10
/** How long the text of an error is waited for once its mark is there: Tierkreis 2.0.9 makes the file, then writes it. */
const TEXT_MS = 250

/** What the marks of a call say. */
export type Mark = 'done' | 'error'

/** The mark that stands; the error first, as Tierkreis's controller looks. */
export function markOf(call: Pick<WorkerCall, 'args' | 'directory' | 'root'>): Mark | undefined {
  return standing(marksOf(call))
}

function marksOf({ args, directory, root }: Pick<WorkerCall, 'args' | 'directory' | 'root'>): Pick<Awaited, 'error' | 'done'> {
  return { error: join(directory, '_error'), done: [...new Set([resolve(root, args.done_path), join(directory, '_done')])] }
}

function standing({ error, done }: Pick<Awaited, 'error' | 'done'>): Mark | undefined {
  if (exists(error)) return 'error'
  return done.some(exists) ? 'done' : undefined
}

interface Awaited {
  readonly call: WorkerCall
  /** Absolute paths of the marks: of an error, of success. */
  readonly error: string
  readonly done: readonly string[]
  watcher: FSWatcher | undefined
  readonly onMark: (mark: Mark) => void
}

/** Waits for the marks of calls, thousands at a time. */
export class MarkWatch {
  readonly #awaited = new Set<Awaited>()
  #looks: NodeJS.Timeout | undefined
  #next = 0

  /** Resolves once a mark stands; to undefined when the signal says that nobody waits any more. */
  async wait(call: WorkerCall, signal: AbortSignal): Promise<Mark | undefined> {
    if (signal.aborted) return undefined
    const { promise, resolve: settle } = Promise.withResolvers<Mark | undefined>()
    const awaited: Awaited = { call, ...marksOf(call), watcher: undefined, onMark: settle }
    awaited.watcher = watchMarks(awaited)
    const onAbort = (): void => settle(undefined)
    this.#awaited.add(awaited)
    this.#looks ??= setInterval(() => this.#look(), LOOK_MS)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      look(awaited)
      const mark = await promise
      if (mark === 'error') await errorText(call)
      return mark
    } finally {
      signal.removeEventListener('abort', onAbort)
      awaited.watcher?.close()
      this.#awaited.delete(awaited)
      if (this.#awaited.size === 0) {
        clearInterval(this.#looks)
        this.#looks = undefined
      }
    }
  }

  #look(): void {
    const all = [...this.#awaited]
    const count = Math.max(LEAST_PER_LOOK, Math.ceil(all.length / LOOKS_PER_TURN))
    const from = this.#next % Math.max(1, all.length)
    const turn = [...all.slice(from), ...all.slice(0, from)].slice(0, count)
    this.#next = from + turn.length
    for (const awaited of turn) look(awaited)
  }
}

function watchMarks(awaited: Awaited): FSWatcher | undefined {
  const { root, args } = awaited.call
  const done = resolve(root, args.done_path)
  try {
    const watcher = watch(dirname(done), (_event, name) => {
      // Logs and outputs grow there too.
      if (name === null || name.startsWith('_') || name === basename(done)) look(awaited)
    })
    // The looks go on without it.
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    // No watches are left (inotify's limit per user), or there is no such directory: the looks find the mark.
    return undefined
  }
}

function look(awaited: Awaited): void {
  const mark = standing(awaited)
  if (mark !== undefined) awaited.onMark(mark)
}

async function errorText(call: WorkerCall): Promise<void> {
  const until = performance.now() + TEXT_MS
  const places = [resolve(call.root, call.args.error_path), join(call.directory, '_error'), join(call.directory, 'errors')]
  while (performance.now() < until && !places.some((path) => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0)) {
    await new Promise((settle) => setTimeout(settle, 25))
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}
