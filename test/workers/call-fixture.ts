import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { callArgsOf, outputPath, writeCallArgs } from '../../src/workflow/calls/call-args.ts'
import type { CallIo, WorkerCall } from '../../src/workflow/calls/worker-call.ts'

/** A checkpoints directory of a test, with calls in it as a controller makes them. */
export interface Checkpoints extends Disposable {
  readonly root: string
  /** Makes the call's directory and definition; `inputs` are values by port, each written as a producer's output. */
  call(options?: CallOptions): WorkerCall
}

export interface CallOptions {
  readonly runId?: string
  readonly loc?: string
  readonly worker?: string
  readonly task?: string
  readonly attempt?: number
  readonly timeoutMs?: number
  readonly inputs?: Readonly<Record<string, string | Uint8Array>>
  readonly outputs?: readonly string[]
  readonly args?: Partial<WorkerCall['args']>
}

/** An io that nobody aborts. */
export const UNDISTURBED: CallIo = { signal: new AbortController().signal }

export function makeCheckpoints(name = 'drover-calls-'): Checkpoints {
  const root = mkdtempSync(join(tmpdir(), name))
  return {
    root,
    call(options = {}) {
      const { runId = 'run-1', loc = '-.N1', worker = 'tests', task = 'work', attempt = 1, inputs = {}, outputs = ['value'] } = options
      const directory = join(root, runId, loc)
      mkdirSync(join(directory, 'outputs'), { recursive: true })
      const places = Object.entries(inputs).map(([port, value], index) => {
        const from = `-.N${1000 + index}`
        mkdirSync(join(root, runId, from, 'outputs'), { recursive: true })
        writeFileSync(join(root, runId, from, 'outputs', port), value)
        return [port, outputPath(`${runId}/${from}`, port)] as const
      })
      const args = { ...callArgsOf({ runId, directory: `${runId}/${loc}`, task, inputs: new Map(places), outputs }), ...options.args }
      writeFileSync(join(directory, 'definition'), writeCallArgs(args))
      const argsPath = `${runId}/${loc}/definition`
      const limit = options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }
      return { runId, loc, worker, task, attempt, root, directory, argsPath, args, ...limit }
    },
    [Symbol.dispose]() {
      rmSync(root, { recursive: true, force: true })
    },
  }
}
