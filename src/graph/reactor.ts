import { DroverError } from '../errors.ts'

/** How a node ended. A node skipped because of a dependency counts as `failed`, one cancelled before its release as `cancelled`. */
export type NodeOutcome = 'ok' | 'failed' | 'cancelled'

/**
 * When an edge lets its node go: `ok`: the upstream ended ok. `failed`: it failed (a cancelled one did not fail).
 * `any`: it ended. A condition that can no longer hold skips the node at once, whatever its other edges say.
 */
export type EdgeCondition = 'ok' | 'any' | 'failed'

export interface Upstream<Id = string> {
  readonly upstream: Id
  readonly condition: EdgeCondition
}

export interface NodeOptions {
  /** Nodes of one key share a limit; undefined: no limit. */
  readonly key?: string
}

export type GraphEvent<Id = string> =
  /** An upstream that is not in the graph yet is waited for until it is added and ends. */
  | ({ readonly type: 'node_added'; readonly node: Id; readonly upstreams: readonly Upstream<Id>[] } & NodeOptions)
  /** Of a released node, or of one that somebody ended before its release. Repeated: nothing happens, the first outcome stays. */
  | { readonly type: 'node_ended'; readonly node: Id; readonly outcome: NodeOutcome }
  /** Nothing is known of it: opens and skips nothing, frees its place under the limit; `node_ended` may follow. */
  | { readonly type: 'node_lost'; readonly node: Id }
  /** Forgotten; nodes that wait for it wait on, until it is added again. */
  | { readonly type: 'node_removed'; readonly node: Id }
  /** Skips those not released yet (default: all). Released ones are the caller's to end; it reports `node_ended`. */
  | { readonly type: 'cancel'; readonly nodes?: readonly Id[] }

export type GraphAction<Id = string> =
  | { readonly type: 'release'; readonly node: Id }
  /** Will never be released. `because`: the upstream whose condition cannot hold; undefined when cancelled. */
  | { readonly type: 'skip'; readonly node: Id; readonly reason: 'dependency' | 'cancelled'; readonly because: Id | undefined }

/** What of a node has to be kept to build the graph again. `waiting` covers those that wait for a place. */
export interface NodeRecord<Id = string> extends NodeOptions {
  readonly node: Id
  /** Only those of a `waiting` node count; edges whose condition has come true may be left out. */
  readonly upstreams: readonly Upstream<Id>[]
  readonly status: 'waiting' | 'released' | 'lost' | NodeOutcome
}

export interface GraphOptions {
  /** Most released nodes at one time, by key; a key not named has no limit. */
  readonly maxRunning?: Readonly<Record<string, number>>
}

/** `unknown`: waited for, not in the graph. `ready`: conditions hold, no place free. */
type Status = NodeRecord['status'] | 'unknown' | 'ready'

interface Edge<Id> {
  readonly upstream: Node<Id>
  readonly dependent: Node<Id>
  readonly condition: EdgeCondition
}

interface Node<Id> {
  readonly id: Id
  key: string | undefined
  status: Status
  /** Edges whose condition has not come true yet; the node is released when none is left. Undefined: none, an empty set takes memory. */
  open: Set<Edge<Id>> | undefined
  /** The same edges, seen from the upstream. */
  dependents: Set<Edge<Id>> | undefined
}

interface Gate<Id> {
  readonly limit: number
  running: number
  /** First in, first out; entries that were ended meanwhile are passed over. */
  queue: Node<Id>[]
  /** Index of the first entry that has not been taken. */
  head: number
}

const QUEUE_SLACK = 1_024

/**
 * The graph reactor: events in, actions out; it knows nothing of what a node is, of time or of the world. Same events,
 * same actions. An event costs as much as its node has dependents (and those it skips), not as the graph is large.
 * Each node is released or skipped at most once. A cycle waits for ever: refuse it before, with `findCycle`. State
 * lives inside (copying 100,000 nodes per event would cost more than all else); `records` and `restore` take it out
 * and in. Nodes are named by strings, or by objects of the caller's, each of which is a node.
 */
export class GraphReactor<Id = string> {
  readonly #nodes = new Map<Id, Node<Id>>()
  readonly #gates = new Map<string, Gate<Id>>()
  #actions: GraphAction<Id>[] = []

  constructor(options: GraphOptions = {}) {
    for (const [key, limit] of Object.entries(options.maxRunning ?? {})) {
      if (!Number.isInteger(limit) || limit < 1) throw new RangeError(`limit of "${key}" must be a whole number above 0, not ${limit}`)
      this.#gates.set(key, { limit, running: 0, queue: [], head: 0 })
    }
  }

