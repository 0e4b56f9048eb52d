import { constants } from 'node:os'
import type { GivenOption } from './command-options.ts'
import { expandHostlist } from './hostlist.ts'
import { CommandFailure } from './slurm-command.ts'
import type { JobRequest } from './slurm-job.ts'
import type { SlurmSettings } from './slurm-options.ts'
import { parseTimeLimit } from './slurm-times.ts'

/** What the options were given with. */
export interface Submission {
  readonly path: string
  readonly script: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly submitLine: string
}

/** Compiles options (later ones win) to a request. Throws CommandFailure with sbatch's text and exit code 255. */
export function compileJobRequest(settings: SlurmSettings, options: readonly GivenOption[], submission: Submission): JobRequest {
  const last = new Map(options.map(({ name, value }) => [name, value]))
  const partitionName = last.get('partition')
  const partition = settings.partitions.find((one) => (partitionName === undefined ? one.isDefault : one.name === partitionName))
  const time = last.get('time')
  const minutes = time === undefined ? partition?.defaultMinutes : parseTimeLimit(time)
  if (time !== undefined && minutes === undefined) throw invalid('time')
  const perNodeAsked = last.has('ntasks-per-node')
  const perNode = count(last, 'ntasks-per-node') ?? 1
  const cpusPerTask = count(last, 'cpus-per-task') ?? 1
  const mem = last.get('mem')
  const [gpus, gresText] = readGpus(last)
  const taskCount = count(last, 'ntasks')
  const nodes = nodeCount(last, taskCount, perNodeAsked ? perNode : undefined, cpusPerTask, settings)
  const tasks = taskCount ?? nodes * perNode
  const workDir = last.get('chdir') ?? submission.cwd
  return {
    name: last.get('job-name') ?? (submission.path.split('/').pop() || 'sbatch'),
    partition: partitionName ?? partition?.name ?? '',
    account: last.get('account') ?? settings.accounts?.[0],
    qos: last.get('qos') ?? 'normal',
    comment: last.get('comment'),
    features: last.get('constraint'),
    reservation: last.get('reservation'),
    minutes: minutes ?? 5,
    nodes,
    tasks,
    tasksPerNode: perNodeAsked ? perNode : Math.ceil(tasks / nodes),
    cpusPerTask,
    tasksAsked: taskCount !== undefined || perNodeAsked,
    tasksPerNodeAsked: perNodeAsked,
    cpusPerTaskAsked: last.has('cpus-per-task'),
    memoryPerNode: mem === undefined ? undefined : memory('mem', mem),
    memoryPerCpu: last.has('mem-per-cpu') ? memory('mem-per-cpu', last.get('mem-per-cpu') ?? '') : 64,
    gpusPerNode: gpus,
    gresText,
    exclusive: last.has('exclusive'),
    nodelist: expandHostlist(last.get('nodelist') ?? '') ?? [],
    output: last.get('output'),
    error: last.get('error'),
    append: last.get('open-mode')?.startsWith('a') ?? false,
    workDir: workDir.startsWith('/') ? workDir : `${submission.cwd}/${workDir}`,
    command: [submission.path, ...submission.args].join(' '),
    script: submission.script,
    args: submission.args,
    env: exportedEnvironment(last.get('export'), submission.env),
    requeue: requeueOf(options),
    killOnInvalid: last.has('kill-on-invalid-dep') ? /^y/i.test(last.get('kill-on-invalid-dep') ?? '') : undefined,
    signal: readSignal(last.get('signal')),
    submitLine: submission.submitLine,
  }
}

function invalid(option: string): CommandFailure {
  return new CommandFailure(`sbatch: error: Invalid --${option} specification`, 255)
}

function count(last: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = last.get(name)
  if (text === undefined) return undefined
  if (!/^\d+$/.test(text)) throw new CommandFailure(`sbatch: error: Invalid numeric value "${text}" for --${name}.`, 255)
  return Number(text)
}

