import { InputError } from '../../errors.ts'
import { isSettled } from '../../task/states.ts'
import type { TaskFile } from '../../task/task-spec.ts'
import type { Cli } from '../cli.ts'
import { exitCodeOfJobs } from '../follow-jobs.ts'
import { jobLine } from '../job-text.ts'
import { readTask } from '../task-flags.ts'

/** Jobs may take their time to end when the cluster does. */
const HOLDER_GRACE = '60s'

export interface UpFlags {
  readonly on?: string
  readonly nodes?: string
  readonly cpus?: string
  readonly memory?: string
  readonly gpus?: string
  readonly time?: string
  /** ms. */
  readonly idle?: number
  readonly option?: readonly string[]
  readonly detach?: boolean
}

/** The job that holds the nodes: what it runs is made for its target. */
async function holderFile(cli: Cli, name: string, flags: UpFlags): Promise<TaskFile> {
  const { on, nodes, cpus, memory, gpus, time, idle, option } = flags
  if (on === undefined)
    throw new InputError('invalid_argument', `which target is to give the nodes of cluster "${name}" is not said`, {
      hint: `drover cluster up ${name} --on TARGET`,
    })
  const given = { on, numNodes: nodes, cpus, memory, gpus, timeout: time, option }
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const file = await readTask(cli.host, { command: ['drover-cluster'] }, { ...present, name, grace: HOLDER_GRACE })
  return {
    ...file,
    tasks: file.tasks.map(({ workdir: _, ...task }) => ({
      ...task,
      run: { kind: 'script', text: ':' },
      holder: idle === undefined ? {} : { idleMs: idle },
    })),
  }
}

/** `drover cluster up`: records the holder once, then waits until its nodes can be used. */
export async function bringUp(cli: Cli, name: string, flags: UpFlags): Promise<void> {
  const drover = await cli.drover()
  const interruption = cli.host.interruption()
  const before = (await drover.clusters()).find((view) => view.name === name)
  let id: string
  if (before !== undefined && !isSettled(before.state)) {
    id = before.job
    if (flags.on !== undefined || flags.nodes !== undefined)
      await cli.say(`drover: cluster ${name} is there already (job ${id}) and stays as it is; to change it: drover cluster down ${name}`)
  } else {
    const file = await holderFile(cli, name, flags)
    const [job] = await drover.submit(file, cli.client)
    if (job === undefined) throw new InputError('internal', 'the supervisor accepted the cluster and named no job')
    id = job.id
  }
  try {
    const job = await drover.wait(id, { until: flags.detach ? 'submitted' : 'started', signal: interruption })
    if (isSettled(job.state)) return await sayEnd(cli, name, id)
    if (!flags.detach) return await awaitNodes(cli, name, id, interruption)
    const why = job.reason === null ? '' : ` (${job.reason})`
    await cli.print({ json: await viewOf(cli, name), ids: [name], text: () => `${name}: ${job.state}${why}\n` })
  } catch (error) {
    if (!interruption.aborted) throw error
    await cli.say(
      `drover: no longer waiting; cluster ${name} comes up by itself. Come back: drover cluster up ${name}; end: drover cluster down ${name}`,
    )
    cli.exitCode = typeof interruption.reason === 'number' ? interruption.reason : 130
  }
}

async function viewOf(cli: Cli, name: string) {
  return (await (await cli.drover()).clusters()).find((view) => view.name === name)
}

/** The agent needs a moment to ask its nodes. */
async function awaitNodes(cli: Cli, name: string, id: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const view = await viewOf(cli, name)
    if (view === undefined || isSettled(view.state)) return await sayEnd(cli, name, id)
    if (view.nodes.length > 0) {
      return await cli.print({
        json: view,
        ids: [name],
        text: () => `${name}: up, ${view.nodes.map(({ node }) => node).join(', ')}\n  drover run --cluster ${name} …\n`,
      })
    }
    signal.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
}

async function sayEnd(cli: Cli, name: string, id: string): Promise<void> {
  const job = await (await cli.drover()).get(id)
  if (cli.mode === 'table') await cli.say(`drover: cluster ${name} is not up: ${jobLine(job)}\n  drover explain ${id}`)
  else await cli.print({ json: await viewOf(cli, name), ids: [name], text: () => '' })
  cli.exitCode = exitCodeOfJobs([job]) || 1
}
