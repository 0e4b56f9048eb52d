import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createUvExecutor } from '../../src/workers/uv/uv-executor.ts'
import type { UvExecutorOptions } from '../../src/workers/uv/uv-options.ts'
import { callArgsOf, writeCallArgs } from '../../src/workflow/calls/call-args.ts'
import type { FileExecutor, WorkerCall } from '../../src/workflow/calls/worker-call.ts'

/** A Python, or why there is none. */
export type FoundPython = { readonly python: string } | { readonly why: string }

/** A Python of 3.10 or newer on PATH. */
export function findPython(): FoundPython {
  try {
    const python = execFileSync('python3', ['-c', 'import sys; assert sys.version_info >= (3, 10); print(sys.executable)'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
    return { python }
  } catch {
    return { why: 'python3 on PATH is missing or older than 3.10' }
  }
}

/** What a worker needs of tierkreis, laid out as tierkreis 2.1 is; the real package is what the engine tests use. */
const STAND_IN = `import json, os, sys, traceback
class Worker:
    def __init__(self, name):
        self.name, self.functions, self.root = name, {}, os.environ['TKR_DIR']
    def task(self):
        def add(f):
            self.functions[f.__name__] = f
            return f
        return add
    def app(self, argv):
        if len(argv) <= 1:
            return
        at = lambda path: os.path.join(self.root, path)
        with open(at(argv[1])) as file:
            call = json.load(file)
        try:
            given = {port: json.load(open(at(path))) for port, path in call['inputs'].items() if os.path.exists(at(path))}
            value = self.functions[call['function_name']](**given)
            for port, path in call['outputs'].items():
                with open(at(path), 'w') as file:
                    json.dump(value, file)
            open(at(call['done_path']), 'w').close()
        except Exception as error:
            with open(at(call['error_path']), 'w') as file:
                file.write(str(error))
            raise RuntimeError('task failed') from error
`

/** A registry with workers in Python, a uv that knows this machine's Python only, a checkpoints directory, and executors of these. */
export class PythonWorkerRig {
  readonly directory = mkdtempSync(join(tmpdir(), 'drover-uv-test-'))
  readonly registry = join(this.directory, 'registry')
  readonly root = join(this.directory, 'checkpoints')
  readonly uv = join(this.directory, 'uv')
  /** What the executors noted. */
  readonly notes: string[] = []
  readonly #executors: FileExecutor[] = []
  #calls = 0

  constructor(python: FoundPython) {
    mkdirSync(this.root, { recursive: true })
    mkdirSync(this.registry)
    // uv run [--offline] python -c CODE | uv run main.py PATH
    const log = join(this.directory, 'uv-log')
    this.write(
      'uv',
      `#!/bin/sh
echo "$*" >>'${log}'
[ "$1" = run ] || { echo "error: unexpected argument" >&2; exit 2; }
shift
while [ "\${1#--}" != "$1" ]; do shift; done
[ -e no-such-package ] && { echo 'error: No solution found when resolving dependencies' >&2; exit 1; }
[ "$1" = python ] && shift
UV=fake VIRTUAL_ENV=/nowhere exec '${'python' in python ? python.python : ''}' "$@"
`,
    )
    chmodSync(this.uv, 0o755)
  }

  write(path: string, text: string): string {
    const full = join(this.directory, path)
    mkdirSync(dirname(full), { recursive: true })
    writeFileSync(full, text)
    return full
  }

  /** A worker with these lines between the making of the worker and its call of app. */
  worker(name: string, tasks: string, end = "if __name__ == '__main__':\n    worker.app(argv)\n", start = ''): void {
    this.write(`registry/${name}/tierkreis/__init__.py`, 'from tierkreis.worker.worker import Worker\n')
    this.write(`registry/${name}/tierkreis/worker/__init__.py`, '')
    this.write(`registry/${name}/tierkreis/worker/worker.py`, STAND_IN)
    this.write(
      `registry/${name}/main.py`,
      `${start}from sys import argv\nfrom tierkreis import Worker\nworker = Worker('${name}')\n${tasks}\n${end}`,
    )
  }

  /** A call as the controller hands it over. */
  call(worker: string, task: string, inputs: Readonly<Record<string, unknown>> = {}, more: Partial<WorkerCall> = {}): WorkerCall {
    const runId = more.runId ?? 'W'
    const loc = more.loc ?? `-.N${this.#calls++}`
    const place = `${runId}/${loc}`
    mkdirSync(join(this.root, place, 'outputs'), { recursive: true })
    const paths = Object.fromEntries(
      Object.entries(inputs).map(([port, value]) => {
        const path = `${runId}/.in-${loc}-${port}`
        writeFileSync(join(this.root, path), JSON.stringify(value))
        return [port, path]
      }),
    )
    const plain = callArgsOf({ runId, directory: place, task, inputs: new Map(Object.entries(paths)), outputs: ['value'] })
    const args = { ...plain, error_path: `${place}/_error` }
    writeFileSync(join(this.root, place, 'definition'), writeCallArgs(args))
    const directory = join(this.root, place)
    return { runId, loc, worker, task, attempt: 1, root: this.root, directory, argsPath: `${place}/definition`, args, ...more }
  }

  /** The value of a call's output port. */
  value(call: WorkerCall): unknown {
    return JSON.parse(readFileSync(join(call.directory, 'outputs/value'), 'utf8'))
  }

  read(...path: readonly string[]): string {
    return readFileSync(join(this.root, ...path), 'utf8')
  }

  /** What uv was asked. */
  get uvLog(): readonly string[] {
    return readFileSync(join(this.directory, 'uv-log'), 'utf8').trim().split('\n')
  }

  /** An executor of the registry's workers. */
  executor(more: Partial<UvExecutorOptions> = {}): FileExecutor {
    const made = createUvExecutor({ registries: [this.registry], uv: this.uv, onNote: (note) => this.notes.push(note), ...more })
    this.#executors.push(made)
    return made
  }

  /** Closes its executors and removes all its files. */
  async close(): Promise<void> {
    await Promise.all(this.#executors.map((one) => one.close()))
    rmSync(this.directory, { recursive: true, force: true })
  }
}
