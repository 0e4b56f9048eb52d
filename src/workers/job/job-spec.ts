/**
 * Tierkreis's description of a batch job (`JobSpec`, tierkreis.hpc, 2.0.9 to 2.1.1) as a task of Drover. Its documents are read as
 * pydantic reads them: the defaults are its own, unknown keys are refused.
 */
import { InputError } from '../../errors.ts'
import { nearestName } from '../../task/nearest-name.ts'
import type { JobTask } from './job-document.ts'
import { schedulerArguments } from './job-spec-arguments.ts'
import { checkSpec, type JobSpec } from './job-spec-reader.ts'

/** What a `JobSpec` becomes. */
export interface JobSpecTask {
  /** Shell text; the path of a call's arguments is put behind it. */
  readonly command: string
  readonly task: JobTask
  /** What is done otherwise than there, or not at all, one sentence each. */
  readonly notes: readonly string[]
}

/** Container engines by the names that specs give them. */
const ENGINES: Readonly<Record<string, 'apptainer' | 'docker' | 'podman' | 'enroot' | 'pyxis'>> = {
  apptainer: 'apptainer',
  singularity: 'apptainer',
  docker: 'docker',
  podman: 'podman',
  enroot: 'enroot',
  pyxis: 'pyxis',
}

/**
 * Turns a `JobSpec` (its JSON, or an object of the same fields) into a task for a target of that kind. What its fields become:
 *
 * | field | task |
 * |---|---|
 * | `command` | the command |
 * | `resource.nodes`, `cores_per_node`, `memory_gb`, `gpus_per_node` | `num_nodes`, `resources` (null: not asked for) |
 * | `walltime` | the scheduler's own limit; on targets without one `timeout` |
 * | `queue`, `account`, `user.mail` | partition, queue or resource group; account or group; mail at the end |
 * | `mpi` | `processes_per_node`; on Slurm, and where there is no scheduler, `mpirun` starts them, as there |
 * | `container` | `container`, singularity being apptainer |
 * | `environment` | `envs` |
 * | `extra_scheduler_args` | options of the target, those that Drover writes itself left out with a note |
 *
 * @throws InputError `invalid_argument` for an unknown or malformed field, naming it
 */
export function jobSpecToTask(document: unknown, kind: string): JobSpecTask {
  const spec = checkSpec(document)
  const { nodes, cores_per_node: cores, memory_gb: memory, gpus_per_node: gpus } = spec.resource
  const notes: string[] = []
  for (const [key, value] of [
    ['output_path', spec.output_path],
    ['error_path', spec.error_path],
  ] as const) {
    if (value !== undefined)
      notes.push(`${key} is not written: drover logs shows what the job prints, and a failed call's errors lie beside it.`)
  }
  const processes = processesOf(spec)
  const scheduler = schedulerOptions(spec, kind, notes)
  const batch = kind === 'slurm' || kind === 'pbs' || kind === 'pjm'
  const launched = processes !== undefined && kind !== 'pbs' && kind !== 'pjm'
  if (processes !== undefined && !launched) notes.push('mpi: the command itself starts its processes, as there (mpirun, mpiexec).')
  const resources = {
    ...(cores === undefined ? {} : { cpus: cores }),
    ...(memory === undefined ? {} : { memory: `${memory}GB` as const }),
    // Of any kind: the spec knows only a number.
    ...(gpus === undefined || gpus === 0 || kind === 'pjm' ? {} : { accelerators: `1MB+:${gpus}` }),
  }
  const task: JobTask = {
    num_nodes: nodes,
    ...(Object.keys(resources).length === 0 ? {} : { resources }),
    ...(batch ? {} : { timeout: walltimeSeconds(spec.walltime) }),
    ...(processes === undefined ? {} : { processes_per_node: processes }),
    ...(launched ? { launcher: 'mpirun' } : {}),
    ...(Object.keys(spec.environment).length === 0 ? {} : { envs: spec.environment }),
    ...containerOf(spec, notes),
    ...(Object.keys(scheduler).length === 0 ? {} : { options: { [kind]: scheduler } }),
  }
  return { command: spec.command, task, notes }
}

