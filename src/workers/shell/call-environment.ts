import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { CheckedTask, WorkerCall } from '../../workflow/calls/worker-call.ts'

/** Longest value that goes into a variable, bytes: a program can be given some 2 MB of environment in all. */
const MOST_VALUE_BYTES = 8192

/**
 * The part of a variable's name that stands for a port: `a-b` → `a_b`. What is no letter, digit or `_` of ASCII becomes `_`.
 * Undefined for `*`, whose elements lie in `output_dir`.
 */
function portWord(port: string): string | undefined {
  return port === '*' ? undefined : port.replaceAll(/[^A-Za-z0-9_]/gu, '_')
}

/** Which two of these ports would have the same variable. */
export function clashingPorts(ports: readonly string[]): readonly [string, string] | undefined {
  const taken = new Map<string, string>()
  for (const port of ports) {
    const word = portWord(port)
    const first = word === undefined ? undefined : taken.get(word)
    if (first !== undefined && first !== port) return [first, port]
    if (word !== undefined) taken.set(word, port)
  }
  return undefined
}

/** Why a shell script could not tell the ports of a task apart; undefined: it can. */
export function refusePorts(worker: string, { task, inputs, outputs }: CheckedTask): string | undefined {
  for (const [kind, ports] of [
    ['input', inputs],
    ['output', outputs],
  ] as const) {
    const [first, second] = clashingPorts(ports) ?? []
    if (first !== undefined && second !== undefined) {
      return `${worker}.${task}: the ports "${first}" and "${second}" would both be the variable ${kind}_${portWord(first)}_file: rename one.`
    }
  }
  return undefined
}

/**
 * The variables by which a script learns of its call (those of Tierkreis's ShellExecutor, 2.0.9 to 2.1.1, and `DROVER_NODE`): all paths absolute,
 * `function_name` the task's name. `input_<port>_value` is there for a value that is text of at most 8 KiB. Without a log
 * `logs_path` is /dev/null. Of two ports with one variable, which `refusePorts` refuses before a run, the first has it.
 */
export function callEnvironment(call: WorkerCall): Record<string, string> {
  const { root, args } = call
  const absolute = (path: string): string => resolve(root, path)
  const env: Record<string, string> = {
    // For workers written in TypeScript: the node on PATH may be too old for them.
    DROVER_NODE: process.execPath,
    TKR_DIR: root,
    checkpoints_directory: root,
    function_name: args.function_name,
    done_path: absolute(args.done_path),
    error_path: absolute(args.error_path),
    output_dir: absolute(args.output_dir),
    logs_path: args.logs_path === null ? '/dev/null' : absolute(args.logs_path),
    worker_call_args_file: absolute(call.argsPath),
  }
  for (const [port, path] of Object.entries(args.outputs)) {
    const word = portWord(port)
    if (word !== undefined) env[`output_${word}_file`] ??= absolute(path)
  }
  for (const [port, path] of Object.entries(args.inputs)) {
    const word = portWord(port)
    if (word === undefined || env[`input_${word}_file`] !== undefined) continue
    env[`input_${word}_file`] = absolute(path)
    const value = smallText(absolute(path))
    if (value !== undefined) env[`input_${word}_value`] = value
  }
  return env
}

/** The file's text if it is small, UTF-8 and without NUL, so that a variable can hold it. */
function smallText(path: string): string | undefined {
  try {
    const stats = statSync(path)
    if (!stats.isFile() || stats.size > MOST_VALUE_BYTES) return undefined
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(path))
    return text.includes('\0') ? undefined : text
  } catch {
    // Not there (the worker's default), or no text: the script has the file's path.
    return undefined
  }
}
