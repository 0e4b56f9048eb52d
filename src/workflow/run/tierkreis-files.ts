import { appendFileSync, copyFileSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { writeCallArgs } from '../calls/call-args.ts'
import { Content } from '../engine/content.ts'
import type { EngineObserver } from '../engine/engine.ts'
import type { Program } from '../engine/program.ts'
import type { Contents, NodeRun, Scope } from '../engine/scope.ts'
import { writeGraph } from '../model/graph-codec.ts'
import { inEdges } from '../model/graph-shape.ts'
import { encodeJson } from '../values/json-encoder.ts'
import { type Dict, isDict, isList, type Value } from '../values/value.ts'
import { VALUE_DIALECTS } from '../values/value-dialect.ts'
import type { RunState } from './journal-record.ts'
import type { RunDescription } from './run-directory.ts'
import { isPortFile, placeContent, portFile, RunFiles, writeAtomically } from './run-files.ts'

/** The release whose directories are written. */
const VERSION = '2.1.1'

/** What says that a node failed. */
const FAILURE_FILES = ['_error', 'errors', 'logs'] as const

/** Of a run that is over and written down once more: what is not in its journal. */
export interface PastRun {
  /** Checkpoints directory with the files of its calls, absolute. */
  readonly root: string
  /** Undefined: it has not ended. */
  readonly endedAt: Date | undefined
}

/**
 * The whole checkpoint directory as Tierkreis 2.1.1 writes it, so that its tools can read the run: every node of every scope has
 * `nodedef` from its start, `outputs/` and `_done` from its end; what is linked there is linked here.
 */
export class TierkreisFiles extends RunFiles {
  override readonly observer: EngineObserver = {
    scopeOpened: (scope) => this.#scopeOpened(scope),
    nodeStarted: (run) => this.#nodeStarted(run),
    nodeEnded: (run) => this.#nodeEnded(run),
    scopeEnded: (scope, outputs) => this.#scopeEnded(scope, outputs),
  }
  readonly #directory: string
  readonly #description: RunDescription
  readonly #started: string
  /** Nothing of an earlier controller lies there. */
  readonly #isFresh: boolean
  readonly #past: PastRun | undefined
  /** Nodes of a graph as `nodedef` has them. */
  readonly #definitions = new WeakMap<Program, readonly Dict[]>()

  constructor(root: string, description: RunDescription, past?: PastRun) {
    super(root, description.id)
    this.#past = past
    this.#directory = join(root, description.id)
    this.#description = description
    this.#started = pythonTime(new Date(description.created_at))
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    const metadata = compactJson(this.#metadata(null))
    this.#isFresh = !existsSync(join(this.#directory, '_metadata'))
    if (this.#isFresh) writeAtomically(join(this.#directory, '_metadata'), metadata)
  }

  override runEnded(state: RunState, failed: readonly string[]): void {
    const root = join(this.#directory, '-')
    mkdirSync(root, { recursive: true, mode: 0o700 })
    for (const name of FAILURE_FILES) rmSync(join(root, name), { force: true })
    if (state === 'succeeded') {
      const metadata = encodeJson(this.#metadata(pythonTime(this.#past?.endedAt ?? new Date())), { ...VALUE_DIALECTS['2.1.0'], indent: 0 })
      writeAtomically(join(root, '_metadata'), metadata)
    } else {
      // `_error` of 2.1.1 names the nodes; `errors` is where 2.0.9 does.
      writeAtomically(join(root, '_error'), failed.join('\n'))
      writeAtomically(join(root, 'errors'), failed.join('\n'))
    }
  }

  protected override pathOf(scope: Scope, ref: { readonly node: number; readonly port: string }): string {
    return relative(this.root, join(this.directoryOf(`${scope.loc}.N${ref.node}`), 'outputs', portFile(ref.port)))
  }

  #metadata(completed: string | null): Dict {
    return new Map<string, Value>([
      ['workflow_id', this.runId],
      ['tierkreis_version', VERSION],
      ['user_id', userInfo().username],
      ['name', this.#description.name],
      ['start_time', this.#started],
      ['completion_time', completed],
      ['execution_count', 1n],
    ])
  }

  #scopeOpened(scope: Scope): void {
    const home = this.directoryOf(scope.loc)
    if (scope.retry > 0) {
      rmSync(this.directoryOf(`${scope.loc}.N-1`), { recursive: true, force: true })
      for (const name of ['outputs', '_done', ...FAILURE_FILES]) rmSync(join(home, name), { recursive: true, force: true })
    }
    const { owner } = scope
    // An eval's own node has it already.
    if (owner === undefined) {
      const inputs = new Map<string, Value>(Array.from(scope.inputs.keys(), (port) => [port, [-1n, port]]))
      inputs.delete('body')
      this.#define(home, evalNode(new Map(), inputs))
      this.#place(join(this.#directory, '.N-1'), scope.inputs)
    } else if (scope.step !== '') this.#define(home, this.#innerEval(scope, owner))
    // What a loop is given has a place of its own, beside that of its first iteration.
    if (owner !== undefined && scope.step === 'L0') this.#place(this.directoryOf(`${owner.loc}.N-1`), scope.inputs)
    this.#place(this.directoryOf(`${scope.loc}.N-1`), scope.inputs)
  }

  #nodeStarted(run: NodeRun): void {
    const { scope, index } = run
    this.#giveConstants(run)
    const home = this.directoryOf(run.loc)
    const node = scope.program.node(index)
    const remembered = scope.memory?.results.get(index)
    const isBuiltin = node.type === 'function' && node.functionName.startsWith('builtins.')
    if (isBuiltin && (remembered === undefined || remembered.retry < run.retry)) rmSync(home, { recursive: true, force: true })
    if (!this.#isFresh && node.type !== 'function') for (const name of FAILURE_FILES) rmSync(join(home, name), { force: true })
    this.#define(home, this.#definition(scope.program, index))
    if (node.type !== 'function' || existsSync(join(home, 'definition'))) return
    // The call of a worker is written when it is made.
    if (!isBuiltin && this.#past === undefined) return
    mkdirSync(join(home, 'outputs'), { recursive: true, mode: 0o700 })
    const [, worker = '', task = node.functionName] = /^(.*)\.([^.]*)$/s.exec(node.functionName) ?? []
    const { args } = this.describeCall(run, worker, task, 1, undefined)
    writeAtomically(join(home, 'definition'), writeCallArgs(args))
    if (!isBuiltin) {
      this.#bringLogs(run.loc, home)
      return
    }
    this.#log(`START builtin ${this.runId}/${run.loc}/definition`)
    touch(join(this.directoryOf(scope.loc), '_metadata'))
  }

  #nodeEnded(run: NodeRun): void {
    const home = this.directoryOf(run.loc)
    const node = run.scope.program.node(run.index)
    if (run.state === 'failed') {
      if (run.failure === undefined) return
      touch(join(home, '_error'))
      if (node.type !== 'function' || node.functionName.startsWith('builtins.')) {
        writeAtomically(join(home, 'errors'), run.failure.message)
      } else this.#nameLogs(home)
      const logs = join(home, 'logs')
      if (!statSync(logs, { throwIfNoEntry: false })?.size) writeAtomically(logs, `${run.failure.message}\n`)
      this.#log(`Node ${run.loc} has encountered an error.`)
      return
    }
    if (node.type === 'function') this.#nameLogs(home)
    // The outputs of an eval are its scope's; an output node has none.
    if (node.type === 'ifelse') this.#giveBranch(run)
    if (node.type !== 'output' && run.outputs !== undefined) this.#place(home, run.outputs)
    touch(join(home, '_done'))
    if (node.type === 'loop' && node.name !== undefined) this.#nameLoop(node.name, run.loc)
  }

  #scopeEnded(scope: Scope, outputs: Contents): void {
    const home = this.directoryOf(scope.loc)
    this.#place(home, outputs)
    touch(join(home, '_done'))
    if (scope.owner !== undefined && scope.step !== '') touch(join(this.directoryOf(scope.owner.loc), '_metadata'))
  }

  /** Constants and inputs are nodes of their own there: they come into being when somebody first reads them. */
  #giveConstants(run: NodeRun): void {
    const node = run.scope.program.node(run.index)
    for (const [, ref] of inEdges(node)) this.#giveConstant(run.scope, ref.node)
  }

  #giveBranch(run: NodeRun): void {
    const node = run.scope.program.node(run.index)
    if (node.type !== 'ifelse') return
    const taken = run.scope.content(node.pred)?.isTrue === true ? node.ifTrue : node.ifFalse
    this.#giveConstant(run.scope, taken.node)
  }

  #giveConstant(scope: Scope, index: number): void {
    const node = index < 0 ? undefined : scope.program.node(index)
    if (node?.type !== 'const' && node?.type !== 'input') return
    const home = this.directoryOf(`${scope.loc}.N${index}`)
    if (existsSync(join(home, '_done'))) return
    this.#define(home, this.#definition(scope.program, index))
    const port = node.type === 'const' ? 'value' : node.name
    const content = scope.content({ node: index, port })
    // A constant is one object for all evaluations of its graph; each has a file of its own there.
    if (content?.path !== undefined && node.type === 'const') writeAtomically(join(made(home), portFile(port)), content.bytes)
    else if (content !== undefined) this.#place(home, new Map([[port, content]]))
    touch(join(home, '_done'))
  }

  /** What a worker wrote to stderr: `errors` of 2.0.9 is `logs` since 2.0.10, which a worker that fails writes itself. */
  #nameLogs(home: string): void {
    const [errors, logs] = [join(home, 'errors'), join(home, 'logs')]
    if (existsSync(errors) && !existsSync(logs)) placeContent(Content.file(errors), logs)
  }

  #bringLogs(loc: string, home: string): void {
    if (this.#past === undefined) return
    const from = new RunFiles(this.#past.root, this.runId).directoryOf(loc)
    for (const name of ['logs', 'errors']) {
      // A controller that goes on here adds to it.
      if (existsSync(join(from, name))) copyFileSync(join(from, name), join(home, name))
    }
  }

  #place(home: string, contents: ReadonlyMap<string, Content>): void {
    for (const [port, content] of contents) {
      // Only a task in memory can have such a port; whatever reads it has it from memory.
      if (isPortFile(port)) placeContent(content, join(home, 'outputs', portFile(port)))
    }
  }

  #define(home: string, definition: Dict): void {
    const path = join(home, 'nodedef')
    if (existsSync(path)) return
    mkdirSync(home, { recursive: true, mode: 0o700 })
    writeAtomically(path, compactJson(definition))
  }

  #definition(program: Program, index: number): Dict {
    let definitions = this.#definitions.get(program)
    if (definitions === undefined) {
      const nodes = writeGraph(program.graph).get('nodes')
      definitions = isList(nodes ?? null) ? (nodes as readonly Value[]).filter(isDict) : []
      this.#definitions.set(program, definitions)
    }
    return definitions[index] ?? new Map()
  }

  /** The node that an iteration or an element is. */
  #innerEval(scope: Scope, owner: NodeRun): Dict {
    const definition = this.#definition(owner.scope.program, owner.index)
    const outputs = dictOf(definition.get('outputs'))
    const inputs = dictOf(definition.get('inputs'))
    if (scope.step.startsWith('M')) return evalNode(outputs, inputs)
    const given = new Map<string, Value>(Array.from(inputs.keys(), (port) => [port, [-1n, port]]))
    if (scope.position === 0) given.set('body', [-1n, 'body'])
    else {
      for (const [port, ref] of scope.program.node(scope.program.output).inputs) given.set(port, [BigInt(ref.node), ref.port])
    }
    return evalNode(outputs, given)
  }

  #nameLoop(name: string, loc: string): void {
    const directory = join(this.#directory, 'debug')
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    this.#loops.set(name, new Map([['loop_loc', loc]]))
    writeAtomically(join(directory, 'nodes'), encodeJson(this.#loops, { ...VALUE_DIALECTS['2.1.0'], indent: 0 }))
  }
  readonly #loops = new Map<string, Value>()

  #log(line: string): void {
    if (this.#past !== undefined) return
    appendFileSync(join(this.#directory, 'logs'), `${pythonTime(new Date())}: ${line}\n`, { mode: 0o600 })
  }
}

function evalNode(outputs: Dict, inputs: Dict): Dict {
  return new Map<string, Value>([
    ['outputs', outputs],
    ['graph', [-1n, 'body']],
    ['inputs', inputs],
    ['type', 'eval'],
  ])
}

function dictOf(value: Value | undefined): Dict {
  return value !== undefined && isDict(value) ? value : new Map()
}

function made(home: string): string {
  const directory = join(home, 'outputs')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  return directory
}

function touch(path: string): void {
  // A worker may have taken its directory away.
  if (!existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(path, '', { flag: 'a', mode: 0o600 })
}

/** JSON as pydantic writes it: no spaces, text unescaped. */
function compactJson(value: Value): string {
  if (isList(value)) return `[${value.map(compactJson).join(',')}]`
  if (isDict(value)) return `{${Array.from(value, ([key, item]) => `${JSON.stringify(key)}:${compactJson(item)}`).join(',')}}`
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return 'null'
  return encodeJson(value, VALUE_DIALECTS['2.1.0'])
}

/** `datetime.isoformat()` of local time. */
function pythonTime(date: Date): string {
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000)
  return local.toISOString().replace(/(\.\d{3})Z$/, '$1000')
}
