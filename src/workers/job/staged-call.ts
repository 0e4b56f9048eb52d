import { copyFile, link, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { writeCallArgs } from '../../workflow/calls/call-args.ts'
import type { WorkerCall, WorkerCallArgs } from '../../workflow/calls/worker-call.ts'
import { writeCallVariables } from './call-variables.ts'
import { OTHER_RANKS } from './job-script.ts'

/** Name of the private checkpoints directory in a job's work directory. */
export const STAGED_ROOT = 'checkpoints'

/** A call as a job has it that does not see the run's directory: the same layout below a checkpoints directory of its own. */
export interface StagedCall {
  readonly args: WorkerCallArgs
  /** File there, relative to the checkpoints directory → absolute file here. Of a port's `*` all that is below the directory. */
  readonly inputs: ReadonlyMap<string, string>
  readonly outputs: ReadonlyMap<string, string>
}

type CallFiles = Pick<WorkerCall, 'args' | 'root' | 'runId' | 'loc' | 'argsPath'>

/** What is beside a call's arguments. */
export interface BesideCall {
  /** Arguments for processes that don't write. */
  readonly otherRanks: boolean
  /** Variables for a script. */
  readonly variables: boolean
}

/** Where each file of a call lies there. What is outside of the checkpoints directory gets a place beside the call. */
export function stageCall({ args, root, runId, loc }: CallFiles): StagedCall {
  const beside = `${runId}/${loc}`
  const inputs = new Map<string, string>()
  const outputs = new Map<string, string>()
  const place = (path: string, otherwise: string, into: Map<string, string>): string => {
    const absolute = resolve(root, path)
    const inside = relative(root, absolute)
    const there = inside === '' || inside.startsWith('..') || isAbsolute(inside) ? `${beside}/${otherwise}` : inside
    into.set(there, absolute)
    return there
  }
  const ports = (of: Readonly<Record<string, string>>, kind: string, into: Map<string, string>): Record<string, string> =>
    Object.fromEntries(Object.entries(of).map(([port, path]) => [port, place(path, `drover-${kind}/${port}/${basename(path)}`, into)]))
  const directories = new Map<string, string>()
  const staged = {
    ...args,
    inputs: ports(args.inputs, 'inputs', inputs),
    outputs: ports(args.outputs, 'outputs', outputs),
    output_dir: args.output_dir === '' ? '' : place(args.output_dir, 'drover-outputs', directories),
    done_path: place(args.done_path, '_done', outputs),
    error_path: place(args.error_path, '_error_text', outputs),
    // Calls of one run share a log: of this one's lines it is known only here which they are.
    logs_path: args.logs_path === null ? null : `${beside}/drover-log`,
    ...(typeof args.errors_path === 'string' ? { errors_path: place(args.errors_path, 'errors', outputs) } : {}),
  }
  for (const name of ['_done', '_error', '_errors', 'errors']) outputs.set(`${beside}/${name}`, join(root, beside, name))
  if (args.logs_path !== null) outputs.set(`${beside}/drover-log`, resolve(root, args.logs_path))
  return { args: staged, inputs, outputs }
}

/** Arguments for processes that don't write: all that they would write goes where nobody reads it. Relative to the same root. */
function otherRanksArgs(args: WorkerCallArgs, argsPath: string): WorkerCallArgs {
  const beside = `${dirname(argsPath)}/${OTHER_RANKS}`
  const outputs = Object.fromEntries(Object.entries(args.outputs).map(([port, path]) => [port, `${beside}/outputs/${basename(path)}`]))
  return {
    ...args,
    outputs,
    output_dir: args.output_dir === '' ? '' : `${beside}/outputs`,
    done_path: `${beside}/_done`,
    error_path: `${beside}/_error_text`,
    ...(typeof args.errors_path === 'string' ? { errors_path: `${beside}/errors` } : {}),
  }
}

/** Writes what is to lie beside the call's arguments, below `root`; `args` are the job's. */
export async function writeBeside(
  root: string,
  call: WorkerCall,
  args: WorkerCallArgs,
  { otherRanks, variables }: BesideCall,
): Promise<void> {
  if (variables) await writeCallVariables(root, call, args, call.argsPath)
  if (!otherRanks) return
  const others = `${dirname(call.argsPath)}/${OTHER_RANKS}`
  const theirs = otherRanksArgs(args, call.argsPath)
  await mkdir(join(root, others, 'outputs'), { recursive: true })
  await writeFile(join(root, others, 'definition'), writeCallArgs(theirs))
  if (variables) await writeCallVariables(root, call, theirs, `${others}/definition`)
}

/**
 * Makes the checkpoints directory of a job below `directory`: arguments, input files (hard links, copies across file systems), empty
 * output directories. An input that is not there is left out: the worker takes its default.
 */
export async function buildStage(calls: readonly WorkerCall[], directory: string, beside: BesideCall): Promise<void> {
  const placed = new Set<string>()
  for (const call of calls) {
    const { args, inputs } = stageCall(call)
    const definition = join(directory, call.argsPath)
    await mkdir(dirname(definition), { recursive: true })
    await writeFile(definition, writeCallArgs(args))
    if (args.output_dir !== '') await mkdir(join(directory, args.output_dir), { recursive: true })
    for (const path of Object.values(args.outputs)) await mkdir(join(directory, dirname(path)), { recursive: true })
    for (const [there, here] of inputs) {
      for (const [to, from] of await filesOf(there, here)) {
        if (placed.has(to)) continue
        placed.add(to)
        await linkOrCopy(from, join(directory, to))
      }
    }
    await writeBeside(directory, call, args, beside)
  }
}

/** One file, or of a path that ends with a pattern (`…/outputs/*`, `…/value-*`) all that fit. */
async function filesOf(there: string, here: string): Promise<readonly (readonly [there: string, here: string])[]> {
  const name = basename(here)
  if (!name.includes('*')) return [[there, here]]
  const [before = '', after = ''] = name.split('*')
  const names = await readdir(dirname(here)).catch(() => [])
  return names
    .filter((each) => each.length >= before.length + after.length && each.startsWith(before) && each.endsWith(after))
    .map((each) => [join(dirname(there), each), join(dirname(here), each)])
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true })
  try {
    await link(from, to)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return
    // Across file systems, or on one without hard links.
    await copyFile(from, to)
  }
}