function nodeCount(
  last: ReadonlyMap<string, string>,
  tasks: number | undefined,
  perNode: number | undefined,
  cpusPerTask: number,
  settings: SlurmSettings,
): number {
  const text = last.get('nodes')
  if (text !== undefined) {
    for (const part of text.split('-')) {
      if (!/^\d+[kKmM]?$/.test(part)) throw new CommandFailure(`sbatch: error: "${part}" is not a valid node count`, 255)
    }
    return Number(text.split('-')[0])
  }
  if (tasks === undefined) return Math.max(1, expandHostlist(last.get('nodelist') ?? '')?.length ?? 1)
  const cpus = Math.max(...settings.nodes.map((node) => node.cpus))
  return Math.max(1, Math.ceil(tasks / (perNode ?? Math.max(1, Math.floor(cpus / cpusPerTask)))))
}

/** MiB of `4G`, `500`, `1.5T`. */
function memory(option: string, text: string): number {
  const [, number, unit = 'M'] = /^(\d+)([KMGT])?B?$/i.exec(text) ?? []
  if (number === undefined) throw invalid(option)
  const factors: Readonly<Record<string, number>> = { K: 1 / 1024, M: 1, G: 1024, T: 1_048_576 }
  return Math.ceil(Number(number) * (factors[unit.toUpperCase()] ?? 1))
}

function readGpus(last: ReadonlyMap<string, string>): readonly [number, string] {
  const text =
    last.get('gres') ??
    (last.has('gpus-per-node') ? `gpu:${last.get('gpus-per-node')}` : last.has('gpus') ? `gpu:${last.get('gpus')}` : undefined)
  if (text === undefined) return [0, 'N/A']
  if (text.toLowerCase() === 'none') return [0, 'N/A']
  const [, number] = /^gpu(?::[A-Za-z_][\w.-]*)?(?::(\d+))?$/.exec(text) ?? []
  if (!/^gpu(:|$)/.test(text)) throw new CommandFailure('sbatch: error: Invalid generic resource (gres) specification')
  return [Number(number ?? 1), `gres:${text}`]
}

function requeueOf(options: readonly GivenOption[]): boolean {
  const last = options.findLast(({ name }) => name === 'requeue' || name === 'no-requeue')
  return last?.name !== 'no-requeue'
}

function readSignal(text: string | undefined): JobRequest['signal'] {
  if (text === undefined) return undefined
  const [, flags = '', name = '', seconds] = /^(?:([BR]+):)?([A-Za-z0-9]+)(?:@(\d+))?$/.exec(text) ?? []
  const found = signalByName(name)
  if (found === undefined) throw invalid('signal')
  return { name: found, beforeMs: Number(seconds ?? 60) * 1000, batch: flags.includes('B') }
}

/** `USR1`, `SIGUSR1`, `usr1`, `10`. */
export function signalByName(text: string): NodeJS.Signals | undefined {
  const upper = text.toUpperCase().replace(/^SIG/, '')
  const entry = Object.entries(constants.signals).find(([name, number]) => name === `SIG${upper}` || String(number) === text)
  return entry?.[0] as NodeJS.Signals | undefined
}

/** What `--export` lets through: `ALL` (default), `NONE`, or names and assignments; SLURM_* of the submitter always. */
function exportedEnvironment(text: string | undefined, env: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const parts: readonly string[] = (text ?? 'ALL').match(/(?:[^,"']|"[^"]*"|'[^']*')+/g) ?? []
  const all = parts.includes('ALL')
  const base = all ? env : Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('SLURM_')))
  const own: Record<string, string> = {}
  for (const part of parts) {
    if (part === 'ALL' || part === 'NONE' || part === 'NIL') continue
    const at = part.indexOf('=')
    const name = at < 0 ? part : part.slice(0, at)
    const value = at < 0 ? env[part] : part.slice(at + 1).replace(/^(["'])(.*)\1$/s, '$2')
    if (value !== undefined) own[name] = value
  }
  // Without ALL, slurmd makes the login environment of the user; of that only these matter here.
  const login = all ? {} : { HOME: env['HOME'] ?? '/', PATH: env['PATH'] ?? '/usr/bin:/bin', USER: env['USER'] ?? '', SHELL: '/bin/sh' }
  return { ...login, ...base, ...own }
}
