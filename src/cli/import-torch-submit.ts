import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { toErrorJson } from '../errors.ts'
import { sshAddresses } from '../executors/ssh/ssh-addresses.ts'
import { parseSshOptions } from '../executors/ssh/ssh-options.ts'
import { loadDatabases, storeDatabasePassword } from '../targets/databases.ts'
import { editConfigFile, mapAt } from '../targets/edit-config.ts'
import { applyTargetEdit } from '../targets/edit-target.ts'
import { type LoadedTargets, loadTargets } from '../targets/load-targets.ts'
import type { Target } from '../targets/target.ts'
import { readTorchSubmit, type TorchSubmitJob } from '../targets/torch-submit.ts'
import { type ImportedJob, planTorchSubmit, type TorchSubmitPlan } from '../targets/torch-submit-plan.ts'
import {
  followTorchSubmitScript,
  lookTorchSubmitScript,
  parseTorchSubmitLook,
  type TorchSubmitFinding,
} from '../targets/torch-submit-scripts.ts'
import { defineTask } from '../task/define-task.ts'
import { nameFromProgram } from '../task/names.ts'
import { createSshTransport } from '../transports/ssh-transport.ts'
import type { Cli } from './cli.ts'
import { configContext, configPath } from './config-context.ts'
import { printable } from './output/table.ts'

/** Flags of `drover import torch-submit`. */
export interface ImportFlags {
  readonly dir?: string
  /** False after `--no-jobs`. */
  readonly jobs?: boolean
  readonly dryRun?: boolean
}

/** What became of one thing. */
interface Line {
  readonly what: 'target' | 'database' | 'job'
  readonly name: string
  readonly outcome: 'imported' | 'there already' | 'followed' | 'unknown' | 'would be imported' | 'would be looked at'
  readonly detail: string
  /** Drover's id of a job. */
  readonly job?: string
}

/**
 * Takes over what torch-submit has. A job that runs, or that left an exit code on each of its nodes, becomes a job of Drover
 * that follows it there: with its log, its end, and `drover cancel`. One of which nothing is left is named, and no state is
 * made up for it; torch-submit's own word is shown, which is `crashed` for every job that ended. Done again, it makes nothing twice.
 */
export async function importTorchSubmit(cli: Cli, flags: ImportFlags): Promise<void> {
  const { environment, directory } = cli.host
  const home = environment['HOME'] || homedir()
  const from = flags.dir === undefined ? join(home, '.cache/torch-submit') : resolve(directory, flags.dir)
  const plan = planTorchSubmit(readTorchSubmit(from))
  for (const warning of plan.warnings) await cli.say(`drover: warning: ${printable(warning)}`)
  const context = configContext(cli)
  const before = loadTargets(context)
  const databasesBefore = loadDatabases(context)
  const lines: Line[] = [
    ...plan.targets.map(({ name, nodes }): Line => {
      const outcome = Object.hasOwn(before.targets, name) ? 'there already' : flags.dryRun === true ? 'would be imported' : 'imported'
      return { what: 'target', name, outcome, detail: nodes.map(({ host }) => host).join(', ') }
    }),
    ...plan.databases.map(({ name, uri }): Line => {
      const outcome = databasesBefore.has(name) ? 'there already' : flags.dryRun === true ? 'would be imported' : 'imported'
      return { what: 'database', name, outcome, detail: uri }
    }),
  ]
  if (flags.dryRun === true) {
    const jobs = flags.jobs === false ? [] : plan.jobs
    lines.push(
      ...jobs.map(
        ({ job }): Line => ({ what: 'job', name: job.name, outcome: 'would be looked at', detail: `torch-submit: ${job.status}` }),
      ),
    )
  } else {
    const after = await writeConfiguration(cli, plan, before, new Set(databasesBefore.keys()))
    if (flags.jobs !== false) lines.push(...(await takeJobs(cli, plan, after)))
  }
  await cli.print({
    json: { from, lines, warnings: plan.warnings },
    ids: lines.flatMap(({ job }) => job ?? []),
    text: () =>
      lines
        .map(({ what, name, outcome, detail }) => printable(`${what} ${name}: ${outcome} (${detail})`))
        .join('\n')
        .concat('\n'),
  })
}

