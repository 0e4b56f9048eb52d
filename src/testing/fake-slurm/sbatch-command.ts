import { readFileSync } from 'node:fs'
import type { CommandCall } from '../fake-commands/command-call.ts'
import { parseArraySpec } from './array-tasks.ts'
import { addJob, type ClusterState, makeArray } from './cluster-state.ts'
import { type GivenOption, OptionError, parseOptions } from './command-options.ts'
import { parseDependencies } from './dependencies.ts'
import { compileJobRequest } from './job-request.ts'
import { readDirectives, SBATCH_OPTIONS, variableOptions } from './sbatch-options.ts'
import { neverFits, partitionNodes } from './scheduling.ts'
import { type CommandContext, CommandFailure, SLURM_VERSION } from './slurm-command.ts'
import type { JobRequest, SlurmJob } from './slurm-job.ts'
import { parseInstant } from './slurm-times.ts'

const refused = (text: string): CommandFailure => new CommandFailure(`sbatch: error: Batch job submission failed: ${text}`)

/** sbatch. Options from the environment, then the script, then the command line; later ones win. */
export async function sbatch(context: CommandContext, call: CommandCall): Promise<number> {
  const { settings } = context.state
  const line = read(call.argv, true)
  if (line.options.some(({ name }) => name === 'version')) {
    call.out(`slurm-wlm ${SLURM_VERSION}\n`)
    return 0
  }
  const wrap = line.options.findLast(({ name }) => name === 'wrap')?.value
  const [path, ...args] = line.rest
  const script =
    wrap !== undefined
      ? Buffer.from(`#!/bin/sh\n# This script was created by sbatch --wrap.\n\n${wrap}\n`).toString('latin1')
      : path === undefined
        ? (await call.readStdin()).toString('latin1')
        : readScript(call.cwd, path)
  checkScript(script)
  const components = readDirectives(Buffer.from(script, 'latin1').toString()).map((words) => [
    ...read(words, false).options,
    ...variableOptions(call.env),
    ...line.options,
  ])
  const first = components[0] ?? []
  const clusters = first.findLast(({ name }) => name === 'clusters')?.value
  if (clusters !== undefined && !clusters.split(',').includes(settings.clusterName)) {
    throw new CommandFailure(
      `sbatch: error: No cluster '${clusters}' known by database.\nsbatch: error: '${clusters}' can't be reached now, or it is an invalid entry for --cluster.  Use 'sacctmgr list clusters' to see available clusters.`,
    )
  }
  const full = path === undefined ? (wrap === undefined ? 'sbatch' : 'wrap') : path.startsWith('/') ? path : `${call.cwd}/${path}`
  const submission = { path: full, script, args, cwd: call.cwd, env: call.env, submitLine: ['sbatch', ...call.argv].join(' ') }
  const requests = components.map((options) => compileJobRequest(settings, options, submission))
  requests.forEach((request, index) => {
    checkSite(context.state, request, components[index] ?? [])
  })
  if (first.some(({ name }) => name === 'test-only')) throw new CommandFailure('fake-slurm: sbatch --test-only is not there')

  const dependency = first.findLast(({ name }) => name === 'dependency')?.value
  const dependencies = dependency === undefined ? [] : parseDependencies(dependency)
  if (!dependencies) throw refused('Job dependency problem')
  const begin = first.findLast(({ name }) => name === 'begin')?.value
  const beginMs = begin === undefined ? undefined : parseInstant(begin, context.state.clock.now())
  if (begin !== undefined && beginMs === undefined) {
    throw new CommandFailure(`Invalid time specification (pos=0): ${begin}\nsbatch: error: Invalid --begin specification`, 255)
  }
  const arrayText = first.findLast(({ name }) => name === 'array')?.value
  const array = arrayText === undefined ? undefined : parseArraySpec(arrayText, settings.maxArraySize)
  if (arrayText !== undefined && !array) throw refused('Invalid job array specification')
  if (context.state.jobs.size + requests.length > settings.maxJobCount)
    throw refused('Slurm temporarily unable to accept job, sleeping and retrying')

  const held = first.some(({ name }) => name === 'hold')
  const jobs = requests.map((request) => addJob(context.state, request))
  const [head] = jobs
  if (!head) throw new CommandFailure('fake-slurm: sbatch made no job')
  if (array) makeArray(context.state, head, array.tasks, array.throttle)
  jobs.forEach((job, offset) => {
    if (jobs.length > 1) job.het = { id: head.id, offset, size: jobs.length }
    job.dependencies = dependencies.map((one) => ({ ...one }))
    job.beginMs = beginMs
    if (held || dependencies.length > 0) job.eligibleMs = undefined
    if (beginMs !== undefined) job.eligibleMs = beginMs
    if (held) Object.assign(job, { held: true, reason: 'JobHeldUser', priority: 0 })
    context.life.record(job)
  })
  context.life.wake()
  if (context.takeSubmitFault() === 'hang') throw refused('Socket timed out on send/recv operation')
  const parsable = first.some(({ name }) => name === 'parsable')
  const quiet = first.some(({ name }) => name === 'quiet')
  if (parsable) call.out(clusters === undefined ? `${head.id}\n` : `${head.id};${settings.clusterName}\n`)
  else if (!quiet) call.out(`Submitted batch job ${head.id}${clusters === undefined ? '' : ` on cluster ${settings.clusterName}`}\n`)
  if (first.some(({ name }) => name === 'wait')) return waitForEnd(head)
  return 0
}

