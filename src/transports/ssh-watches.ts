import { agentCall } from './ssh-agent-script.ts'

interface Watched {
  readonly listeners: Set<() => void>
  /** What told the file's last state; undefined until it is known. */
  key: string | undefined
}

/** Calls closer together than this become one, ms. */
const COALESCE_MS = 5

/**
 * What is watched on one host: one process there looks at all files. After each change of the set, and after a connection
 * was made anew, it is given the whole set; what changed meanwhile shows by its key.
 */
export class SshWatches {
  readonly #watched = new Map<string, Watched>()
  readonly #rearm: () => void
  #paths: readonly string[] = []
  #generation = 0
  #due = false
  /** True when the set is another than the one compiled last. */
  changed = false

  /** `rearm` is called, coalesced, when `compile` has another set for the host. */
  constructor(rearm: () => void) {
    this.#rearm = rearm
  }

  get empty(): boolean {
    return this.#watched.size === 0
  }

  add(path: string, onChange: () => void, signal: AbortSignal): void {
    if (signal.aborted) return
    let call: NodeJS.Timeout | undefined
    const changed = (): void => {
      call ??= setTimeout(() => {
        call = undefined
        onChange()
      }, COALESCE_MS)
    }
    const watched = this.#watched.get(path) ?? { listeners: new Set(), key: undefined }
    // A listener that comes later is told the state it may have missed.
    if (watched.key !== undefined && watched.key !== '-') changed()
    watched.listeners.add(changed)
    this.#watched.set(path, watched)
    this.#schedule()
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(call)
        watched.listeners.delete(changed)
        if (watched.listeners.size > 0) return
        if (this.#watched.get(path) === watched) this.#watched.delete(path)
        this.#schedule()
      },
      { once: true },
    )
  }

  /** The call that makes the host watch what is wanted now. */
  compile(): string {
    this.changed = false
    this.#paths = [...this.#watched.keys()]
    return agentCall('v', [String(++this.#generation), ...this.#paths])
  }

  /** Takes `C GENERATION INDEX KEY`; a word of an older set is passed over. */
  heard(words: readonly string[]): void {
    const [, generation, index, key = ''] = words
    if (Number(generation) !== this.#generation) return
    const watched = this.#watched.get(this.#paths[Number(index)] ?? '')
    if (watched === undefined || watched.key === key) return
    const told = watched.key !== undefined || key !== '-'
    watched.key = key
    if (told) for (const listener of watched.listeners) listener()
  }

  #schedule(): void {
    this.changed = true
    if (this.#due) return
    this.#due = true
    queueMicrotask(() => {
      this.#due = false
      this.#rearm()
    })
  }
}
