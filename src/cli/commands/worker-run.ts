import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InputError } from '../../errors.ts'
import { createShellExecutor } from '../../workers/shell/shell-executor.ts'
import { type InterfaceTask, outputPorts, type WorkerInterface } from '../../workers/stubs/worker-interface.ts'
import { createUvExecutor } from '../../workers/uv/uv-executor.ts'
import { callArgsOf, outputPath, writeCallArgs } from '../../workflow/calls/call-args.ts'
import { checkOutputs } from '../../workflow/calls/check-outputs.ts'
import type { FileExecutor, WorkerCall, WorkerEnd } from '../../workflow/calls/worker-call.ts'
import { readValue } from '../../workflow/values/codec.ts'
import type { Cli } from '../cli.ts'
import { printable } from '../output/table.ts'
import { type FoundWorker, findOne, workerPlaces } from './worker-find.ts'
import { describeWorker, writtenInterface } from './worker-interface.ts'
import { plainValue, readInputs } from './worker-values.ts'

/** Flags of `drover worker run`. */
export interface RunFlags {
  readonly registry?: readonly string[]
  readonly input?: readonly string[]
  readonly port?: readonly string[]
  readonly timeout?: number
  readonly keep?: boolean
}

/** Values above this many bytes are shown by their size alone. */
const MAX_SHOWN = 1 << 20

/** The executor that calls a worker of this kind. */
export function executorFor(worker: FoundWorker, searchPath: string): FileExecutor {
  const registries = worker.registry === null ? [] : [worker.registry]
  // One call needs no host that is kept warm.
  return worker.kind === 'python' ? createUvExecutor({ registries, warm: false }) : createShellExecutor({ registries, searchPath })
}

/** `drover worker run NAME TASK`: one call without a workflow, in a checkpoints directory of its own. */
export async function runWorker(cli: Cli, name: string, task: string, flags: RunFlags): Promise<void> {
  const places = workerPlaces(cli, flags)
  const inputs = readInputs(flags.input ?? [], cli.host.directory)
  const worker = await findOne(name, places)
  const ports = flags.port ?? (await portsOf(worker, task))
  const root = mkdtempSync(join(tmpdir(), 'drover-worker-'))
  const executor = executorFor(worker, places.searchPath)
  try {
    const call = prepareCall(root, name, task, inputs, ports, flags.timeout)
    const refused = await executor.check(name, [{ task, inputs: [...inputs.keys()], outputs: ports }])
    if (refused !== undefined) throw new InputError('invalid_argument', `cannot call ${name}.${task}: ${refused}`)
    const end = await runCall(cli, executor, call)
    await printEnd(cli, call, end)
    if (flags.keep) await cli.say(`kept: ${call.directory}`)
  } finally {
    await executor.close()
    if (!flags.keep) rmSync(root, { recursive: true, force: true })
  }
}

/** The output ports that the task has, as far as that is written down or the worker says it; else `value`. */
async function portsOf(worker: FoundWorker, task: string): Promise<readonly string[]> {
  const written = writtenInterface(worker)
  const known = written !== undefined && 'described' in written ? find(written.described, task) : undefined
  if (known !== undefined) return known
  if (worker.kind === 'script') return ['value']
  const asked = await describeWorker(worker)
  // A worker that cannot even describe itself is called all the same: its own message is the better one.
  return 'described' in asked ? (find(asked.described, task) ?? ['value']) : ['value']
}

function find(described: WorkerInterface, task: string): readonly string[] | undefined {
  const found: InterfaceTask | undefined = described.tasks.find(({ name }) => name === task)
  return found === undefined ? undefined : outputPorts(described, found).map(({ name }) => name)
}

