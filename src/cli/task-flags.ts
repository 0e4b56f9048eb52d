import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { InputError } from '../errors.ts'
import { localFileAccess } from '../task/file-access.ts'
import type { TaskOverrides } from '../task/overrides.ts'
import type { TaskContext } from '../task/task-context.ts'
import { parseTaskFile, taskFromCommand } from '../task/task-file.ts'
import type { TaskFile } from '../task/task-spec.ts'
import type { CliHost } from './cli.ts'
import { commaSeparated, repeated } from './flag-values.ts'

/** Flags that stand over a task's keys, as commander gives them: texts, checked later by the rules of the keys. */
export interface TaskFlags {
  readonly on?: string
  readonly cluster?: string
  readonly name?: string
  readonly numNodes?: string
  readonly nodes?: string
  readonly cpus?: string
  readonly memory?: string
  readonly gpus?: string
  readonly diskSize?: string
  readonly env?: readonly string[]
  readonly envFile?: string
  readonly secret?: readonly string[]
  readonly workdir?: string
  readonly setup?: string
  readonly array?: string
  readonly arrayFile?: string
  readonly arrayMatrix?: readonly string[]
  readonly maxParallel?: string
  readonly retries?: string
  readonly retryWhen?: readonly string[]
  readonly backoff?: string
  readonly timeout?: string
  readonly grace?: string
  readonly after?: readonly string[]
  readonly collect?: readonly string[]
  readonly priority?: string
  readonly processesPerNode?: string
  readonly cpusPerProcess?: string
  readonly image?: string
  readonly launcher?: string
  readonly launcherOption?: readonly string[]
  readonly option?: readonly string[]
  readonly notifyOnStart?: string
  readonly notifyOnEnd?: string
}

/** Adds the flags of `run` and `plan` that stand over a task's keys. */
export function addTaskFlags(command: Command): Command {
  return command
    .option('--on <target>', 'where to run (key: target)')
    .option('--cluster <name>', 'run on the nodes of a held cluster: drover cluster up')
    .option('--name <name>', 'name of the job')
    .option('--num-nodes <n>', 'number of nodes')
    .addOption(new Option('--nodes <n>', 'the same as --num-nodes').hideHelp())
    .option('--cpus <n>', 'cores per node')
    .option('--memory <size>', 'memory per node, such as 16GB')
    .option('--gpus <spec>', 'GPUs per node: H100:8, or a number')
    .option('--disk-size <size>', 'disk per node')
    .option('--env <name=value>', 'a variable; NAME alone takes yours (repeatable)', repeated)
    .option('--env-file <file>', 'variables from a file of NAME=VALUE lines')
    .option('--secret <name=value>', 'a secret variable; NAME alone takes yours (repeatable)', repeated)
    .option('--workdir <directory>', 'directory with the code')
    .option('--setup <script>', 'script to run before the task, on every node')
    .option('--array <form>', 'array: N elements, a range 0-99 or 0-99:10, or values a,b,c')
    .option('--array-file <file>', 'array over the lines of a file')
    .option('--array-matrix <name=a,b>', 'array over a product of values (repeatable)', repeated)
    .option('--max-parallel <n>', 'elements at one time')
    .option('--retries <n>', 'attempts after the first')
    .option('--retry-when <causes>', 'only after these causes or exit codes (comma-separated)', commaSeparated)
    .option('--backoff <duration>', 'wait before a retry, doubled each time')
    .option('--timeout <duration>', 'time limit of an attempt, such as 2h')
    .option('--grace <duration>', 'time between TERM and KILL')
    .option('--after <job>', 'start after a job: ID, ID=any or ID=failed (repeatable)', repeated)
    .option('--collect <glob>', 'files to bring back (repeatable)', repeated)
    .option('--priority <n>', '-1000 to 1000; larger is earlier')
    .option('--processes-per-node <n>', 'processes per node')
    .option('--cpus-per-process <n>', 'cores per process')
    .option('--image <image>', 'container image to run in, such as python:3.12')
    .option('--launcher <name>', 'how processes start: single, mpirun, torchrun, distributed, optuna')
    .option('--launcher-option <name=value>', 'an option of the launcher, such as max_restarts=2 (repeatable)', repeated)
    .option('--option <name=value>', "an option of the target's kind: partition=gpu, native.comment=x (repeatable)", repeated)
    .option('--notify-on-start <command>', 'command to run here when the job starts')
    .option('--notify-on-end <command>', 'command to run here when the job ends')
}

