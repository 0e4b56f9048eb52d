import { quoteDirective } from '../../driver/quote.ts'
import { InputError } from '../../errors.ts'
import type { BatchHead, BatchRequest } from '../batch/scheduler.ts'
import type { NativeValue, SlurmOptions } from './slurm-options.ts'

/** Nodes of the allocation in order of rank, each with an address that the others reach. */
export const NODE_LIST = `scontrol show hostnames "$SLURM_JOB_NODELIST" | while IFS= read -r name; do
  ip=$(getent ahostsv4 "$name" 2>/dev/null | awk 'NR == 1 { print $1 }')
  [ -n "$ip" ] || ip=$(getent ahosts "$name" 2>/dev/null | awk 'NR == 1 { print $1 }')
  echo "$name \${ip:-$name}"
done`

/** Slurm counts whole minutes, and ends a job up to a minute late. */
function minutes(ms: number): number {
  return Math.max(1, Math.ceil(ms / 60_000))
}

/** One option as words: `true` a bare flag, a list once for each. */
function nativeWords(name: string, value: NativeValue): readonly string[] {
  const option = `--${name.replace(/^--/, '').replaceAll('_', '-')}`
  if (value === null || value === false) return []
  if (value === true) return [option]
  return (Array.isArray(value) ? value : [value]).map((each) => `${option}=${String(each)}`)
}

/** `gpu:h100:4`, with the type spelled as the site spells it. */
function gresOf({ task, facts }: BatchRequest<SlurmOptions>): { readonly words: string; readonly warning?: string } {
  const { gpus, gpuType } = task.perNode
  if (gpuType === undefined || gpuType === '*') return { words: `gpu:${gpus}` }
  const normal = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '')
  const known = facts.partitions.flatMap(({ gres = '' }) => [...gres.matchAll(/(?:^|,)gpu(?::([^:,()]+))?:\d+/g)].map(([, type]) => type))
  const types = [...new Set(known.filter((type) => type !== undefined))]
  const same = types.find((type) => normal(type) === normal(gpuType)) ?? types.find((type) => normal(type).includes(normal(gpuType)))
  if (same !== undefined) return { words: `gpu:${same}:${gpus}` }
  if (types.length > 0)
    throw new InputError('unsupported', `task ${task.name}: target "${task.target}" has no GPU of type ${gpuType}`, {
      hint: `Its GPUs: ${types.join(', ')}.`,
    })
  if (known.length === 0)
    throw new InputError('unsupported', `task ${task.name}: target "${task.target}" has no GPUs`, {
      hint: 'Choose another target with --on.',
    })
  return { words: `gpu:${gpus}`, warning: `the GPUs of "${task.target}" have no types: that they are ${gpuType} cannot be asked for` }
}

