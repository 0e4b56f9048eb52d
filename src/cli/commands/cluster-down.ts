import { isSettled, LIVE_STATES } from '../../task/states.ts'
import type { Cli } from '../cli.ts'
import { unknownCluster } from './cluster-unknown.ts'

/** `drover cluster down`: the jobs first, so that their ends are on record; then the nodes. */
export async function bringDown(cli: Cli, name: string): Promise<void> {
  const drover = await cli.drover()
  const interruption = cli.host.interruption()
  const views = await drover.clusters()
  const view = views.find((each) => each.name === name)
  if (view === undefined) throw unknownCluster(name, views)
  const jobs = (await drover.list({ target: name, states: LIVE_STATES, limit: 100_000 })).filter(({ kind }) => kind === 'cluster')
  await Promise.all(jobs.map(({ id }) => drover.cancel(id)))
  await Promise.all(jobs.map(({ id }) => drover.wait(id, { signal: interruption })))
  if (!isSettled(view.state)) {
    await drover.cancel(view.job)
    await drover.wait(view.job, { signal: interruption })
  }
  const ended = jobs.length === 0 ? '' : ` (${jobs.length} ${jobs.length === 1 ? 'job' : 'jobs'} cancelled)`
  const after = (await drover.clusters()).find((each) => each.name === name)
  await cli.print({ json: after ?? view, ids: [name], text: () => `${name}: down${ended}\n` })
}