/** `--time` is there in every form that Slurm takes; elsewhere hours, minutes and seconds. */
function walltimeSeconds(walltime: string): number {
  const parts = walltime.split(':').map(Number)
  const [hours = 0, minutes = 0, seconds = 0] = parts.length === 3 ? parts : parts.length === 2 ? [0, ...parts] : [0, 0, ...parts]
  const total = hours * 3600 + minutes * 60 + seconds
  if (!(total > 0)) throw new InputError('invalid_argument', `walltime ${JSON.stringify(walltime)} is no HH:MM:SS`)
  return total
}

/** Processes per node. `proc` counts those of all nodes. */
function processesOf({ mpi, resource: { nodes } }: JobSpec): number | undefined {
  if (mpi === undefined) return undefined
  const { max_proc_per_node: perNode, proc } = mpi
  if (proc === undefined) return perNode ?? 1
  const wanted = proc / nodes
  if (Number.isInteger(wanted) && (perNode === undefined || perNode === wanted)) return wanted
  throw new InputError(
    'invalid_argument',
    `mpi.proc is ${proc}, and ${nodes} nodes with ${perNode ?? 'equally many'} processes each are not that many`,
    { hint: `Set mpi.max_proc_per_node to mpi.proc / resource.nodes, or leave mpi.proc out.` },
  )
}

function schedulerOptions(spec: JobSpec, kind: string, notes: string[]): Readonly<Record<string, unknown>> {
  const { queue, account, walltime, extra_scheduler_args: extra } = spec
  const mail = spec.user?.mail
  const further = schedulerArguments(extra, kind, notes)
  const given = (name: string, value: unknown): Record<string, unknown> => (value === undefined ? {} : { [name]: value })
  switch (kind) {
    case 'slurm':
      return {
        ...{ time: walltime, ...given('partition', queue), ...given('account', account) },
        ...(mail === undefined ? {} : { mail_type: 'END', mail_user: mail }),
        ...(spec.resource.gpus_per_node ? { gpu_request: 'gpus_per_node' } : {}),
        ...further,
      }
    case 'pbs':
      return {
        ...{ walltime, ...given('queue', queue), ...given('account', account) },
        ...(mail === undefined ? {} : { mail: 'e', mail_user: mail }),
        ...further,
      }
    case 'pjm':
      return {
        ...{ elapse: walltime, ...given('rscgrp', queue), ...given('group', account) },
        ...(mail === undefined ? {} : { mail: ['end'], mail_list: mail }),
        ...(spec.resource.gpus_per_node ? { gpu: spec.resource.gpus_per_node } : {}),
        ...(spec.include_no_check_directory_flag ? { check_directory: false } : {}),
        ...further,
      }
    default: {
      const unused = [
        ...(queue === undefined ? [] : ['queue']),
        ...(account === undefined ? [] : ['account']),
        ...(mail === undefined ? [] : ['user.mail']),
        ...(Object.keys(extra).length === 0 ? [] : ['extra_scheduler_args']),
      ]
      if (unused.length > 0) notes.push(`${unused.join(', ')}: a target of kind ${kind} has no such thing.`)
      return {}
    }
  }
}

function containerOf({ container }: JobSpec, notes: string[]): Pick<JobTask, 'container'> {
  if (container === undefined) return {}
  const { image, engine, name, extra_args, env_file } = container
  const runtime = ENGINES[engine.toLowerCase()]
  if (runtime === undefined) {
    const nearest = nearestName(engine.toLowerCase(), Object.keys(ENGINES))
    throw new InputError('invalid_argument', `container.engine: ${JSON.stringify(engine)} is no engine that Drover runs`, {
      hint: nearest === undefined ? `It runs ${Object.keys(ENGINES).join(', ')}.` : `Did you mean "${nearest}"?`,
    })
  }
  if (name !== undefined) notes.push('container.name: containers are named by Drover, so that two calls never share one.')
  const words = Object.entries(extra_args).flatMap(([key, value]) =>
    value === undefined ? [key] : key.endsWith('=') ? [key + value] : [key, value],
  )
  const options = [...words, ...(env_file === undefined ? [] : ['--env-file', env_file])]
  return { container: { image, runtime, ...(options.length === 0 ? {} : { options }) } }
}
