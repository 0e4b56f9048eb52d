import type { NodeFailure } from '../engine/scope.ts'

/** Node `[scope, index]`; scope 0 is the root graph. */
export type NodeKey = readonly [scope: number, node: number]

/** The outputs of a node: each port is in one of the three. */
export interface OutputRecord {
  /** Content that is text. */
  readonly text?: Readonly<Record<string, string>>
  /** Content that is not, as base64. */
  readonly base64?: Readonly<Record<string, string>>
  /** Path of a file, relative to the run's checkpoints directory. */
  readonly files?: Readonly<Record<string, string>>
}

export type RunState = 'running' | 'succeeded' | 'failed' | 'cancelled'

/** One line's worth of news in a run's journal. Times are ms since 1970. */
export type JournalRecord =
  /** A scope that later records name by its number: where it is. */
  | { readonly type: 'scope'; readonly id: number; readonly in: NodeKey; readonly step: string }
  /** A worker's call was handed to its executor. */
  | { readonly type: 'started'; readonly node: NodeKey; readonly at: number; readonly attempt: number; readonly executor: string }
  /** A worker's call was ended because the run was, or because what it was given doesn't count any more: it has no result. */
  | { readonly type: 'stopped'; readonly node: NodeKey; readonly at: number }
  | ({ readonly type: 'done'; readonly node: NodeKey; readonly at: number; readonly started?: number } & OutputRecord)
  | { readonly type: 'failed'; readonly node: NodeKey; readonly at: number; readonly started?: number; readonly failure: NodeFailure }
  /** Results from before of this location, and of all that depends on it, don't count any more. */
  | { readonly type: 'retry'; readonly loc: string; readonly at: number }
  | { readonly type: 'state'; readonly state: RunState; readonly at: number; readonly by?: string }