/** `--array` in its three forms. */
function arrayOf(text: string): Pick<TaskOverrides, 'arrayCount' | 'arrayRange' | 'arrayValues'> {
  if (/^\d+$/.test(text)) return { arrayCount: text }
  if (/^-?\d+-\d+(?::\d+)?$/.test(text)) return { arrayRange: text }
  return { arrayValues: text.split(',') }
}

/** The flags as overrides of a task's keys; absent flags are absent. */
export function overridesOf(flags: TaskFlags): TaskOverrides {
  const { on, cluster, nodes, env, secret, array, ...same } = flags
  if (on !== undefined && cluster !== undefined)
    throw new InputError('invalid_argument', `both --on ${on} and --cluster ${cluster} are given; one of them is too many`)
  const {
    name,
    numNodes = nodes,
    cpus,
    memory,
    gpus,
    diskSize,
    envFile,
    workdir,
    setup,
    arrayFile,
    arrayMatrix,
    maxParallel,
    retries,
  } = same
  const { image, launcher, launcherOption: launcherOptions, option: options } = same
  const { retryWhen, backoff, timeout, grace, after, collect, priority, processesPerNode, cpusPerProcess, notifyOnStart, notifyOnEnd } =
    same
  const all = {
    name,
    target: cluster ?? on,
    numNodes,
    cpus,
    memory,
    gpus,
    diskSize,
    envs: env,
    envFile,
    secrets: secret,
    workdir,
    setup,
    arrayFile,
    arrayMatrix,
    maxParallel,
    retries,
  }
  const rest = {
    retryWhen,
    backoff,
    timeout,
    grace,
    after,
    collect,
    priority,
    processesPerNode,
    cpusPerProcess,
    image,
    launcher,
    launcherOptions,
    options,
    notifyOnStart,
    notifyOnEnd,
  }
  const given = Object.entries({ ...all, ...rest, ...(array === undefined ? {} : arrayOf(array)) }).filter(
    ([, value]) => value !== undefined,
  )
  return Object.fromEntries(given)
}

/** What the words after the flags name: a file (`-`: standard input), or after `--` a command. */
export interface TaskSource {
  readonly file?: string
  readonly command?: readonly string[]
}

async function readTaskText(host: CliHost, file: string): Promise<string | Uint8Array> {
  if (file === '-') return await host.readStdin()
  try {
    return await readFile(resolve(host.directory, file))
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    const reason =
      why === 'ENOENT' ? 'there is no such file' : why === 'EISDIR' ? 'it is a directory' : why === 'EACCES' ? 'no permission' : why
    throw new InputError('missing_file', `cannot read the task file "${file}": ${reason}`, {
      cause,
      hint: `To run a command, write it after --: drover run -- ${file}`,
    })
  }
}

/** Reads the task that a command line names. Throws InputError with the place in the file, or for a flag. */
export async function readTask(host: CliHost, source: TaskSource, flags: TaskFlags): Promise<TaskFile> {
  const context: TaskContext = {
    baseDirectory: host.directory,
    currentDirectory: host.directory,
    environment: host.environment,
    overrides: overridesOf(flags),
    files: localFileAccess(),
  }
  if (source.command !== undefined) {
    if (source.file !== undefined)
      throw new InputError(
        'invalid_argument',
        `both a task file ("${source.file}") and a command after -- are given; one of them is too many`,
      )
    return taskFromCommand(source.command, context)
  }
  if (source.file === undefined)
    throw new InputError('invalid_argument', 'there is nothing to run', {
      hint: 'Give a task file, or a command after --: drover run -- echo hi',
    })
  const text = await readTaskText(host, source.file)
  const base = source.file === '-' ? host.directory : dirname(resolve(host.directory, source.file))
  return parseTaskFile(text, source.file === '-' ? '<stdin>' : source.file, { ...context, baseDirectory: base })
}

/** Divides words at the first `--`: what is before is Drover's, what is after is the command, never re-read. */
export function splitCommand(argv: readonly string[]): { readonly own: readonly string[]; readonly command?: readonly string[] } {
  const at = argv.indexOf('--')
  return at === -1 ? { own: argv } : { own: argv.slice(0, at), command: argv.slice(at + 1) }
}
