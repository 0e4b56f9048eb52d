import type { CommandCall } from '../fake-commands/command-call.ts'
import { type ClusterState, parseIdSelector } from './cluster-state.ts'
import { OptionError, optionTable, parseOptions } from './command-options.ts'
import { expandHostlist } from './hostlist.ts'
import { cpusPerNode } from './scheduling.ts'
import { type CommandContext, CommandFailure, SLURM_VERSION } from './slurm-command.ts'
import type { SlurmJob } from './slurm-job.ts'
import { SrunStep, type StepPlan } from './srun-step.ts'

const OPTIONS = optionTable(`
  nodes=,N ntasks=,n ntasks-per-node= cpus-per-task=,c nodelist=,w exclude=,x overlap jobid= exclusive=? kill-on-bad-exit=?,K
  export= exact output=,o error=,e input=,i label,l unbuffered,u chdir=,D job-name=,J mem= mem-per-cpu= gres= gpus=,G
  gpus-per-node= gpus-per-task= time=,t wait=,W het-group= distribution=,m cpu-bind= gpu-bind= mpi= quiet,Q verbose,v version,V
  immediate=?,I open-mode= signal= slurmd-debug= task-prolog= task-epilog= whole no-kill=?,k oversubscribe,s mem-bind=
  container-image= container-mounts= container-workdir= container-name= no-container-mount-home container-mount-home
  container-remap-root no-container-remap-root container-writable container-readonly container-entrypoint
  no-container-entrypoint threads-per-core= hint= multi-prog disable-status,X relative=,r
`)

const fail = (text: string, code = 1): CommandFailure => new CommandFailure(text, code)

/** srun inside a job, or with --jobid: starts tasks in a step of it. The fake makes no allocation of its own. */
export async function srun({ state, life }: CommandContext, call: CommandCall): Promise<number> {
  const { options, rest } = readOptions(call)
  const last = new Map(options.map(({ name, value }) => [name, value]))
  if (last.has('version')) {
    call.out(`slurm-wlm ${SLURM_VERSION}\n`)
    return 0
  }
  for (const name of ['multi-prog', 'relative'] as const) if (last.has(name)) throw fail(`fake-slurm: srun --${name} is not there`)
  if (options.some(({ name }) => name.startsWith('container-'))) {
    throw fail('srun: unrecognized option \'--container-image\'\nTry "srun --help" for more information', 255)
  }
  const id = last.get('jobid') ?? call.env['SLURM_JOB_ID'] ?? call.env['SLURM_JOBID']
  if (id === undefined) throw fail('fake-slurm: srun outside a job is not there: it would need an allocation of its own')
  const selector = parseIdSelector(id)
  const job = selector && state.jobs.get(selector.id)
  const running = job && life.runningOf(job)
  if (!job || !running || job.state === 'PENDING') {
    const unknown = job === undefined ? 'Invalid job id specified' : 'Job/step already completing or completed'
    throw fail(
      `srun: error: Unable to confirm allocation for job ${id}: ${unknown}\nsrun: Check SLURM_JOB_ID environment variable. Expired or invalid job ${id}`,
    )
  }
  if (job.completing) throw fail(`srun: error: Unable to create step for job ${id}: Job/step already completing or completed`)
  const [program, ...args] = rest
  if (program === undefined) throw fail('srun: fatal: No command given to execute.')
  const plan = planStep(state, job, last, call)
  const step = new SrunStep({ state, life, job, running, call, plan, program, args })
  return step.run()
}

function readOptions(call: CommandCall): ReturnType<typeof parseOptions> {
  try {
    return parseOptions(OPTIONS, call.argv, true)
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw fail(`srun: ${error.message}\nTry "srun --help" for more information`, 255)
  }
}

