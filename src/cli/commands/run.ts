import type { Job } from '../../jobs/drover.ts'
import { isSettled } from '../../task/states.ts'
import type { TaskFile } from '../../task/task-spec.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { exitCodeOfJobs, followJobs } from '../follow-jobs.ts'
import { jobLine } from '../job-text.ts'
import { oneOrMany } from '../output/json.ts'
import { addTaskFlags, readTask, splitCommand, type TaskFlags } from '../task-flags.ts'
import { printPlan } from './plan.ts'

interface RunFlags extends TaskFlags {
  readonly detach?: boolean
  /** False after `--no-wait-submit`. */
  readonly waitSubmit?: boolean
  readonly dryRun?: boolean
}

async function printJobs(cli: Cli, jobs: readonly Job[], many: boolean): Promise<void> {
  const ids = jobs.map((job) => job.id)
  await cli.print({ json: oneOrMany(jobs, many), ids, text: () => ids.map((id) => `${id}\n`).join('') })
}

/** Says how each job that did not succeed ended, and where to look. */
async function sayFailures(cli: Cli, jobs: readonly Job[]): Promise<void> {
  for (const job of jobs) {
    if (job.state !== 'succeeded') await cli.say(`drover: ${jobLine(job)}\n  drover explain ${job.id}`)
  }
}

async function runDetached(cli: Cli, jobs: readonly Job[], many: boolean): Promise<void> {
  const drover = await cli.drover()
  const interruption = cli.host.interruption()
  const seen = await Promise.all(
    // A job that waits for another one has no native id for hours; it is as submitted as it can be.
    jobs.map((job) => (job.after.length > 0 ? job : drover.wait(job.id, { until: 'submitted', signal: interruption }))),
  )
  await printJobs(cli, seen, many)
  const ended = seen.filter((job) => isSettled(job.state))
  if (cli.mode === 'table') await sayFailures(cli, ended)
  cli.exitCode = exitCodeOfJobs(ended)
}

async function runFollowed(cli: Cli, jobs: readonly Job[], many: boolean): Promise<void> {
  const interruption = cli.host.interruption()
  const ids = jobs.map((job) => job.id).join(' ')
  if (cli.host.stderr.isTTY && cli.mode === 'table')
    await cli.say(cli.style.dim(jobs.map((job) => `job ${job.id} (${job.name}) on ${job.target}`).join('\n')))
  const ended = await followJobs(cli, await cli.drover(), jobs, interruption)
  if (ended === undefined) {
    const drover = await cli.drover()
    if (cli.mode !== 'table') await printJobs(cli, await Promise.all(jobs.map((job) => drover.get(job.id))), many)
    const [first] = jobs
    await cli.say(
      `drover: detached; ${jobs.length === 1 ? 'the job runs' : 'the jobs run'} on. Come back: drover logs -f ${first?.id ?? ''}, drover wait ${ids}; end: drover cancel ${ids}`,
    )
    cli.exitCode = typeof interruption.reason === 'number' ? interruption.reason : 130
    return
  }
  if (cli.mode === 'table') await sayFailures(cli, ended)
  else await printJobs(cli, ended, many)
  cli.exitCode = exitCodeOfJobs(ended)
}

async function runTask(cli: Cli, file: TaskFile, flags: RunFlags): Promise<void> {
  const drover = await cli.drover()
  if (flags.dryRun) return await printPlan(cli, await drover.plan(file, cli.client))
  const many = file.tasks.length > 1
  const jobs = await drover.submit(file, cli.client)
  if (flags.waitSubmit === false) await printJobs(cli, jobs, many)
  else if (flags.detach) await runDetached(cli, jobs, many)
  else await runFollowed(cli, jobs, many)
}

/** `drover run FILE`, `drover run -- COMMAND…`: submits and follows; Ctrl-C detaches. Exits with the task's code. */
export async function runCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const { own, command: words } = splitCommand(argv)
  const command = addTaskFlags(
    createCommand(cli, 'run', 'Run a task file, or the command after --, and follow it. Ctrl-C detaches, the job runs on.'),
  )
    .usage('[options] FILE | [options] -- COMMAND [ARGUMENTS]')
    .argument('[file]', 'task file in YAML; - is standard input')
    .option('-d, --detach', 'return when the target has taken the job')
    .option('--no-wait-submit', 'return when the job is recorded')
    .option('--dry-run', 'only print the plan: drover plan')
    .action(async (file: string | undefined, flags: RunFlags) => {
      const source = { ...(file === undefined ? {} : { file }), ...(words === undefined ? {} : { command: words }) }
      await runTask(cli, await readTask(cli.host, source, flags), flags)
    })
  await command.parseAsync(own, { from: 'user' })
}