function read(
  argv: readonly string[],
  stopAtFirst: boolean,
): { readonly options: readonly GivenOption[]; readonly rest: readonly string[] } {
  try {
    return parseOptions(SBATCH_OPTIONS, argv, stopAtFirst)
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new CommandFailure(`sbatch: ${error.message}\nTry "sbatch --help" for more information`, 255)
  }
}

function readScript(cwd: string, path: string): string {
  try {
    return readFileSync(path.startsWith('/') ? path : `${cwd}/${path}`, 'latin1')
  } catch {
    throw new CommandFailure(`sbatch: error: Unable to open file ${path}`)
  }
}

function checkScript(script: string): void {
  if (script === '') throw new CommandFailure('sbatch: error: Batch script is empty!')
  if (!script.startsWith('#!')) {
    throw new CommandFailure(
      [
        'sbatch: error: This does not look like a batch script.  The first',
        'sbatch: error: line must start with #! followed by the path to an interpreter.',
        'sbatch: error: For instance: #!/bin/sh',
      ].join('\n'),
    )
  }
  if (script.includes('\0'))
    throw new CommandFailure(
      "sbatch: error: The Slurm controller does not allow scripts that\nsbatch: error: contain a NULL character '\\0'.",
    )
  if (script.includes('\r\n')) {
    throw new CommandFailure(
      'sbatch: error: Batch script contains DOS line breaks (\\r\\n)\nsbatch: error: instead of expected UNIX line breaks (\\n).',
    )
  }
}

/** What a site refuses at once, in the controller's order. A request that no node can hold takes an id all the same. */
function checkSite(state: ClusterState, request: JobRequest, options: readonly GivenOption[]): void {
  const { settings } = state
  const partition = settings.partitions.find((one) => one.name === request.partition)
  if (!partition) {
    throw new CommandFailure(
      `sbatch: error: invalid partition specified: ${request.partition}\nsbatch: error: Batch job submission failed: Invalid partition name specified`,
    )
  }
  if (settings.accounts && !settings.accounts.includes(request.account ?? '')) {
    throw refused('Invalid account or account/partition combination specified')
  }
  const qos = options.findLast(({ name }) => name === 'qos')?.value
  if (settings.qos && qos !== undefined && !settings.qos.includes(qos)) throw refused('Invalid qos specification')
  if (request.reservation !== undefined && !settings.reservations.includes(request.reservation)) {
    throw refused('Requested reservation is invalid')
  }
  const features = new Set(settings.nodes.flatMap((node) => node.features))
  if (request.features?.split(/[&|]/).some((feature) => !features.has(feature))) throw refused('Invalid feature specification')
  if (request.nodelist.some((name) => !settings.nodes.some((node) => node.name === name))) throw refused('Invalid node name specified')
  if (request.nodes === 0) throw refused('Node count specification invalid')
  if (settings.enforcePartLimits === 'ALL') {
    const probe = addProbe(request)
    const why = neverFits(state, probe)
    if (why === 'PartitionTimeLimit') throw refused('Requested time limit is invalid (missing or exceeds some limit)')
    if (why === 'PartitionConfig') throw refused('More processors requested than permitted')
  }
  const able = partitionNodes(state, partition)
  const tooMuchMemory = request.memoryPerNode !== undefined && !able.some((node) => node.memoryMib >= (request.memoryPerNode ?? 0))
  const gpus = able.filter((node) => node.gpus >= request.gpusPerNode).length
  if (tooMuchMemory || (request.gpusPerNode > 0 && gpus < Math.min(1, request.nodes))) {
    refuseConfiguration(state, request)
    const memory = tooMuchMemory ? 'sbatch: error: Memory specification can not be satisfied\n' : ''
    throw new CommandFailure(`${memory}sbatch: error: Batch job submission failed: Requested node configuration is not available`)
  }
}

/** The trap of the real one: the refused job has an id and a record, FAILED 1:0. */
function refuseConfiguration(state: ClusterState, request: JobRequest): void {
  const job = addJob(state, request)
  Object.assign(job, { state: 'FAILED', reason: 'BadConstraints', exitCode: 1, startMs: job.submitMs, endMs: job.submitMs })
  if (state.settings.accounting) state.accounting.record(job, [])
}

function addProbe(request: JobRequest): SlurmJob {
  return { request, minutes: request.minutes } as SlurmJob
}

/** `sbatch --wait`: the exit code of the job, 1 when a signal ended it; looked at every 2 s, as sbatch does. */
async function waitForEnd(job: SlurmJob): Promise<number> {
  while (job.endMs === undefined || job.completing) await new Promise((resolve) => setTimeout(resolve, 100))
  return job.exitSignal !== 0 ? 1 : job.exitCode
}
