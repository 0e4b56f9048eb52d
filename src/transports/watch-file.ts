import { existsSync, type FSWatcher, statSync, watch as watchPath } from 'node:fs'
import { dirname } from 'node:path'

/** How often a file is looked at where the system cannot watch (no inotify watches left, some file systems), ms. */
const POLL_MS = 250
/** Changes closer together than this become one call, ms. */
const COALESCE_MS = 5

/**
 * Calls back, coalesced, when a file grows, changes, appears or is replaced, until aborted. Waits for a missing file by
 * watching the nearest directory above it that exists. One that cannot be watched is polled. An exception of `onChange`
 * is the caller's and is not caught.
 */
export function watchFile(path: string, onChange: () => void, signal: AbortSignal): void {
  if (signal.aborted) return
  let watcher: FSWatcher | undefined
  let poller: NodeJS.Timeout | undefined
  let call: NodeJS.Timeout | undefined
  let due: NodeJS.Immediate | undefined
  let calledAt = Number.NEGATIVE_INFINITY

  // The first of a burst is told at once, what follows it soon after together.
  const changed = (): void => {
    if (call !== undefined || due !== undefined) return
    const tell = (): void => {
      call = undefined
      due = undefined
      calledAt = performance.now()
      onChange()
    }
    const waitMs = calledAt + COALESCE_MS - performance.now()
    // A timer of 0 ms takes 1 ms.
    if (waitMs <= 0) due = setImmediate(tell)
    else call = setTimeout(tell, waitMs)
  }
  const stop = (): void => {
    watcher?.close()
    watcher = undefined
    clearInterval(poller)
    poller = undefined
  }
  const poll = (): void => {
    stop()
    if (signal.aborted) return
    let last = fingerprint(path)
    poller = setInterval(() => {
      const next = fingerprint(path)
      if (next !== last) changed()
      last = next
    }, POLL_MS)
  }
  /** Watches the file, else the directory where its path goes on missing; the event may say the next step has come. */
  const arm = (): void => {
    stop()
    if (signal.aborted) return
    const watched = nearestExisting(path)
    const identity = fingerprint(watched, 'identity')
    try {
      const current = watchPath(watched, (event) => {
        if (watched === path) {
          changed()
          if (event === 'rename' && fingerprint(path, 'identity') !== identity) arm()
        } else if (nearestExisting(path) !== watched || fingerprint(watched, 'identity') !== identity) {
          arm()
          if (existsSync(path)) changed()
        }
      })
      watcher = current
      current.on('error', poll)
    } catch {
      poll()
      return
    }
    // What appeared between the look and the watch has no event of its own.
    if (nearestExisting(path) !== watched || fingerprint(watched, 'identity') !== identity) {
      setImmediate(arm)
      changed()
    }
  }
  signal.addEventListener(
    'abort',
    () => {
      stop()
      clearTimeout(call)
      clearImmediate(due)
    },
    { once: true },
  )
  arm()
}

function nearestExisting(path: string): string {
  let at = path
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at)
  return at
}

/** What tells one state of a path from another; `identity`: only which file it is. Empty when missing. */
function fingerprint(path: string, of: 'content' | 'identity' = 'content'): string {
  try {
    const { dev, ino, size, mtimeMs } = statSync(path)
    return of === 'identity' ? `${dev}:${ino}` : `${dev}:${ino}:${size}:${mtimeMs}`
  } catch {
    return ''
  }
}
