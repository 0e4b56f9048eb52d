import type { CheckedTask, FileExecutor, WorkerCall } from '../../workflow/calls/worker-call.ts'
import { argsPathFor } from '../process/call-marks.ts'
import type { CallCommand } from '../process/process-calls.ts'
import { callEnvironment, refusePorts } from './call-environment.ts'
import { ScriptExecutor, type ScriptExecutorOptions } from './script-executor.ts'

/**
 * Runs workers that are programs of any language: `<program> <arguments>` in the checkpoints directory, told of their call by
 * variables too (`call-environment.ts`). Exit code 0 is success; the marks are made for them.
 */
export function createShellExecutor(options: ScriptExecutorOptions = {}): FileExecutor {
  return new ShellExecutor(options)
}

class ShellExecutor extends ScriptExecutor {
  readonly kind = 'shell'

  protected refuse(worker: string, task: CheckedTask): string | undefined {
    return refusePorts(worker, task)
  }

  protected prepareProgram(call: WorkerCall, program: string): CallCommand {
    const { env, paths = 'relative' } = this.options
    const argv = [program, argsPathFor(call, paths)]
    return { argv, cwd: call.root, env: { ...callEnvironment(call), ...env }, keepStdout: true }
  }
}