  /**
   * Builds the graph again from its records. `actions` are those that had become due but were not recorded: when a
   * process dies between an end and the release it opens, the release comes here.
   */
  static restore<Id = string>(
    records: Iterable<NodeRecord<Id>>,
    options: GraphOptions = {},
  ): { readonly reactor: GraphReactor<Id>; readonly actions: readonly GraphAction<Id>[] } {
    const reactor = new GraphReactor<Id>(options)
    const waiting: NodeRecord<Id>[] = []
    for (const record of records) {
      const node = reactor.#add(record.node, record.key, record.status)
      const gate = reactor.#gateOf(node)
      if (gate && record.status === 'released') gate.running++
      if (record.status === 'waiting') waiting.push(record)
    }
    // Only now is it known which upstreams have ended, and how many places are taken. One may be skipped meanwhile.
    for (const { node, upstreams } of waiting) reactor.#connect(reactor.#known(node), upstreams)
    return { reactor, actions: reactor.#take() }
  }

  /** Takes one event. Throws DroverError `internal` for a node that is not in the graph, or is added twice; then nothing has changed. */
  apply(event: GraphEvent<Id>): readonly GraphAction<Id>[] {
    switch (event.type) {
      case 'node_added':
        return this.addNode(event.node, event.upstreams, event)
      case 'node_ended':
        return this.endNode(event.node, event.outcome)
      case 'node_lost':
        this.#lose(this.#known(event.node))
        break
      case 'node_removed':
        return this.removeNode(event.node)
      case 'cancel':
        this.#cancel(event.nodes)
        break
    }
    return this.#take()
  }

  /** As `node_added`. */
  addNode(id: Id, upstreams: readonly Upstream<Id>[], options: NodeOptions = {}): readonly GraphAction<Id>[] {
    this.#connect(this.#add(id, options.key, 'waiting'), upstreams)
    return this.#take()
  }

  /** As `node_ended`. */
  endNode(id: Id, outcome: NodeOutcome): readonly GraphAction<Id>[] {
    this.#end(this.#known(id), outcome)
    return this.#take()
  }

  /** As `node_removed`. */
  removeNode(id: Id): readonly GraphAction<Id>[] {
    const node = this.#known(id)
    const wasReleased = node.status === 'released'
    node.status = 'unknown'
    this.#disconnect(node)
    if (!node.dependents?.size) this.#nodes.delete(id)
    if (wasReleased) this.#freePlace(node)
    return this.#take()
  }

  /** True for a node that was added, ended ones included. */
  has(id: Id): boolean {
    const node = this.#nodes.get(id)
    return node !== undefined && node.status !== 'unknown'
  }

  /** Where a node stands; `ready`: only its limit holds it back. Undefined when it is not in the graph. */
  status(id: Id): NodeRecord['status'] | 'ready' | undefined {
    const status = this.#nodes.get(id)?.status
    return status === 'unknown' ? undefined : status
  }

  /** All nodes, JSON-able, upstream edges only where still open. */
  records(): readonly NodeRecord<Id>[] {
    const records: NodeRecord<Id>[] = []
    for (const { id, key, status, open } of this.#nodes.values()) {
      if (status === 'unknown') continue
      const upstreams = Array.from(open ?? [], (edge) => ({ upstream: edge.upstream.id, condition: edge.condition }))
      records.push({ node: id, upstreams, status: status === 'ready' ? 'waiting' : status, ...(key === undefined ? {} : { key }) })
    }
    return records
  }

  #add(id: Id, key: string | undefined, status: Status): Node<Id> {
    const node = this.#find(id)
    if (node.status !== 'unknown') throw misuse(`node ${String(id)} is in the graph already`)
    node.key = key
    node.status = status
    return node
  }

