import type { Content } from './content.ts'
import type { NodeFailure } from './scope.ts'

/** What is known of a function node from before. */
export interface Remembered {
  readonly outputs: ReadonlyMap<string, Content> | undefined
  readonly failure: NodeFailure | undefined
  /** Number of retries asked for before it ended: a result older than its node's last retry doesn't count. */
  readonly retry: number
}

/** Ended function nodes of one scope and of the scopes inside it, read from a journal. */
export class Memory {
  /** The scope's number in the journal. */
  readonly id: number
  readonly results = new Map<number, Remembered>()
  /** By node index and step: `5`, `5L0`, `5M7`. */
  readonly inner = new Map<string, Memory>()

  constructor(id: number) {
    this.id = id
  }
}