/** The directives of a task, and how it runs in its allocation (sbatch(1), srun(1) of Slurm 22.05). */
export function compileSlurm(request: BatchRequest<SlurmOptions>): BatchHead {
  const { task, options, nativeName, attemptDir, workDir, array, after } = request
  const { perNode, numNodes } = task
  const cpus = Math.max(1, Math.ceil(perNode.cpus))
  const gpu = perNode.gpus > 0 ? gresOf(request) : undefined
  const gres = [
    ...(gpu && options.gpuRequest === 'gres' ? [gpu.words] : []),
    ...(options.plain['gres'] === undefined ? [] : [options.plain['gres']]),
  ]
  const { signal } = options
  const limit = task.timeoutMs === undefined ? options.plain['time'] : String(minutes(task.timeoutMs + task.graceMs))
  const conditions = { ok: 'afterok', any: 'afterany', failed: 'afternotok' } as const
  const dependency = [
    ...after.map(({ id, condition }) => `${conditions[condition]}:${id}`),
    ...(options.plain['dependency'] === undefined ? [] : [options.plain['dependency']]),
  ]
  // In the pattern of a file name, Slurm reads % itself.
  const log = (name: string): string => `${attemptDir.replaceAll('%', '%%')}/${name}`
  const { gres: _, dependency: __, time: ___, hold, ...plain } = options.plain
  const chosen = [
    ...Object.entries(plain).map(([name, value]) => `--${name.replaceAll('_', '-')}=${value}`),
    ...(hold === undefined ? [] : ['--hold']),
    ...(options.exclusive === false ? [] : [options.exclusive === true ? '--exclusive' : `--exclusive=${options.exclusive}`]),
    ...(limit === undefined ? [] : [`--time=${limit}`]),
    ...(gres.length === 0 ? [] : [`--gres=${gres.join(',')}`]),
    ...(gpu && options.gpuRequest === 'gpus_per_node' ? [`--gpus-per-node=${gpu.words.replace(/^gpu:/, '')}`] : []),
    ...(dependency.length === 0 ? [] : [`--dependency=${dependency.join(',')}`]),
    // Of its own dependencies Drover knows why they are not met.
    ...(options.plain['dependency'] === undefined ? [] : ['--kill-on-invalid-dep=yes']),
    ...Object.entries(options.native).flatMap(([name, value]) => nativeWords(name, value)),
  ]
  const own = [
    `--job-name=${nativeName}`,
    `--output=${array === undefined ? log('logs/driver.log') : log('tasks/%x-%a.log')}`,
    '--open-mode=append',
    `--nodes=${numNodes}`,
    `--ntasks=${numNodes}`,
    '--ntasks-per-node=1',
    `--cpus-per-task=${cpus}`,
    ...(perNode.memoryBytes === undefined ? [] : [`--mem=${Math.ceil(perNode.memoryBytes / 1024 ** 2)}M`]),
    options.schedulerRequeue ? '--requeue' : '--no-requeue',
    ...(signal === undefined ? [] : [`--signal=B:USR2@${signal.beforeSeconds}`]),
    ...(array === undefined ? [] : [`--array=${array.first}-${array.last}${array.atOnce === undefined ? '' : `%${array.atOnce}`}`]),
  ]
  const foreign = [
    ...(task.spec.written['num_nodes'] === undefined ? [] : [`--nodes=${numNodes}`]),
    ...(task.spec.resources.candidates.some(({ cpus: asked }) => asked !== undefined) ? [`--cpus-per-task=${cpus}`] : []),
    ...(perNode.memoryBytes === undefined ? [] : [`--mem=${Math.ceil(perNode.memoryBytes / 1024 ** 2)}M`]),
    ...chosen,
  ]
  return {
    directives: [...own, ...chosen].map((option) => `#SBATCH ${quoteDirective(option)}`),
    foreignOptions: foreign,
    allocation: {
      nodes: numNodes,
      workDir,
      nodeList: NODE_LIST,
      launch: [
        'srun',
        ...options.srunOptions,
        `--nodes=${numNodes}`,
        `--ntasks=${numNodes}`,
        '--ntasks-per-node=1',
        `--cpus-per-task=${cpus}`,
        '--export=ALL',
        '--kill-on-bad-exit=0',
        '--wait=0',
        '--input=none',
        '--overlap',
      ],
      rankVariable: 'SLURM_PROCID',
      restartVariable: 'SLURM_RESTART_COUNT',
      ...(signal === undefined ? {} : { warning: { received: 'USR2' as const, sent: signal.name } }),
      ...(array === undefined
        ? {}
        : { task: { variable: 'SLURM_ARRAY_TASK_ID', offset: 0, count: array.last - array.first + 1, chunk: 1 } }),
    },
    keys: [
      { key: 'num_nodes', became: `--nodes=${numNodes}, one driver task on each` },
      {
        key: 'resources',
        became: [...own, ...chosen].filter((each) => /^--(cpus|mem|gres|gpus)/.test(each)).join(' '),
      },
      {
        key: 'timeout',
        became: `${(task.timeoutMs ?? 0) / 1000} s by the node runner; ${limit === undefined ? '' : `--time=${limit}`} for Slurm`,
      },
      ...(array === undefined ? [] : [{ key: 'array', became: own.find((each) => each.startsWith('--array')) ?? '' }]),
      { key: 'options', became: chosen.join(' ') },
    ],
    warnings: gpu?.warning === undefined ? [] : [gpu.warning],
  }
}
