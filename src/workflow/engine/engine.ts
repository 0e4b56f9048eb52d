import { DroverError } from '../../errors.ts'
import { type GraphAction, GraphReactor } from '../../graph/reactor.ts'
import type { EvalNode, IfElseNode, LoopNode, MapNode, PortRef } from '../model/graph-data.ts'
import type { Content } from './content.ts'
import { mapElements, mapOutputs, mapRetries, partialGraph, readContinue } from './control-nodes.ts'
import { bodyOf, givenTo, inputsOf, missingPort } from './inner-inputs.ts'
import type { Memory } from './memory.ts'
import { type Program, programOf } from './program.ts'
import { mostOf, outputRetries, portRetries, retryInside, retryOf, retryOfNode } from './retries.ts'
import { BranchWait, type Contents, type NodeFailure, NodeRun, Scope } from './scope.ts'

/** What an onlooker is told, in the order in which it happens. */
export interface EngineObserver {
  /** Constants and inputs of a scope are there from now on. */
  readonly scopeOpened?: (scope: Scope) => void
  readonly nodeStarted?: (run: NodeRun) => void
  /** Succeeded or failed; also from memory. Not told of nodes skipped because another failed. */
  readonly nodeEnded?: (run: NodeRun) => void
  readonly scopeEnded?: (scope: Scope, outputs: Contents) => void
}

/** What an engine takes beside graph and inputs. */
export interface EngineOptions {
  /** Most elements of maps open at one time, over all maps; each map has at least one. Default 1,000. */
  readonly maxOpen?: number
  /** What had ended before. */
  readonly memory?: Memory
  /** Locations whose results are to be forgotten, with those of all that depends on them: the number of the retry, from 1. */
  readonly retries?: ReadonlyMap<string, number>
  readonly observer?: EngineObserver
}

type Id = NodeRun | BranchWait

/*
 * One thing, though long: the state of a run, that each kind of node moves on in its own way. What they compute from it is elsewhere.
 */

/**
 * Runs a graph of Tierkreis without doing anything itself: it hands out function nodes that are ready (`next`) and is told how
 * they ended (`succeed`, `fail`); all other kinds of nodes are its own matter. What has to run is what the output needs; a
 * branch of `ifelse` only once it is taken. What a node costs does not depend on the size of the graph. Semantics are those of
 * Tierkreis's Python controller (2.0.9 to 2.1.1).
 */
export class WorkflowEngine {
  readonly root: Scope
  /** Nodes that failed themselves, in order; those skipped because of them are not here. */
  readonly failures: NodeRun[] = []
  /** Function nodes handed out that have not ended. */
  running = 0
  #outputs: Contents | undefined
  #failed = false
  #openElements = 0
  readonly #failedScopes: Scope[] = []
  readonly #reactor = new GraphReactor<Id>()
  readonly #work: GraphAction<Id>[] = []
  /** Maps with elements left to open. */
  readonly #expanding: NodeRun[] = []
  readonly #maxOpen: number
  readonly #retries: ReadonlyMap<string, number> | undefined
  readonly #observer: EngineObserver

  constructor(program: Program, inputs: Contents, options: EngineOptions = {}) {
    this.#maxOpen = options.maxOpen ?? 1_000
    this.#retries = options.retries?.size ? options.retries : undefined
    this.#observer = options.observer ?? {}
    this.root = new Scope(program, inputsOf(program, inputs, program.document))
    this.root.memory = options.memory
    this.#open(this.root)
  }

  /** The graph's outputs, once it succeeded. */
  get outputs(): Contents | undefined {
    return this.#outputs
  }

  /** True once the graph has its outputs, or can't get them any more. */
  get ended(): boolean {
    return this.#outputs !== undefined || this.#failed
  }

  /** The next function node that is ready; undefined: none until one that is running ends. */
  next(): NodeRun | undefined {
    for (;;) {
      const action = this.#work.pop()
      if (action !== undefined) {
        const call = action.type === 'release' ? this.#release(action.node) : this.#skipped(action.node)
        if (call !== undefined) return call
        continue
      }
      const map = this.#openElements < this.#maxOpen ? this.#expanding.pop() : undefined
      if (map === undefined) return undefined
      this.#openElement(map)
    }
  }

  /** A function node handed out ended well. */
  succeed(run: NodeRun, outputs: Contents): void {
    this.running--
    this.#end(run, outputs)
  }

