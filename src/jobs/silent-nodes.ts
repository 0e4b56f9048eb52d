import { toErrorJson } from '../errors.ts'
import type { ResolvedTask } from '../executors/executor.ts'
import type { JobRow } from '../store/store.ts'
import type { State } from '../task/states.ts'
import type { AttemptWorld } from './attempt-world.ts'

/** A node that did not answer is asked again after this long. */
const ASK_AGAIN_MS = 10_000

/** Nodes that did not answer while an attempt was staged, on a target that waits for them (`wait_for_nodes`). */
export class SilentNodes {
  readonly #world: AttemptWorld
  readonly #messages = new Map<string, string>()
  /** Something else went wrong too: waiting does not mend it. */
  #broken = false

  constructor(world: AttemptWorld) {
    this.#world = world
  }

  get names(): readonly string[] {
    return [...this.#messages.keys()]
  }

  /** Why staging failed on a node. */
  note(node: string, error: unknown): void {
    const { level, transient, message } = toErrorJson(error)
    if (level === 'transport' && transient) this.#messages.set(node, message)
    else this.#broken = true
  }

  /**
   * Puts the attempt back in line, where nothing but silent nodes stopped it and there is time left; false where it fails. It
   * is the same attempt: nothing of it was handed over.
   */
  async wait(job: JobRow, from: State, task: ResolvedTask): Promise<boolean> {
    const { context, waitForNodesMs, capacity } = this.#world
    if (waitForNodesMs === undefined || this.#broken || this.#messages.size === 0) return false
    const { store, writer } = context
    const now = context.now()
    const events = await store.events({ jobId: job.id, after: 0, limit: 10_000 })
    const since = events.find(({ type, attempt }) => type === 'nodes_silent' && attempt === job.attempt)?.at
    if (since !== undefined && now - since >= waitForNodesMs) return false
    const { names } = this
    const reason = `${names.join(', ')} ${names.length === 1 ? 'does' : 'do'} not answer: ${[...this.#messages.values()][0]}`
    const made = await writer.apply({
      jobId: job.id,
      at: now,
      from,
      attempt: job.attempt,
      ...(from === 'queued' ? {} : { to: 'queued' }),
      patch: { reason },
      // Said once: it may be asked for hours.
      events: since === undefined ? [{ type: 'nodes_silent', data: { nodes: names, wait_ms: waitForNodesMs, why: reason } }] : [],
    })
    for (const node of names) capacity.leave?.(node, now + ASK_AGAIN_MS)
    this.#world.drop(job.id)
    const next = made ? await store.job(job.id) : undefined
    if (next?.state === 'queued') this.#world.enqueue(next, task)
    return true
  }
}
