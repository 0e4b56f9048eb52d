import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InputError } from '../../errors.ts'
import { asWritten } from '../../workflow/values/codec.ts'
import type { Value } from '../../workflow/values/value.ts'
import { decodePort } from './port-files.ts'
import type { PortType } from './port-type.ts'
import { isEachPort, type TaskDefinition } from './task-definition.ts'
import { checkPorts, runTask } from './task-run.ts'
import type { Worker } from './worker.ts'
/** What a task in memory is called with. */
export interface MemoryCall {
  /** Contents of the input ports, as their files would have them. */
  readonly inputs: ReadonlyMap<string, Uint8Array>
  /** Ports that are read; default: all that the task has. */
  readonly outputs?: readonly string[]
  readonly signal: AbortSignal
  /** Takes lines of the task's log; default: stderr. */
  readonly log?: (text: string) => void
}
/** A task that is called in the process of the workflow. */
export interface MemoryTask {
  readonly inputs: readonly string[]
  /** Undefined for a task that gives elements: ports `0`, `1`, … */
  readonly outputs: readonly string[] | undefined
  /** Values by port. Throws what the task throws. */
  readonly run: (call: MemoryCall) => Promise<ReadonlyMap<string, Value>>
}
/** A worker for executors in memory. */
export interface MemoryWorker {
  readonly name: string
  readonly tasks: ReadonlyMap<string, MemoryTask>
}
/** The tasks of a worker, to be called without files; values of `file` ports go through a temporary directory. */
export function memoryWorker(worker: Worker): MemoryWorker {
  const tasks = [...worker.tasks].map(([name, task]): [string, MemoryTask] => {
    const outputs = task.outputs === undefined ? undefined : [...task.outputs.keys()]
    return [name, { inputs: [...task.inputs.keys()], outputs, run: async (call) => await callTask(task, call) }]
  })
  return { name: worker.name, tasks: new Map(tasks) }
}
async function callTask(task: TaskDefinition, call: MemoryCall): Promise<ReadonlyMap<string, Value>> {
  checkPorts(task, call.inputs.keys(), call.outputs ?? [])
  let directory: string | undefined
  let count = 0
  const newFile = (): string => join(directory ?? tmpdir(), `value-${count++}`)
  try {
    if (usesFiles(task)) directory = await mkdtemp(join(tmpdir(), 'drover-worker-'))
    const inputs: [string, unknown][] = []
    for (const [port, type] of task.inputs) {
      if (isEachPort(type)) throw new InputError('unsupported', `input "${port}" of task "${task.name}" is read from files only`)
      inputs.push([port, await readInput(task, port, type, call.inputs.get(port), newFile)])
    }
    const values = new Map<string, Value>()
    const log = call.log ?? ((text: string) => void process.stderr.write(`${text}\n`))
    await runTask(
      task,
      Object.fromEntries(inputs),
      { signal: call.signal, log, newFile },
      (port) => call.outputs?.includes(port) ?? true,
      async (port, type, value) => {
        const encoded = type.encode(value, `output "${port}"`)
        values.set(port, type.format === 'file' ? await readFile(String(encoded)) : asWritten(encoded))
      },
    )
    return values
  } finally {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true })
  }
}
function usesFiles(task: TaskDefinition): boolean {
  const types = [...task.inputs.values(), ...(task.outputs?.values() ?? []), task.eachOutput]
  return types.some((type) => type !== undefined && 'format' in type && type.format === 'file')
}
async function readInput(
  task: TaskDefinition,
  port: string,
  type: PortType<unknown>,
  content: Uint8Array | undefined,
  newFile: () => string,
): Promise<unknown> {
  if (content === undefined) {
    if (type.isOptional) return type.fallback
    throw new InputError('invalid_argument', `input "${port}" of task "${task.name}" was not given`)
  }
  if (type.format !== 'file') return decodePort(content, type, `input "${port}"`)
  const path = newFile()
  await writeFile(path, content)
  return path
}