  /** A function node handed out failed. */
  fail(run: NodeRun, failure: NodeFailure): void {
    this.running--
    this.#fail(run, failure)
  }

  /** A function node handed out is taken back: it counts as neither, and what waits for it waits on. */
  abandon(run: NodeRun): void {
    this.running--
    run.state = 'waiting'
  }

  #open(scope: Scope): void {
    this.#observer.scopeOpened?.(scope)
    this.#demand(scope, scope.program.output)
  }

  /** Puts a node, and all it waits for, into the reactor. */
  #demand(scope: Scope, target: number): void {
    const actions: GraphAction<Id>[] = []
    for (const index of scope.program.closure(target)) {
      if (scope.runs[index] !== undefined) continue
      const run = new NodeRun(scope, index)
      scope.runs[index] = run
      scope.pending++
      const upstreams = scope.program
        .upstreams(index)
        .map((upstream) => ({ upstream: known(scope.runs[upstream]), condition: 'ok' }) as const)
      actions.push(...this.#reactor.addNode(run, upstreams))
    }
    this.#push(actions)
  }

  /** What came first is done first. */
  #push(actions: readonly GraphAction<Id>[]): void {
    for (let k = actions.length - 1; k >= 0; k--) {
      const action = actions[k]
      if (action !== undefined) this.#work.push(action)
    }
  }

  #release(id: Id): NodeRun | undefined {
    if (id instanceof BranchWait) {
      this.#push(this.#reactor.removeNode(id))
      this.#endBranch(id.run, id.branch)
      return undefined
    }
    const { scope, index } = id
    const node = scope.program.node(index)
    if (this.#retries !== undefined) id.retry = retryOfNode(id, this.#retries)
    id.state = 'running'
    if (node.type !== 'function') this.#observer.nodeStarted?.(id)
    try {
      switch (node.type) {
        case 'function':
          return this.#startFunction(id)
        case 'output':
          this.#endScope(id)
          break
        case 'eval':
          this.#startEval(id, node)
          break
        case 'loop':
          this.#startLoop(id, node)
          break
        case 'map':
          this.#startMap(id, node)
          break
        case 'ifelse':
        case 'eifelse':
          this.#choose(id, node)
          break
        default:
          throw new DroverError('internal', `node ${id.loc} of type ${node.type} was released`, { level: 'internal' })
      }
    } catch (error) {
      this.#failFor(id, error)
    }
    return undefined
  }

  /** What a node was given can't be run. Rethrows a defect. */
  #failFor(run: NodeRun, error: unknown): void {
    if (!(error instanceof DroverError) || error.level === 'internal') throw error
    this.#fail(run, { cause: 'input', message: error.message })
  }

  #startFunction(run: NodeRun): NodeRun | undefined {
    const remembered = run.scope.memory?.results.get(run.index)
    if (remembered !== undefined && remembered.retry >= run.retry) {
      this.#observer.nodeStarted?.(run)
      if (remembered.outputs !== undefined) this.#end(run, remembered.outputs)
      else this.#fail(run, remembered.failure ?? { cause: 'lost', message: 'no result was kept' })
      return undefined
    }
    // It may refuse the node.
    this.#observer.nodeStarted?.(run)
    this.running++
    return run
  }

  #startEval(run: NodeRun, node: EvalNode): void {
    const body = bodyOf(run, node.graph)
    const program = programOf(body)
    const consumed = run.scope.program.consumed(run.index)
    // An eval whose port `body` is read gives the graph with these inputs fixed (partial application) instead of running it.
    if (consumed.includes('body') && !program.node(program.output).inputs.has('body') && consumed.length === 1) {
      this.#end(run, new Map([['body', partialGraph(program, givenTo(run))]]))
      return
    }
    this.#openInner(run, program, inputsOf(program, givenTo(run), body, run.scope), '', 0, this.#retriesOf(run, node.graph))
  }

  #startLoop(run: NodeRun, node: LoopNode): void {
    const body = bodyOf(run, node.body)
    const program = programOf(body)
    this.#openInner(run, program, inputsOf(program, givenTo(run), body, run.scope), 'L0', 0, this.#retriesOf(run, node.body))
  }

  #nextIteration(run: NodeRun, node: LoopNode, last: Scope, outputs: Contents): void {
    const continues = readContinue(node.continuePort, outputs)
    let retries: ScopeRetries | undefined
    if (this.#retries !== undefined) {
      const ends = outputRetries(last)
      // Whether there is another iteration depends on this one.
      const retry = Math.max(last.retry, ends.get(node.continuePort) ?? 0)
      if (continues) retries = { retry, inputs: new Map([...portRetries(run.scope, node.inputs), ...ends]) }
      else this.#tellRetries(run, outputRetries(last, retry))
    }
    if (!continues) {
      this.#end(run, outputs)
      return
    }
    const body = bodyOf(run, node.body)
    const program = programOf(body)
    const inputs = new Map([...givenTo(run), ...outputs])
    const iteration = last.position + 1
    this.#openInner(run, program, inputsOf(program, inputs, body, run.scope), `L${iteration}`, iteration, retries)
  }

  #startMap(run: NodeRun, node: MapNode): void {
    const body = bodyOf(run, node.body)
    run.elements = mapElements(run, node, programOf(body))
    if (run.elements.list.length === 0) this.#end(run, new Map())
    else this.#openElement(run)
  }

  /** One more element of a map; the map stays in line while it has others. */
  #openElement(run: NodeRun): void {
    const { elements } = run
    const node = run.scope.program.node(run.index)
    const element = elements?.list[elements.next]
    if (elements === undefined || element === undefined || node.type !== 'map') return
    const inputs = new Map<string, Content>()
    for (const [port, ref] of node.inputs) {
      const content = element.inputs.get(port) ?? run.scope.content(ref)
      if (content !== undefined) inputs.set(port, content)
    }
    const position = elements.next++
    if (elements.next < elements.list.length) this.#expanding.push(run)
    this.#openElements++
    const body = run.scope.content(node.body) ?? elements.program.document
    const refs = Array.from(
      node.inputs,
      ([port, ref]) => [port, element.inputs.has(port) ? { node: ref.node, port: element.name } : ref] as const,
    )
    this.#openInner(
      run,
      elements.program,
      inputsOf(elements.program, inputs, body, run.scope),
      `M${element.label}`,
      position,
      this.#retriesOf(run, node.body, refs),
    )
  }

  #choose(run: NodeRun, node: IfElseNode): void {
    const pred = run.scope.content(node.pred)
    if (pred === undefined) throw missingPort(run, 'predicate', node.pred)
    const branch = pred.isTrue ? node.ifTrue : node.ifFalse
    const target = branch.node < 0 ? undefined : run.scope.program.node(branch.node).type
    if (node.type === 'eifelse' || target === undefined || target === 'const' || target === 'input') {
      this.#endBranch(run, branch)
      return
    }
    this.#demand(run.scope, branch.node)
    const wait = new BranchWait(run, branch)
    this.#push(this.#reactor.addNode(wait, [{ upstream: known(run.scope.runs[branch.node]), condition: 'ok' }]))
  }

  #endBranch(run: NodeRun, branch: PortRef): void {
    if (this.#retries !== undefined) run.retry = Math.max(run.retry, retryOf(run.scope, branch))
    const content = run.scope.content(branch)
    this.#end(run, content === undefined ? new Map() : new Map([['value', content]]))
  }

  #openInner(owner: NodeRun, program: Program, inputs: Contents, step: string, position: number, retries: ScopeRetries | undefined): void {
    // An iteration or an element may be named by itself.
    const own = this.#retries === undefined || step === '' ? 0 : (this.#retries.get(`${owner.loc}.${step}`) ?? 0)
    const scope = new Scope(program, inputs, owner, step, position, Math.max(own, retries?.retry ?? 0), retries?.inputs)
    scope.memory = owner.scope.memory?.inner.get(`${owner.index}${step}`)
    try {
      this.#open(scope)
    } catch (error) {
      if (step.startsWith('M')) this.#openElements--
      throw error
    }
  }

  #endScope(output: NodeRun): void {
    const { scope } = output
    const outputs = new Map<string, Content>()
    for (const [port, ref] of scope.program.node(output.index).inputs) {
      const content = scope.content(ref)
      if (content !== undefined) outputs.set(port, content)
    }
    this.#end(output, outputs)
    scope.ended = true
    this.#observer.scopeEnded?.(scope, outputs)
    const { owner } = scope
    if (owner === undefined) this.#outputs = outputs
    else this.#innerEnded(owner, scope, outputs)
    this.#dispose(scope)
  }

  #innerEnded(owner: NodeRun, scope: Scope, outputs: Contents): void {
    const node = owner.scope.program.node(owner.index)
    if (node.type === 'loop') {
      try {
        this.#nextIteration(owner, node, scope, outputs)
      } catch (error) {
        // The output node that asked for it has ended well: the loop is what fails.
        this.#failFor(owner, error)
      }
      return
    }
    if (owner.elements !== undefined) {
      if (this.#retries !== undefined) owner.elements.retries[scope.position] = outputRetries(scope)
      this.#elementEnded(owner, scope.position, outputs)
      return
    }
    if (this.#retries !== undefined) this.#tellRetries(owner, outputRetries(scope))
    this.#end(owner, outputs)
  }

  /** `outputs` undefined: it failed. */
  #elementEnded(run: NodeRun, position: number, outputs: Contents | undefined): void {
    const { elements } = run
    if (elements === undefined) return
    this.#openElements--
    elements.results[position] = outputs
    elements.ended++
    elements.failed ||= outputs === undefined
    if (elements.ended < elements.list.length) return
    // Elements are in no one's way any more, whether or not one failed.
    run.elements = undefined
    if (elements.failed) {
      this.#close(run, 'failed')
      return
    }
    if (this.#retries !== undefined) this.#tellRetries(run, mapRetries(elements))
    this.#end(run, mapOutputs(elements))
  }

  #end(run: NodeRun, outputs: Contents): void {
    run.state = 'succeeded'
    run.outputs = outputs
    this.#observer.nodeEnded?.(run)
    this.#settle(run, 'ok')
  }

  #fail(run: NodeRun, failure: NodeFailure): void {
    run.failure = failure
    this.failures.push(run)
    this.#close(run, 'failed')
  }

  /** Ends a node as failed: by itself, or because something inside it did. */
  #close(run: NodeRun, state: 'failed'): void {
    run.state = state
    this.#observer.nodeEnded?.(run)
    this.#settle(run, 'failed')
    if (run.scope.program.output === run.index) this.#scopeFailed(run.scope)
  }

  #settle(run: NodeRun, outcome: 'ok' | 'failed'): void {
    run.scope.pending--
    this.#push(this.#reactor.endNode(run, outcome))
    this.#dispose(run.scope)
  }

  /** A node will not run, for another failed. */
  #skipped(id: Id): undefined {
    if (id instanceof BranchWait) {
      this.#push(this.#reactor.removeNode(id))
      this.#close(id.run, 'failed')
      return
    }
    id.state = 'skipped'
    id.scope.pending--
    if (id.scope.program.output === id.index) this.#scopeFailed(id.scope)
    this.#dispose(id.scope)
  }

  #scopeFailed(scope: Scope): void {
    // One failure ends all scopes around it, thousands in a deep recursion: no recursion here.
    this.#failedScopes.push(scope)
    if (this.#failedScopes.length > 1) return
    try {
      for (let k = 0; k < this.#failedScopes.length; k++) this.#closeScope(this.#failedScopes[k] ?? scope)
    } finally {
      this.#failedScopes.length = 0
    }
  }

  #closeScope(scope: Scope): void {
    if (scope.ended) return
    scope.ended = true
    const { owner } = scope
    if (owner === undefined) this.#failed = true
    else if (owner.elements !== undefined) this.#elementEnded(owner, scope.position, undefined)
    else if (owner.state === 'running') this.#close(owner, 'failed')
  }

  /** Forgets the nodes of a scope that is over; those of the root stay, to be looked at. */
  #dispose(scope: Scope): void {
    if (!scope.ended || scope.pending > 0 || scope.owner === undefined) return
    for (const run of scope.runs) if (run !== undefined && this.#reactor.has(run)) this.#push(this.#reactor.removeNode(run))
  }

  /** What holds for a scope inside a node, whose inputs are these ports of the scope around it. */
  #retriesOf(run: NodeRun, body: PortRef, refs?: Iterable<readonly [string, PortRef]>): ScopeRetries | undefined {
    if (this.#retries === undefined) return undefined
    const inputs = portRetries(run.scope, refs ?? run.scope.program.node(run.index).inputs)
    return { retry: retryInside(run, body, this.#retries), inputs }
  }

  #tellRetries(run: NodeRun, retries: ReadonlyMap<string, number>): void {
    run.portRetries = retries
    run.retry = mostOf(retries, run.retry)
  }
}

interface ScopeRetries {
  readonly retry: number
  readonly inputs: ReadonlyMap<string, number>
}

function known(run: NodeRun | undefined): NodeRun {
  if (run === undefined) throw new DroverError('internal', 'a node was asked for before those it waits for', { level: 'internal' })
  return run
}