/** Writes targets and databases in one change; passwords go into files of their own. */
async function writeConfiguration(
  cli: Cli,
  plan: TorchSubmitPlan,
  before: LoadedTargets,
  databases: ReadonlySet<string>,
): Promise<LoadedTargets> {
  const context = configContext(cli)
  const fresh = plan.targets.filter(({ name }) => !Object.hasOwn(before.targets, name))
  const registered = plan.databases.filter(({ name }) => !databases.has(name))
  if (fresh.length === 0 && registered.length === 0) return before
  const loaded = await editConfigFile({ ...context, path: configPath(cli, false) }, (document) => {
    for (const { name, nodes } of fresh) applyTargetEdit(document, name, { kind: 'ssh', nodes })
    for (const { name, uri } of registered) {
      mapAt(document, ['databases'])
      mapAt(document, ['databases', name]).set('uri', uri)
    }
  })
  for (const { name, uri, password } of registered) if (password !== undefined) storeDatabasePassword(context.home, name, uri, password)
  return loaded
}

/** Looks at all jobs of a target in one round trip per node, and follows those of which something is left. */
async function takeJobs(cli: Cli, plan: TorchSubmitPlan, { targets }: LoadedTargets): Promise<readonly Line[]> {
  const byTarget = Map.groupBy(plan.jobs, ({ target }) => target)
  const lines = await Promise.all(
    [...byTarget].map(async ([name, jobs]) => {
      const target = targets[name]
      if (target === undefined || !isOfNodes(target, jobs)) {
        const detail = `the target ${name} that is there has other nodes; rename it, then import again`
        return jobs.map(({ job }): Line => ({ what: 'job', name: job.name, outcome: 'unknown', detail }))
      }
      const findings = await look(cli, target, jobs)
      return await Promise.all(
        jobs.map(
          async ({ job }) =>
            await takeJob(
              cli,
              job,
              name,
              findings.map((node) => node(job.id)),
            ),
        ),
      )
    }),
  )
  return lines.flat()
}

/** True when the target, which may have been there before, is that of the jobs: the same hosts. */
function isOfNodes(target: Target, jobs: readonly ImportedJob[]): boolean {
  if (target.kind !== 'ssh') return false
  const hosts = new Set(parseSshOptions(target.options).nodes.map(({ host }) => host))
  return jobs.every(({ job }) => {
    const theirs = new Set(job.nodes.map((node) => node.publicIp))
    return theirs.size === hosts.size && [...theirs].every((host) => hosts.has(host))
  })
}

/** Per node: what it says of a job. */
async function look(cli: Cli, target: Target, jobs: readonly ImportedJob[]): Promise<readonly ((id: string) => TorchSubmitFinding)[]> {
  const script = lookTorchSubmitScript(jobs.map(({ job }) => job.id))
  return await Promise.all(
    sshAddresses(target, cli.host.environment).map(async ({ node, address }) => {
      const transport = createSshTransport(address)
      try {
        const found = parseTorchSubmitLook((await transport.run(script, { timeoutMs: 60_000 })).stdout)
        return (id: string): TorchSubmitFinding => found.get(id) ?? { state: 'unknown', why: `${node.name} did not say` }
      } catch (error) {
        const why = toErrorJson(error).message
        return (): TorchSubmitFinding => ({ state: 'unknown', why })
      } finally {
        await transport.close()
      }
    }),
  )
}

async function takeJob(cli: Cli, job: TorchSubmitJob, target: string, findings: readonly TorchSubmitFinding[]): Promise<Line> {
  const unknown = findings.find((finding) => finding.state === 'unknown')
  const base = { what: 'job', name: job.name } as const
  if (unknown?.state === 'unknown') return { ...base, outcome: 'unknown', detail: `${unknown.why}; torch-submit: ${job.status}` }
  const running = findings.some((finding) => finding.state === 'running')
  const file = defineTask(
    {
      name: nameFromProgram(job.name),
      resources: { cpus: 1 },
      target,
      num_nodes: findings.length,
      // Time for the job to end by TERM, and for what is left of it to be killed.
      grace: '60s',
      run: followTorchSubmitScript(job.id),
    },
    { baseDirectory: cli.host.directory, environment: cli.host.environment },
  )
  const [followed] = await (await cli.drover()).submit(file, { ...cli.client, key: `torch-submit-${job.id}` })
  const codes = findings.map((finding) => (finding.state === 'ended' ? finding.code : 'running')).join(', ')
  return {
    ...base,
    outcome: 'followed',
    detail: `${running ? 'running' : `exit code ${codes}`}; as ${followed?.id ?? 'job'}; torch-submit: ${job.status}`,
    ...(followed === undefined ? {} : { job: followed.id }),
  }
}