/** Globs of what a call may have left, relative to the job's work directory. */
export function globsOf({ outputs }: StagedCall): readonly string[] {
  return [...outputs.keys()].map((path) => {
    const name = basename(path)
    return name === '*' ? `${literal(`${STAGED_ROOT}/${dirname(path)}`)}/**` : literal(`${STAGED_ROOT}/${path}`)
  })
}

function literal(path: string): string {
  return path.replace(/[\\*?[\]{}!]/g, '\\$&')
}

/**
 * Puts what was brought back to `from` (a checkpoints directory) in its place: values first, marks last, each by a rename, so that no
 * file is seen in part. Lines of the log are added to the run's.
 */
export async function takeBack(call: CallFiles, from: string, append: (text: string, to: string) => Promise<void>): Promise<void> {
  const { args, outputs } = stageCall(call)
  const marks = new Set([args.done_path, `${call.runId}/${call.loc}/_done`, `${call.runId}/${call.loc}/_error`])
  const order = [...outputs].toSorted(([a], [b]) => Number(marks.has(a)) - Number(marks.has(b)))
  for (const [there, here] of order) {
    if (basename(there) === '*') {
      for (const name of await readdir(join(from, dirname(there))).catch(() => [])) {
        await moveInto(join(from, dirname(there), name), join(dirname(here), name))
      }
    } else if (there === args.logs_path) await append(join(from, there), here)
    else await moveInto(join(from, there), here)
  }
}

async function moveInto(from: string, to: string): Promise<void> {
  try {
    await mkdir(dirname(to), { recursive: true })
    await rename(from, to)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return
    if (code !== 'EXDEV') throw error
    const beside = `${to}.drover-new`
    await copyFile(from, beside)
    await rename(beside, to)
    await rm(from, { force: true })
  }
}
