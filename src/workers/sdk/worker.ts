import { InputError } from '../../errors.ts'
import type { WorkerInterface } from '../stubs/worker-interface.ts'
import { interfaceOf } from './interface-of.ts'
import { type MemoryWorker, memoryWorker } from './memory-worker.ts'
import {
  compilePorts,
  type InputPorts,
  type OutputPorts,
  type TaskContext,
  type TaskDefinition,
  type TaskInputs,
  type TaskPorts,
  type TaskResult,
} from './task-definition.ts'
import { runApp } from './worker-app.ts'

/** What `worker` takes beside the name. */
export interface WorkerOptions {
  /** Release of Tierkreis whose encoding outputs have; default: the one that runs the workflow where it says so, else the newest. */
  readonly tierkreis?: string
}

const TASK_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
const WORKER_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/

/** Tasks under one name, that a workflow calls as `<worker>.<task>`. */
export class Worker {
  readonly name: string
  readonly options: WorkerOptions
  readonly #tasks = new Map<string, TaskDefinition>()

  constructor(name: string, options: WorkerOptions = {}) {
    if (!WORKER_NAME.test(name)) {
      throw new InputError('invalid_argument', `${JSON.stringify(name)} is no name for a worker`, {
        hint: 'Letters, digits, "_", "-" and ".".',
      })
    }
    this.name = name
    this.options = options
  }

  /**
   * Adds a task. It is called with its inputs by port and returns its outputs, or a promise of them; what it throws is the error
   * of the workflow's node. Throws `InputError` for a name that is taken or is no identifier.
   */
  task<const I extends InputPorts, const O extends OutputPorts>(
    name: string,
    ports: TaskPorts<I, O>,
    run: (inputs: TaskInputs<I>, context: TaskContext) => TaskResult<O> | Promise<TaskResult<O>>,
  ): this {
    if (!TASK_NAME.test(name)) {
      throw new InputError('invalid_argument', `${JSON.stringify(name)} is no name for a task of worker "${this.name}"`, {
        hint: 'A letter or "_", then letters, digits and "_".',
      })
    }
    if (this.#tasks.has(name)) throw new InputError('invalid_argument', `worker "${this.name}" has two tasks "${name}"`)
    this.#tasks.set(name, { name, ...compilePorts(ports), run: run as TaskDefinition['run'] })
    return this
  }

  /** The tasks by name. */
  get tasks(): ReadonlyMap<string, TaskDefinition> {
    return this.#tasks
  }

  /** Tasks, ports and types, from which stubs are written. */
  describe(): WorkerInterface {
    return interfaceOf(this.name, this.#tasks)
  }

  /** The tasks for a workflow that runs them in its own process, without files. */
  inMemory(): MemoryWorker {
    return memoryWorker(this)
  }

  /**
   * The program `tkr-<name>`: runs the call whose arguments lie at the path given, or writes stubs, and ends the process with the
   * exit code. `--help` lists what it takes. Without arguments it ends with 0, as workers of Tierkreis do.
   */
  async app(argv: readonly string[] = process.argv): Promise<void> {
    await runApp(this, argv.slice(2))
  }
}

/** A new worker without tasks. */
export function worker(name: string, options: WorkerOptions = {}): Worker {
  return new Worker(name, options)
}
