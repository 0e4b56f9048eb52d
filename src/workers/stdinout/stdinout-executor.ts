import { renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { CheckedTask, FileExecutor, WorkerCall, WorkerEnd } from '../../workflow/calls/worker-call.ts'
import type { CallCommand } from '../process/process-calls.ts'
import { ScriptExecutor, type ScriptExecutorOptions } from '../shell/script-executor.ts'

/**
 * Runs filters as workers: `<program> <input >output`, for tasks of one input and one output port (none: stdin is empty). The
 * output appears as a whole, when the program has ended with 0. `paths` has no meaning here.
 */
export function createStdInOutExecutor(options: Omit<ScriptExecutorOptions, 'paths'> = {}): FileExecutor {
  return new StdInOutExecutor(options)
}

class StdInOutExecutor extends ScriptExecutor {
  readonly kind = 'stdinout'

  protected refuse(worker: string, { task, inputs, outputs }: CheckedTask): string | undefined {
    return refusePorts(worker, task, inputs, outputs)
  }

  protected prepareProgram(call: WorkerCall, program: string): CallCommand | string {
    const { inputs, outputs } = call.args
    const refused = refusePorts(call.worker, call.task, Object.keys(inputs), Object.keys(outputs))
    if (refused !== undefined) return refused
    const [input] = Object.values(inputs)
    rmSync(writtenTo(call), { force: true })
    return {
      argv: [program],
      cwd: call.root,
      env: { TKR_DIR: call.root, ...this.options.env },
      stdoutPath: writtenTo(call),
      ...(input === undefined ? {} : { stdin: resolve(call.root, input) }),
    }
  }

  /** Puts the output to its place. One that is there already was put there by a controller that died just after. */
  protected override ended(call: WorkerCall, end: WorkerEnd): void {
    const [output] = Object.values(call.args.outputs)
    if (end.outcome !== 'succeeded' || output === undefined) return
    try {
      renameSync(writtenTo(call), resolve(call.root, output))
    } catch {
      // Without its output the call fails by the check that follows, which names the port.
    }
  }
}

function writtenTo(call: WorkerCall): string {
  return join(call.directory, 'stdout')
}

function refusePorts(worker: string, task: string, inputs: readonly string[], outputs: readonly string[]): string | undefined {
  const named = (ports: readonly string[]): string => (ports.length === 0 ? 'none' : ports.map((port) => `"${port}"`).join(', '))
  const why =
    inputs.length > 1
      ? `one input port can be its stdin, and it has ${inputs.length}: ${named(inputs)}`
      : outputs.length !== 1 || outputs[0] === '*'
        ? `one output port takes its stdout, and it has ${named(outputs)}`
        : undefined
  return why === undefined ? undefined : `${worker}.${task} can't be run by the stdinout executor: ${why}. Assign it to a shell executor.`
}
