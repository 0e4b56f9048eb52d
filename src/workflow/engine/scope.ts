import type { CallFailure } from '../calls/worker-call.ts'
import type { PortRef } from '../model/graph-data.ts'
import type { Content } from './content.ts'
import type { Memory } from './memory.ts'
import type { Program } from './program.ts'

/** Ports and what they hold. */
export type Contents = ReadonlyMap<string, Content>

/** Why a node failed. `input`: what it was given can't be run (a body that is no graph, a map without elements). */
export interface NodeFailure {
  readonly cause: CallFailure | 'input'
  readonly message: string
  readonly exitCode?: number
  readonly signal?: number
}

/** A node of one evaluation of a graph. */
export class NodeRun {
  readonly scope: Scope
  readonly index: number
  state: 'waiting' | 'running' | 'succeeded' | 'failed' | 'skipped' = 'waiting'
  /** Of a node that succeeded. */
  outputs: Contents | undefined
  failure: NodeFailure | undefined
  /** Results remembered from before this retry (0: none) don't count; see `Memory`. */
  retry = 0
  /** The same by output port, where ports differ; kept only where something is retried. */
  portRetries: ReadonlyMap<string, number> | undefined
  /** Of a map. */
  elements: MapElements | undefined

  constructor(scope: Scope, index: number) {
    this.scope = scope
    this.index = index
  }

  /** `-.N3.M7.N2`. */
  get loc(): string {
    return `${this.scope.loc}.N${this.index}`
  }
}

/** An `ifelse` whose predicate is known: waits for its branch in place of the node. */
export class BranchWait {
  readonly run: NodeRun
  readonly branch: PortRef
  constructor(run: NodeRun, branch: PortRef) {
    this.run = run
    this.branch = branch
  }
}

/** The elements of a map, opened a few at a time. */
export interface MapElements {
  readonly program: Program
  /** `label` is its number, `name` that of the output it comes from, `inputs` those that differ from element to element. */
  readonly list: readonly { readonly label: string; readonly name: string; readonly inputs: Contents }[]
  /** Outputs by element, in the order of `list`. */
  readonly results: (Contents | undefined)[]
  /** As `NodeRun.portRetries` of each element's output node. */
  readonly retries: (ReadonlyMap<string, number> | undefined)[]
  next: number
  ended: number
  failed: boolean
}

const NO_RETRIES: ReadonlyMap<string, number> = new Map()

/** One evaluation of a graph: the root, an eval, an iteration of a loop, an element of a map. */
export class Scope {
  readonly program: Program
  readonly inputs: Contents
  /** The eval, loop or map that it belongs to; undefined for the root. */
  readonly owner: NodeRun | undefined
  /** Under its owner: '' for an eval, `L<k>` an iteration, `M<k>` an element. */
  readonly step: string
  /** Of a map: position in the list of elements. */
  readonly position: number
  /** By node index; undefined for nodes that nobody has asked for. */
  readonly runs: (NodeRun | undefined)[] = []
  /** Nodes that were asked for and have not ended. */
  pending = 0
  ended = false
  /** As `NodeRun.retry`, for all in it. */
  readonly retry: number
  /** The same by input; an input that is not here has none. */
  readonly inputRetries: ReadonlyMap<string, number>
  /** What is remembered of it from before. */
  memory: Memory | undefined
  /** Its number in the journal, once something in it was written down. */
  journalId: number | undefined
  #loc: string | undefined

  constructor(program: Program, inputs: Contents, owner?: NodeRun, step = '', position = 0, retry = 0, inputRetries = NO_RETRIES) {
    this.program = program
    this.inputs = inputs
    this.owner = owner
    this.step = step
    this.position = position
    this.retry = retry
    this.inputRetries = inputRetries
  }

  get loc(): string {
    if (this.#loc !== undefined) return this.#loc
    // A deep recursion has as many scopes around it: no recursion here.
    const unnamed: Scope[] = []
    for (let at: Scope | undefined = this; at !== undefined && at.#loc === undefined; at = at.owner?.scope) unnamed.push(at)
    let loc = '-'
    for (let scope = unnamed.pop(); scope !== undefined; scope = unnamed.pop()) {
      const { owner, step } = scope
      if (owner !== undefined) loc = `${owner.scope.#loc}.N${owner.index}${step === '' ? '' : `.${step}`}`
      scope.#loc = loc
    }
    return loc
  }

  /** What a port holds; undefined where it was not given. Only of nodes that have ended. */
  content(ref: PortRef): Content | undefined {
    if (ref.node < 0) return this.inputs.get(ref.port)
    const node = this.program.node(ref.node)
    if (node.type === 'input') return ref.port === node.name ? this.inputs.get(node.name) : undefined
    return (this.program.constants.get(ref.node) ?? this.runs[ref.node]?.outputs)?.get(ref.port)
  }

  /** The outputs that a reference with a star stands for: `*` all of the node, `value-*` those that begin so, by the number that ends the name. */
  elements(ref: PortRef): readonly { readonly name: string; readonly number: number; readonly content: Content }[] {
    const outputs = ref.node < 0 ? this.inputs : this.runs[ref.node]?.outputs
    const start = ref.port.slice(0, -1)
    const found: { name: string; number: number; content: Content }[] = []
    for (const [name, content] of outputs ?? []) {
      if (!name.startsWith(start)) continue
      const digits = name.slice(name.lastIndexOf('-') + 1)
      found.push({ name, number: /^\d+$/.test(digits) ? Number(digits) : Number.NaN, content })
    }
    return found.sort((a, b) => a.number - b.number)
  }
}
