import type { ResolvedTask } from '../executors/executor.ts'
import { type GraphAction, GraphReactor, type NodeOutcome, type NodeRecord } from '../graph/reactor.ts'
import type { JobRow, NewJob } from '../store/store.ts'
import { isSettled, type State } from '../task/states.ts'
import { cancelJob } from './cancel-job.ts'
import { endUnstarted } from './end-unstarted.ts'
import { isInLine } from './in-line.ts'
import type { JobControl } from './job-context.ts'
import { nativeAfter, UNMET_DEPENDENCY } from './native-dependencies.ts'

/** Jobs as nodes of the graph reactor: what the end of one means to those that wait for it. */
export class JobGraph {
  readonly #control: () => JobControl
  #reactor = new GraphReactor()

  /** The control is asked for when something is done, as it holds this graph itself. */
  constructor(control: () => JobControl) {
    this.#control = control
  }

  /** Rebuilds the graph from what is stored. Returned actions are performed by `begin`, after the running jobs were adopted. */
  async restore(open: readonly JobRow[]): Promise<{ begin(): void }> {
    const { store } = this.#control()
    const known = new Set(open.map((row) => row.id))
    const records: NodeRecord[] = []
    for (const row of open) {
      const waits = isInLine(row)
      // A later attempt's conditions held once; what became of its upstreams since then does not matter.
      const after = waits && row.attempt === 1 ? await store.dependencies(row.id) : []
      records.push({
        node: row.id,
        status: waits ? 'waiting' : row.state === 'lost' ? 'lost' : 'released',
        upstreams: after.map(({ upstream, condition }) => ({ upstream, condition })),
      })
      for (const { upstream } of after) {
        if (known.has(upstream)) continue
        known.add(upstream)
        const ended = await store.job(upstream)
        records.push({ node: upstream, status: (ended === undefined ? undefined : outcomeOf(ended.state)) ?? 'cancelled', upstreams: [] })
      }
    }
    const { reactor, actions } = GraphReactor.restore(records)
    this.#reactor = reactor
    return { begin: () => this.#act(actions) }
  }

  /** Adds jobs just recorded, in the order of their file; what waits for nothing is released at once. */
  async add(jobs: readonly NewJob[]): Promise<void> {
    const { store } = this.#control()
    const added = new Set(jobs.map((job) => job.id))
    for (const { upstream } of jobs.flatMap((job) => job.after)) {
      if (added.has(upstream) || this.#reactor.has(upstream)) continue
      const row = await store.job(upstream)
      this.#reactor.addNode(upstream, [])
      const outcome = row === undefined ? 'cancelled' : outcomeOf(row.state)
      if (outcome !== undefined) this.#reactor.apply({ type: 'node_ended', node: upstream, outcome })
    }
    for (const job of jobs) this.#act(this.#reactor.addNode(job.id, job.after))
  }

  /** A job that begins anew: it waits for nothing. */
  renew(jobId: string): void {
    this.remove(jobId)
    this.#reactor.addNode(jobId, [])
  }

  remove(jobId: string): void {
    if (this.#reactor.has(jobId)) this.#reactor.removeNode(jobId)
  }

  settled(jobId: string, state: State): void {
    const outcome = outcomeOf(state)
    // `lost` opens nothing: no dependent starts or ends on missing knowledge.
    if (outcome === undefined || !this.#reactor.has(jobId)) return
    this.#act(this.#reactor.apply({ type: 'node_ended', node: jobId, outcome }))
  }

  /** The scheduler has a job: those that wait for it may be handed over as well, to wait there. */
  submitted(jobId: string): void {
    const { own } = this.#control()
    own(this.#handOverDependents(jobId))
  }

  async #handOverDependents(jobId: string): Promise<void> {
    const { store, targets } = this.#control()
    for (const { jobId: dependent } of await store.dependents(jobId)) {
      const row = await store.job(dependent)
      if (row?.task === undefined || !isInLine(row) || (await nativeAfter(row, store)) === undefined) continue
      const target = await targets.open(row)
      target.enqueue(row, JSON.parse(row.task) as ResolvedTask)
    }
  }

  #act(actions: readonly GraphAction[]): void {
    const { own } = this.#control()
    for (const action of actions) own(action.type === 'release' ? this.#release(action.node) : this.#skip(action.node, action.because))
  }

  async #release(jobId: string): Promise<void> {
    const { store, targets } = this.#control()
    const row = await store.job(jobId)
    if (row?.task === undefined || !isInLine(row)) return
    const target = await targets.open(row)
    target.enqueue(row, JSON.parse(row.task) as ResolvedTask)
  }

  async #skip(jobId: string, because: string | undefined): Promise<void> {
    const control = this.#control()
    const row = await control.store.job(jobId)
    if (row === undefined || isSettled(row.state)) return
    if (!isInLine(row)) return this.#endHandedOver(row)
    const upstream = because === undefined ? undefined : await control.store.job(because)
    const message =
      upstream === undefined
        ? 'a job it depends on can no longer meet its condition'
        : `"${upstream.name}" (${upstream.id}) ${upstream.state}: the condition cannot be met any more`
    await endUnstarted(row, 'failed', { kind: 'dependency', message }, control)
  }

  /** One that waits in its scheduler for what can't come any more is ended there, as failed by its dependency. */
  async #endHandedOver({ id }: JobRow): Promise<void> {
    const control = this.#control()
    await cancelJob(id, { by: UNMET_DEPENDENCY }, control)
  }
}

/** What an end means to dependents; undefined for a state that is no end. */
function outcomeOf(state: State): NodeOutcome | undefined {
  return state === 'succeeded' ? 'ok' : state === 'failed' ? 'failed' : state === 'cancelled' ? 'cancelled' : undefined
}
