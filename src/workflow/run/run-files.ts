import { createHash } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { InputError } from '../../errors.ts'
import { callArgsOf, writeCallArgs } from '../calls/call-args.ts'
import type { WorkerCall } from '../calls/worker-call.ts'
import { Content } from '../engine/content.ts'
import type { EngineObserver } from '../engine/engine.ts'
import type { Contents, NodeRun, Scope } from '../engine/scope.ts'
import type { PortRef } from '../model/graph-data.ts'
import type { RunState } from './journal-record.ts'

/** Most bytes of a directory's name on the usual file systems. */
const MOST_NAME_BYTES = 255

/**
 * The files of a run, below the checkpoints directory. By default only calls of workers have any: their directories are those of
 * Tierkreis (`<root>/<run>/<loc>/definition`, `outputs/<port>`, …), and what other nodes hold becomes a file when a worker reads it.
 */
export class RunFiles {
  /** Absolute: `TKR_DIR` for workers. */
  readonly root: string
  readonly runId: string
  readonly observer: EngineObserver = {}

  constructor(root: string, runId: string) {
    this.root = root
    this.runId = runId
  }

  /** Absolute directory of a location. A name longer than file systems allow is cut, with a hash of the whole. */
  directoryOf(loc: string): string {
    return join(this.root, this.runId, this.nameOf(loc))
  }

  protected nameOf(loc: string): string {
    if (Buffer.byteLength(loc) <= MOST_NAME_BYTES) return loc
    return `${loc.slice(0, 180)}~${createHash('sha256').update(loc).digest('hex').slice(0, 40)}`
  }

  /** Makes the directory of a call, with `definition` and the files it reads. What an earlier attempt left is put aside. */
  prepareCall(run: NodeRun, worker: string, task: string, attempt: number, timeoutMs: number | undefined): WorkerCall {
    const directory = this.directoryOf(run.loc)
    if (attempt > 1) putAside(directory, attempt - 1)
    mkdirSync(join(directory, 'outputs'), { recursive: true, mode: 0o700 })
    const call = this.#describe(run, directory, worker, task, attempt, timeoutMs)
    writeAtomically(join(directory, 'definition'), writeCallArgs(call.args))
    return call
  }

  /** The call of an earlier controller, as it was made. */
  describeCall(run: NodeRun, worker: string, task: string, attempt: number, timeoutMs: number | undefined): WorkerCall {
    return this.#describe(run, this.directoryOf(run.loc), worker, task, attempt, timeoutMs)
  }

  /** The files that an ended call has written, by port. */
  outputsOf(call: WorkerCall): Contents {
    const outputs = new Map<string, Content>()
    const directory = join(call.directory, 'outputs')
    const add = (port: string): void => {
      const path = join(directory, port)
      if (existsSync(path)) outputs.set(port, Content.file(path))
    }
    for (const port of Object.keys(call.args.outputs)) {
      if (!port.endsWith('*')) add(port)
      else for (const name of readdirSync(directory)) if (name.startsWith(port.slice(0, -1))) add(name)
    }
    return outputs
  }

  /** Called once when the run has ended, with the locations that failed. */
  runEnded(_state: RunState, _failed: readonly string[]): void {}

  #describe(run: NodeRun, directory: string, worker: string, task: string, attempt: number, timeoutMs: number | undefined): WorkerCall {
    const { program } = run.scope
    const inputs = new Map(Array.from(program.node(run.index).inputs, ([port, ref]) => [port, this.pathOf(run.scope, ref)]))
    const outputs = program.consumed(run.index).map(portFile)
    const within = relative(this.root, directory)
    const args = callArgsOf({ runId: this.runId, directory: within, task, inputs, outputs })
    return {
      runId: this.runId,
      loc: run.loc,
      worker,
      task,
      attempt,
      root: this.root,
      directory,
      argsPath: `${within}/definition`,
      args,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    }
  }

  /** Path of what a port reads, relative to the root; where nothing was given a path that is not there. */
  protected pathOf(scope: Scope, ref: PortRef): string {
    const home = join(this.directoryOf(`${scope.loc}.N${ref.node}`), 'outputs')
    if (ref.port.endsWith('*')) {
      for (const { name, content } of scope.elements(ref)) placeContent(content, join(home, portFile(name)))
      mkdirSync(home, { recursive: true, mode: 0o700 })
      return relative(this.root, join(home, ref.port))
    }
    const content = scope.content(ref)
    const path = join(home, portFile(ref.port))
    if (content === undefined) return relative(this.root, path)
    if (content.path === undefined) placeContent(content, path)
    return relative(this.root, content.path ?? path)
  }
}

/** Puts a content's file at a path: written where there is none yet, else linked. What lies there from a run that was cut off gives way. */
export function placeContent(content: Content, path: string): void {
  if (content.path === path) return
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  if (content.path === undefined) {
    writeAtomically(path, content.bytes)
    content.path = path
    return
  }
  const there = statSync(path, { throwIfNoEntry: false })
  if (there !== undefined) {
    const here = statSync(content.path)
    if (there.ino === here.ino && there.dev === here.dev) return
    rmSync(path)
  }
  try {
    linkSync(content.path, path)
  } catch {
    // Another file system, or one without hard links.
    symlinkSync(content.path, path)
  }
}

/** The name of a port's file. Throws InputError for a port that would lie outside the directory of outputs. */
export function portFile(port: string): string {
  if (isPortFile(port)) return port
  throw new InputError('invalid_task', `the port ${JSON.stringify(port)} can't name a file, so no worker can be given it`)
}

/** Whether a port can name a file in the directory of outputs. */
export function isPortFile(port: string): boolean {
  return !/[/\0]/.test(port) && port !== '' && port !== '.' && port !== '..' && Buffer.byteLength(port) <= MOST_NAME_BYTES
}

/** A reader sees the whole file or none. */
export function writeAtomically(path: string, bytes: Uint8Array | string): void {
  const unfinished = `${path}.drover-tmp`
  writeFileSync(unfinished, bytes, { mode: 0o600 })
  renameSync(unfinished, path)
}

/** What belongs to the node, not to one of its attempts. */
const NODE_FILES: readonly string[] = ['attempts', 'nodedef']

/** Moves what an attempt left into `attempts/<number>`. One that was moved by a controller which died just after stays as it is. */
function putAside(directory: string, attempt: number): void {
  const aside = join(directory, 'attempts', String(attempt))
  if (!existsSync(directory) || existsSync(aside)) return
  const unfinished = `${aside}.drover-tmp`
  mkdirSync(unfinished, { recursive: true, mode: 0o700 })
  for (const name of readdirSync(directory)) {
    if (NODE_FILES.includes(name)) continue
    const there = join(unfinished, name)
    rmSync(there, { recursive: true, force: true })
    renameSync(join(directory, name), there)
  }
  renameSync(unfinished, aside)
}
