import { resolve } from 'node:path'
import { Content } from '../engine/content.ts'
import { Memory, type Remembered } from '../engine/memory.ts'
import type { JournalRecord, NodeKey, OutputRecord, RunState } from './journal-record.ts'

/** The last time that a node's call was handed to an executor. */
export interface StartedCall {
  readonly attempt: number
  readonly executor: string
  readonly at: number
  /** No end of it was written down. */
  readonly isOpen: boolean
  /** Number of retries asked for before it: what it was given may not count any more. */
  readonly retry: number
}

/** What a journal says of a run. */
export interface RunMemory {
  readonly root: Memory
  readonly retries: ReadonlyMap<string, number>
  /** By node: `<scope>:<index>`; the last start of each, ended ones too: they count attempts. */
  readonly started: ReadonlyMap<string, StartedCall>
  /** When each node started and ended, ms since 1970, by `<scope>:<index>`. */
  readonly times: ReadonlyMap<string, { readonly started: number | undefined; readonly ended: number }>
  readonly state: RunState
  readonly startedAt: number | undefined
  /** Of an end state. */
  readonly endedAt: number | undefined
  readonly scopes: number
  /** Number of retries asked for. */
  readonly lastRetry: number
}

export function nodeKey([scope, node]: NodeKey): string {
  return `${scope}:${node}`
}

/** Whether a node's last call was started and has no end in the journal, one from before it not counted. */
export function isUnderWay({ started }: RunMemory, key: string): boolean {
  return started.get(key)?.isOpen === true
}

/**
 * Reads a run's records in order.
 * @param root the checkpoints directory, that paths of files are relative to
 */
export function recallRun(records: readonly JournalRecord[], root: string): RunMemory {
  const scopes: Memory[] = [new Memory(0)]
  const retries = new Map<string, number>()
  const started = new Map<string, StartedCall>()
  const times = new Map<string, { started: number | undefined; ended: number }>()
  let state: RunState = 'running'
  let startedAt: number | undefined
  let endedAt: number | undefined
  let retry = 0
  const remember = (node: NodeKey, at: number, begun: number | undefined, known: Remembered): void => {
    scopes[node[0]]?.results.set(node[1], known)
    times.set(nodeKey(node), { started: begun, ended: at })
    close(node)
  }
  const close = (node: NodeKey): void => {
    const call = started.get(nodeKey(node))
    if (call?.isOpen) started.set(nodeKey(node), { ...call, isOpen: false })
  }
  for (const record of records) {
    switch (record.type) {
      case 'scope': {
        const scope = new Memory(record.id)
        scopes[record.id] = scope
        scopes[record.in[0]]?.inner.set(`${record.in[1]}${record.step}`, scope)
        break
      }
      case 'started':
        started.set(nodeKey(record.node), { attempt: record.attempt, executor: record.executor, at: record.at, isOpen: true, retry })
        break
      case 'stopped':
        close(record.node)
        break
      case 'done':
        remember(record.node, record.at, record.started, { outputs: readOutputs(record, root), failure: undefined, retry })
        break
      case 'failed':
        remember(record.node, record.at, record.started, { outputs: undefined, failure: record.failure, retry })
        break
      case 'retry':
        retries.set(record.loc, ++retry)
        break
      case 'state':
        state = record.state
        startedAt ??= record.at
        endedAt = record.state === 'running' ? undefined : record.at
    }
  }
  return { root: scopes[0] ?? new Memory(0), retries, started, times, state, startedAt, endedAt, scopes: scopes.length, lastRetry: retry }
}

function readOutputs(record: OutputRecord, root: string): ReadonlyMap<string, Content> {
  const outputs = new Map<string, Content>()
  for (const [port, text] of Object.entries(record.text ?? {})) outputs.set(port, Content.written(Buffer.from(text)))
  for (const [port, base64] of Object.entries(record.base64 ?? {})) outputs.set(port, Content.written(Buffer.from(base64, 'base64')))
  for (const [port, path] of Object.entries(record.files ?? {})) outputs.set(port, Content.file(resolve(root, path)))
  return outputs
}
