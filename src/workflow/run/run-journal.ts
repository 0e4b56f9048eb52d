import { isUtf8 } from 'node:buffer'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Contents, NodeFailure, NodeRun, Scope } from '../engine/scope.ts'
import type { JournalFile } from './journal-file.ts'
import type { NodeKey, OutputRecord, RunState } from './journal-record.ts'

/** Values above this lie in files beside the journal, bytes. */
const MOST_INLINE = 256 * 1024

/** Writes a run's news into its journal: scopes get their numbers, large values a file. */
export class RunJournal {
  readonly #file: JournalFile
  readonly #directory: string
  readonly #root: string
  #scopes: number

  /**
   * @param directory the run's own, where the journal lies
   * @param root the checkpoints directory
   * @param scopes number of scopes that have one already
   */
  constructor(file: JournalFile, directory: string, root: string, scopes: number) {
    this.#file = file
    this.#directory = directory
    this.#root = root
    this.#scopes = scopes
  }

  /** The node's name in the journal; writes down the scopes around it that have none yet. */
  keyOf(run: NodeRun): NodeKey {
    return [this.#idOf(run.scope), run.index]
  }

  started(run: NodeRun, attempt: number, executor: string): void {
    this.#file.append({ type: 'started', node: this.keyOf(run), at: Date.now(), attempt, executor })
  }

  /** @param started ms since 1970; undefined for what takes no time */
  done(run: NodeRun, outputs: Contents, started?: number): void {
    const node = this.keyOf(run)
    const record = this.#outputs(node, outputs)
    this.#file.append({ type: 'done', node, at: Date.now(), ...(started === undefined ? {} : { started }), ...record })
  }

  failed(run: NodeRun, failure: NodeFailure, started?: number): void {
    this.#file.append({ type: 'failed', node: this.keyOf(run), at: Date.now(), ...(started === undefined ? {} : { started }), failure })
  }

  stopped(run: NodeRun): void {
    this.#file.append({ type: 'stopped', node: this.keyOf(run), at: Date.now() })
  }

  retry(loc: string): void {
    this.#file.append({ type: 'retry', loc, at: Date.now() })
  }

  state(state: RunState, by?: string): void {
    this.#file.append({ type: 'state', state, at: Date.now(), ...(by === undefined ? {} : { by }) })
  }

  flush(): void {
    this.#file.flush()
  }

  async sync(): Promise<void> {
    await this.#file.sync()
  }

  close(): void {
    this.#file.close()
  }

  #idOf(scope: Scope): number {
    if (scope.owner === undefined) return 0
    // From memory, where it was written down before.
    scope.journalId ??= scope.memory?.id
    if (scope.journalId === undefined) {
      // A deep recursion has as many scopes around it: no recursion here.
      const unnamed: Scope[] = []
      for (let at: Scope | undefined = scope; at?.owner !== undefined && at.journalId === undefined; at = at.owner.scope) {
        at.journalId = at.memory?.id
        if (at.journalId === undefined) unnamed.push(at)
      }
      for (const inner of unnamed.reverse()) {
        const { owner } = inner
        if (owner === undefined) continue
        inner.journalId = this.#scopes++
        const outer = owner.scope.owner === undefined ? 0 : (owner.scope.journalId ?? 0)
        this.#file.append({ type: 'scope', id: inner.journalId, in: [outer, owner.index], step: inner.step })
      }
    }
    return scope.journalId ?? 0
  }

  #outputs(node: NodeKey, outputs: Contents): OutputRecord {
    const text: Record<string, string> = {}
    const base64: Record<string, string> = {}
    const files: Record<string, string> = {}
    let number = 0
    for (const [port, content] of outputs) {
      if (content.path !== undefined && !content.inMemory) {
        files[port] = relative(this.#root, content.path)
        continue
      }
      const bytes = content.bytes
      if (bytes.length > MOST_INLINE) {
        content.path = this.#keep(`${node[0]}-${node[1]}-${number++}`, bytes)
        files[port] = relative(this.#root, content.path)
      } else if (isUtf8(bytes)) text[port] = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
      else base64[port] = Buffer.from(bytes).toString('base64')
    }
    return {
      ...(isEmpty(text) ? {} : { text }),
      ...(isEmpty(base64) ? {} : { base64 }),
      ...(isEmpty(files) ? {} : { files }),
    }
  }

  #keep(name: string, bytes: Uint8Array): string {
    const directory = join(this.#directory, 'values')
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const path = join(directory, name)
    writeFileSync(`${path}.tmp`, bytes, { mode: 0o600 })
    renameSync(`${path}.tmp`, path)
    return path
  }
}

function isEmpty(record: Readonly<Record<string, string>>): boolean {
  for (const _ in record) return false
  return true
}
