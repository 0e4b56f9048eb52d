import { Option } from 'commander'
import type { ClusterView } from '../../jobs/drover.ts'
import { formatDuration } from '../../task/durations.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { duration, repeated } from '../flag-values.ts'
import { compileTable } from '../output/table.ts'
import { unknownCluster } from './cluster-unknown.ts'

/** `3/8`: used of all. */
function used(view: ClusterView, of: 'cpus' | 'gpus'): string {
  const all = view.nodes.reduce((sum, node) => sum + node[of], 0)
  const free = view.nodes.reduce((sum, node) => sum + node.free[of], 0)
  return all === 0 ? '-' : `${Math.round((all - free) * 10) / 10}/${all}`
}

async function listClusters(cli: Cli): Promise<void> {
  const views = await (await cli.drover()).clusters()
  await cli.print({
    json: views,
    ids: views.map(({ name }) => name),
    text: () =>
      compileTable(
        ['NAME', 'STATE', 'ON', 'NODES', 'CPUS', 'GPUS', 'JOBS', 'IDLE', 'JOB', 'NOTE'].map((title) => ({ title })),
        views.map((view) => [
          view.name,
          view.state === 'running' ? 'up' : view.state,
          view.target,
          String(view.num_nodes),
          used(view, 'cpus'),
          used(view, 'gpus'),
          `${view.jobs.running}${view.jobs.waiting > 0 ? `+${view.jobs.waiting}` : ''}`,
          view.idle_ms === null
            ? '-'
            : `${formatDuration(view.idle_ms)}${view.idle_limit_ms === null ? '' : ` of ${formatDuration(view.idle_limit_ms)}`}`,
          view.job,
          view.state === 'running' ? view.nodes.map(({ node }) => node).join(',') : (view.reason ?? ''),
        ]),
      ),
  })
  if (views.length === 0 && cli.mode === 'table') await cli.say('no clusters')
}

async function printLogs(cli: Cli, name: string, flags: { readonly follow?: boolean; readonly tail?: string }): Promise<void> {
  const views = await (await cli.drover()).clusters()
  const view = views.find((each) => each.name === name)
  if (view === undefined) throw unknownCluster(name, views)
  const { logsCommand } = await import('./logs.ts')
  await logsCommand(cli, [view.job, ...(flags.follow ? ['-f'] : []), ...(flags.tail === undefined ? [] : ['--tail', flags.tail])])
}

/** `drover cluster up|list|logs|down`. */
export async function clusterCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'cluster', 'Hold nodes of a scheduler, and run jobs on them: drover run --cluster NAME.').usage(
    'up NAME --on TARGET … | list | logs NAME | down NAME',
  )
  command.addCommand(
    createCommand(cli, 'up', 'Hold nodes, and wait until they are there. What is up already stays as it is.')
      .argument('<name>', 'name of the cluster')
      .option('--on <target>', 'the target whose scheduler gives the nodes')
      .option('--nodes <n>', 'number of nodes (default 1)')
      .option('--cpus <n>', 'cores per node')
      .option('--memory <size>', 'memory per node, such as 16GB')
      .option('--gpus <spec>', 'GPUs per node: H100:8, or a number')
      .option('--time <duration>', 'end it after this time, such as 8h')
      .addOption(
        new Option('--idle <duration>', 'end it after this time without a job, such as 30m; its nodes count, not this machine').argParser(
          duration('--idle'),
        ),
      )
      .option('--option <name=value>', "an option of the target's kind: partition=gpu (repeatable)", repeated)
      .option('-d, --detach', 'return when the scheduler has taken it')
      .action(async (name: string, flags) => {
        const { bringUp } = await import('./cluster-up.ts')
        await bringUp(cli, name, flags)
      }),
  )
  command.addCommand(createCommand(cli, 'list', 'List clusters, their nodes and what is free.').action(async () => await listClusters(cli)))
  command.addCommand(
    createCommand(cli, 'logs', "Print a cluster's own log: what was started there, and why it ended.")
      .argument('<name>', 'name of the cluster')
      .option('-f, --follow', 'go on until it has ended')
      .option('-n, --tail <n>', 'only the last lines')
      .action(async (name: string, flags) => await printLogs(cli, name, flags)),
  )
  command.addCommand(
    createCommand(cli, 'down', 'Cancel the jobs of a cluster, then give its nodes back.')
      .argument('<name>', 'name of the cluster')
      .action(async (name: string) => {
        const { bringDown } = await import('./cluster-down.ts')
        await bringDown(cli, name)
      }),
  )
  await command.parseAsync(argv, { from: 'user' })
}