  #find(id: Id): Node<Id> {
    let node = this.#nodes.get(id)
    if (node === undefined) {
      node = { id, key: undefined, status: 'unknown', open: undefined, dependents: undefined }
      this.#nodes.set(id, node)
    }
    return node
  }

  #known(id: Id): Node<Id> {
    const node = this.#nodes.get(id)
    if (node === undefined || node.status === 'unknown') throw misuse(`node ${String(id)} is not in the graph`)
    return node
  }

  /** Opens the node's edges, then acts on those whose upstream has ended. */
  #connect(node: Node<Id>, upstreams: readonly Upstream<Id>[]): void {
    for (const { upstream, condition } of upstreams) {
      const from = this.#find(upstream)
      if (isOutcome(from.status)) {
        if (holds(condition, from.status)) continue
        this.#skip(node, 'dependency', upstream)
        return
      }
      const edge: Edge<Id> = { upstream: from, dependent: node, condition }
      node.open ??= new Set()
      node.open.add(edge)
      from.dependents ??= new Set()
      from.dependents.add(edge)
    }
    if (!node.open?.size) this.#makeReady(node)
  }

  #disconnect(node: Node<Id>): void {
    for (const edge of node.open ?? []) {
      const { upstream } = edge
      upstream.dependents?.delete(edge)
      if (upstream.status === 'unknown' && !upstream.dependents?.size) this.#nodes.delete(upstream.id)
    }
    node.open = undefined
  }

  #end(node: Node<Id>, outcome: NodeOutcome): void {
    if (isOutcome(node.status)) return
    const wasReleased = node.status === 'released'
    node.status = outcome
    this.#disconnect(node)
    this.#tellDependents(node)
    if (wasReleased) this.#freePlace(node)
  }

  #lose(node: Node<Id>): void {
    if (isOutcome(node.status) || node.status === 'lost') return
    const wasReleased = node.status === 'released'
    node.status = 'lost'
    this.#disconnect(node)
    if (wasReleased) this.#freePlace(node)
  }

  #cancel(ids: readonly Id[] | undefined): void {
    const nodes = ids === undefined ? [...this.#nodes.values()] : Array.from(new Set(ids), (id) => this.#known(id))
    const unreleased = nodes.filter(({ status }) => status === 'waiting' || status === 'ready')
    // All are marked before any dependent is told: one that is cancelled too is not skipped because of another.
    for (const node of unreleased) this.#close(node, 'cancelled', 'cancelled', undefined)
    for (const node of unreleased) this.#tellDependents(node)
  }

  #skip(node: Node<Id>, reason: 'dependency' | 'cancelled', because: Id | undefined): void {
    this.#close(node, reason === 'dependency' ? 'failed' : 'cancelled', reason, because)
    this.#tellDependents(node)
  }

  #close(node: Node<Id>, outcome: NodeOutcome, reason: 'dependency' | 'cancelled', because: Id | undefined): void {
    node.status = outcome
    this.#disconnect(node)
    this.#actions.push({ type: 'skip', node: node.id, reason, because })
  }

  /** Settles the edges of an ended node, and of those that are skipped thereby; a chain of any length without recursion. */
  #tellDependents(first: Node<Id>): void {
    const ended = [first]
    for (const node of ended) {
      if (!isOutcome(node.status)) continue
      for (const edge of node.dependents ?? []) {
        const { dependent } = edge
        if (holds(edge.condition, node.status)) {
          dependent.open?.delete(edge)
          if (!dependent.open?.size) this.#makeReady(dependent)
        } else {
          this.#close(dependent, 'failed', 'dependency', node.id)
          ended.push(dependent)
        }
      }
      node.dependents = undefined
    }
  }

  #makeReady(node: Node<Id>): void {
    const gate = this.#gateOf(node)
    if (gate === undefined) {
      this.#release(node)
      return
    }
    node.status = 'ready'
    gate.queue.push(node)
    this.#fill(gate)
  }

  #fill(gate: Gate<Id>): void {
    while (gate.running < gate.limit && gate.head < gate.queue.length) {
      const node = gate.queue[gate.head++]
      if (node?.status !== 'ready' || this.#gateOf(node) !== gate) continue
      gate.running++
      this.#release(node)
    }
    if (gate.head > QUEUE_SLACK && gate.head * 2 > gate.queue.length) {
      gate.queue = gate.queue.slice(gate.head)
      gate.head = 0
    }
  }

  #release(node: Node<Id>): void {
    node.status = 'released'
    this.#actions.push({ type: 'release', node: node.id })
  }

  #freePlace(node: Node<Id>): void {
    const gate = this.#gateOf(node)
    if (gate === undefined) return
    gate.running--
    this.#fill(gate)
  }

  #gateOf(node: Node<Id>): Gate<Id> | undefined {
    return node.key === undefined ? undefined : this.#gates.get(node.key)
  }

  #take(): readonly GraphAction<Id>[] {
    const actions = this.#actions
    this.#actions = []
    return actions
  }
}

function isOutcome(status: Status): status is NodeOutcome {
  return status === 'ok' || status === 'failed' || status === 'cancelled'
}

function holds(condition: EdgeCondition, outcome: NodeOutcome): boolean {
  return condition === 'any' || condition === outcome
}

function misuse(message: string): DroverError {
  return new DroverError('internal', message, { level: 'internal' })
}