/** Nodes and tasks of a step: the options, then the variables the job was given, then the whole allocation. */
function planStep(state: ClusterState, job: SlurmJob, last: ReadonlyMap<string, string>, call: CommandCall): StepPlan {
  const parts = hetParts(state, job, last.get('het-group'))
  const allocated = parts.flatMap((part) => part.nodes)
  const asked = number(last, 'nodes')
  const perNode = number(last, 'ntasks-per-node') ?? variable(call, 'SLURM_NTASKS_PER_NODE')
  const given = number(last, 'ntasks')
  const nodelist = last.has('nodelist') ? (expandHostlist(last.get('nodelist') ?? '') ?? []) : undefined
  const excluded = new Set(expandHostlist(last.get('exclude') ?? '') ?? [])
  if (nodelist?.some((name) => !allocated.includes(name))) {
    throw fail(`srun: error: Unable to create step for job ${job.id}: Requested node configuration is not available`)
  }
  let nodes = asked ?? nodelist?.length ?? allocated.length - excluded.size
  const hetTasks = parts.length > 1 ? parts.flatMap((part) => part.nodes.map(() => Math.max(1, part.request.tasksPerNode))) : undefined
  const inherited = variable(call, 'SLURM_NTASKS')
  const tasks = given ?? (hetTasks ? hetTasks.reduce((sum, count) => sum + count, 0) : (inherited ?? nodes * (perNode ?? 1)))
  if (asked !== undefined && tasks < asked && (given !== undefined || inherited !== undefined)) {
    call.err(`srun: Warning: can't run ${tasks} processes on ${asked} nodes, setting nnodes to ${tasks}\n`)
    nodes = tasks
  } else if (tasks < nodes) {
    call.err(`srun: Warning: can't run ${tasks} processes on ${nodes} nodes, setting nnodes to ${tasks}\n`)
    nodes = tasks
  }
  if (perNode !== undefined && perNode * nodes !== tasks && tasks > perNode && !hetTasks) {
    call.err(
      `srun: Warning: can't honor --ntasks-per-node set to ${perNode} which doesn't match the requested tasks ${tasks} with the number of requested nodes ${nodes}. Ignoring --ntasks-per-node.\n`,
    )
  }
  if (nodes > allocated.length) throw fail(`srun: error: Only allocated ${allocated.length} nodes asked for ${nodes}`)
  const names = (nodelist ?? allocated.filter((name) => !excluded.has(name))).slice(0, nodes)
  const cpus = number(last, 'cpus-per-task') ?? variable(call, 'SLURM_CPUS_PER_TASK') ?? 1
  const room = parts.reduce((sum, part) => sum + part.nodes.filter((name) => names.includes(name)).length * cpusPerNode(part), 0)
  if (tasks * cpus > room && !job.request.exclusive && !last.has('overlap')) {
    throw fail(`srun: error: Unable to create step for job ${job.id}: More processors requested than permitted`)
  }
  const counts = hetTasks ?? names.map((_, index) => Math.floor(tasks / names.length) + (index < tasks % names.length ? 1 : 0))
  const kill = last.get('kill-on-bad-exit')
  return {
    nodes: names,
    counts,
    tasks,
    cpusHeld: last.has('overlap') ? 0 : last.has('exact') || last.has('cpus-per-task') ? Math.max(...counts) * cpus : cpusPerNode(job),
    overlap: last.has('overlap'),
    wantsAllMemory: !['mem', 'mem-per-cpu', 'exact', 'cpus-per-task'].some((name) => last.has(name)),
    label: last.has('label'),
    killOnBadExit: kill !== undefined && kill !== '0',
    workDir: last.get('chdir') ?? call.cwd,
    output: last.get('output'),
    error: last.get('error'),
    input: last.get('input') ?? 'all',
    export: last.get('export'),
    quiet: last.has('quiet'),
  }
}

function hetParts(state: ClusterState, job: SlurmJob, text: string | undefined): readonly SlurmJob[] {
  if (text === undefined || !job.het) return [job]
  const wanted = new Set(
    text.split(',').flatMap((part) => {
      const [first = 0, end = first] = part.split('-').map(Number)
      return Array.from({ length: end - first + 1 }, (_, index) => first + index)
    }),
  )
  return [...state.jobs.values()]
    .filter((one) => one.het?.id === job.het?.id && wanted.has(one.het?.offset ?? -1))
    .sort((a, b) => (a.het?.offset ?? 0) - (b.het?.offset ?? 0))
}

function number(last: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = last.get(name)
  if (text === undefined) return undefined
  if (!/^\d+(-\d+)?$/.test(text)) throw fail(`srun: error: Invalid numeric value "${text}" for --${name}.`, 255)
  return Number(text.split('-')[0])
}

function variable(call: CommandCall, name: string): number | undefined {
  const text = call.env[name]
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}
