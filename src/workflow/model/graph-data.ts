/** The graph model of Tierkreis (`controller/data/graph.py`, 2.0.9 to 2.1.1) in memory. Types only; `graph-codec.ts` reads and writes its JSON. */
import type { Value } from '../values/value.ts'

/** A place where a value comes from: output port `port` of node `node`; node -1 stands for the graph's own inputs. */
export interface PortRef {
  readonly node: number
  readonly port: string
}

interface NodeCommon {
  /** Ports that the node reads, in the order in which they were written. Empty for kinds that have none. */
  readonly inputs: ReadonlyMap<string, PortRef>
  /** Keys that this release does not know, kept for the way back. */
  readonly unknown?: ReadonlyMap<string, Value>
}

/** Gives its value on port `value`. A nested graph is the object as written (`readGraph` reads it). */
export interface ConstNode extends NodeCommon {
  readonly type: 'const'
  readonly value: Value
}

/** Gives the graph's input `name` on the port of that name. */
export interface InputNode extends NodeCommon {
  readonly type: 'input'
  readonly name: string
}

/** Its inputs are the graph's outputs. */
export interface OutputNode extends NodeCommon {
  readonly type: 'output'
}

/** A task of a worker: `builtins.iadd`, `my.worker.task` (split at the last dot). */
export interface FunctionNode extends NodeCommon {
  readonly type: 'function'
  readonly functionName: string
}

/** Runs the graph that `graph` gives, with the node's inputs; outputs are that graph's. */
export interface EvalNode extends NodeCommon {
  readonly type: 'eval'
  readonly graph: PortRef
}

/** Runs `body` again and again, its outputs laid over the node's inputs, until its output `continuePort` reads as `false`. */
export interface LoopNode extends NodeCommon {
  readonly type: 'loop'
  readonly body: PortRef
  readonly continuePort: string
  /** Name that traces are kept under; undefined where none was given. */
  readonly name?: string
}

/** Runs `body` once for each element of the first input that is fed from a port `*`; the other inputs go to every element. */
export interface MapNode extends NodeCommon {
  readonly type: 'map'
  readonly body: PortRef
}

/** `ifelse`: only the branch taken runs. `eifelse`: both branches run first. Output port `value`. */
export interface IfElseNode extends NodeCommon {
  readonly type: 'ifelse' | 'eifelse'
  readonly pred: PortRef
  readonly ifTrue: PortRef
  readonly ifFalse: PortRef
}

export type GraphNode = ConstNode | InputNode | OutputNode | FunctionNode | EvalNode | LoopNode | MapNode | IfElseNode

/** Output port `port` of the location `loc` of the run that the graph is evaluated in. */
export interface FixedRef {
  readonly loc: string
  readonly port: string
}

/** One graph. Nodes are named by their index. */
export interface GraphData {
  readonly nodes: readonly GraphNode[]
  /** Values given to inputs in advance (partial application): they count where the caller gives none. */
  readonly fixedInputs: ReadonlyMap<string, Value>
  /** Inputs given in advance as Tierkreis has them: an output of a location (`-.N3`, `value`) of the same run. Absent: none. */
  readonly fixedRefs?: ReadonlyMap<string, FixedRef>
  /** Names of the graph's inputs, sorted: the files have a set without order. */
  readonly graphInputs: readonly string[]
  /** Index of the output node; undefined for a graph without one, which cannot run. */
  readonly outputIndex: number | undefined
  /** Node index by name, where nodes were named. */
  readonly namedNodes: ReadonlyMap<string, number>
  /** As written (`has_breakpoint`, `is_hidden`, …), by node index. */
  readonly nodeMetadata: ReadonlyMap<number, Value>
  /** Keys that this release does not know, kept for the way back. */
  readonly unknown?: ReadonlyMap<string, Value>
}