function prepareCall(
  root: string,
  worker: string,
  task: string,
  inputs: ReadonlyMap<string, Uint8Array>,
  outputs: readonly string[],
  timeoutMs: number | undefined,
): WorkerCall {
  const runId = 'run'
  const loc = '-.N1'
  const [giver, node] = [`${runId}/-.N0`, `${runId}/${loc}`]
  for (const one of [giver, node]) mkdirSync(join(root, one, 'outputs'), { recursive: true })
  const places = new Map(Array.from(inputs.keys(), (port) => [port, outputPath(giver, port)]))
  for (const [port, content] of inputs) writeFileSync(join(root, outputPath(giver, port)), content)
  const args = callArgsOf({ runId, directory: node, task, inputs: places, outputs })
  const [directory, argsPath] = [join(root, node), `${node}/definition`]
  writeFileSync(join(root, argsPath), writeCallArgs(args))
  return { runId, loc, worker, task, attempt: 1, root, directory, argsPath, args, ...(timeoutMs === undefined ? {} : { timeoutMs }) }
}

async function runCall(cli: Cli, executor: FileExecutor, call: WorkerCall): Promise<WorkerEnd> {
  const interruption = cli.host.interruption()
  const limit = call.timeoutMs === undefined ? undefined : AbortSignal.timeout(call.timeoutMs)
  const end = await executor.run(call, { signal: limit === undefined ? interruption : AbortSignal.any([interruption, limit]) })
  if (end.outcome === 'cancelled' && limit?.aborted && !interruption.aborted) {
    return { outcome: 'failed', cause: 'timeout', message: `it did not end within ${(call.timeoutMs ?? 0) / 1000} s` }
  }
  if (end.outcome !== 'succeeded') return end
  const { missing } = await checkOutputs(call)
  if (missing.length === 0) return end
  const ports = missing.map((port) => `"${port}"`).join(', ')
  return { outcome: 'failed', cause: 'missing_output', message: `it ended well, but did not write its output ${ports}` }
}

async function printEnd(cli: Cli, call: WorkerCall, end: WorkerEnd): Promise<void> {
  const outputs = end.outcome === 'succeeded' ? readOutputs(call) : {}
  const log = readText(join(call.root, call.runId, 'logs'))
  const error = end.outcome === 'failed' ? { cause: end.cause, message: end.message, exit_code: end.exitCode ?? null } : null
  await cli.print({
    json: { worker: call.worker, task: call.task, state: end.outcome, outputs, error, log },
    ids: Object.keys(outputs),
    text: () =>
      Object.entries(outputs)
        .map(([port, value]) => `${port} = ${printable(JSON.stringify(value) ?? 'null')}\n`)
        .join(''),
  })
  if (log !== '' && cli.mode !== 'json') await cli.say(printable(log.trimEnd()))
  if (end.outcome === 'succeeded') return
  if (end.outcome === 'failed') await cli.say(`drover: ${call.worker}.${call.task} failed (${end.cause}): ${printable(end.message)}`)
  cli.exitCode = end.outcome === 'cancelled' ? 130 : end.exitCode === undefined || end.exitCode === 0 ? 1 : end.exitCode
}

function readOutputs(call: WorkerCall): Record<string, unknown> {
  const directory = join(call.directory, 'outputs')
  const names = readdirSync(directory).filter((name) => !name.startsWith('.'))
  const byNumber = (name: string): number => Number(name.split('-').at(-1))
  const sorted = names.every((name) => Number.isInteger(byNumber(name))) ? names.toSorted((a, b) => byNumber(a) - byNumber(b)) : names
  const order = Object.keys(call.args.outputs)
  const ranked = sorted.toSorted((a, b) => order.indexOf(a) - order.indexOf(b))
  return Object.fromEntries(ranked.map((name) => [name, shown(join(directory, name))]))
}

function shown(path: string): unknown {
  const { size } = statSync(path)
  return size > MAX_SHOWN ? { file: path, bytes: size } : plainValue(readValue(readFileSync(path)))
}

function readText(path: string): string {
  return existsSync(path) && statSync(path).size <= MAX_SHOWN ? readFileSync(path, 'utf8') : ''
}
