import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ProcessCalls } from '../../src/workers/process/process-calls.ts'
import type { WorkerCall } from '../../src/workflow/calls/worker-call.ts'
import { type CallOptions, makeCheckpoints } from './call-fixture.ts'

/** Calls in a checkpoints directory, and what runs their processes. */
export class ProcessPlace {
  readonly #checkpoints = makeCheckpoints()
  readonly root = this.#checkpoints.root
  /** Another in its stead is the next controller's. */
  processes = new ProcessCalls({ graceMs: 300 })

  /** As `Checkpoints` has it. */
  call(options?: CallOptions): WorkerCall {
    return this.#checkpoints.call(options)
  }

  journalPath(runId = 'run-1'): string {
    return join(this.root, runId, '.drover-calls', 'journal')
  }

  async close(): Promise<void> {
    await this.processes.close()
    this.#checkpoints[Symbol.dispose]()
  }
}

/** Whether a process exists and is no zombie. */
export function lives(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
