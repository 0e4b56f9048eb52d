import { readHeldSite } from '../executors/cluster/cluster-kind.ts'
import { CLUSTER_KIND, holderOf } from '../executors/cluster/cluster-target.ts'
import type { ResolvedTask } from '../executors/executor.ts'
import type { Target } from '../targets/target.ts'
import { isSettled, LIVE_STATES } from '../task/states.ts'
import { readClusters } from './cluster-entries.ts'
import { readHolder } from './cluster-holder.ts'
import type { ClusterView } from './drover.ts'
import type { JobControl } from './job-context.ts'

/** A cluster that has ended is shown for so long, ms. */
const FORGOTTEN_MS = 24 * 3_600_000

/** All clusters that were brought up and not forgotten, with what their nodes are and who is on them. */
export async function viewClusters(home: string, control: JobControl): Promise<readonly ClusterView[]> {
  const views = await Promise.all([...readClusters(home).values()].map((target) => viewCluster(target, control)))
  return views.filter((view) => view !== undefined).toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

async function viewCluster(target: Target, { store, targets, now }: JobControl): Promise<ClusterView | undefined> {
  const row = await store.job(holderOf(target))
  if (row?.task === undefined) return undefined
  const { numNodes, spec } = JSON.parse(row.task) as ResolvedTask
  const ended = isSettled(row.state)
  if (row.endedAt !== undefined && now() - row.endedAt > FORGOTTEN_MS) return undefined
  const holder = ended ? undefined : await readHolder(row.id, store, (job) => targets.open(job)).catch(() => undefined)
  const found = holder === undefined ? undefined : await readHeldSite(holder, now()).catch(() => undefined)
  const jobs = (await store.jobs({ target: target.name, states: LIVE_STATES, since: row.createdAt, limit: 10_000 })).filter(
    (job) => job.kind === CLUSTER_KIND,
  )
  const waiting = jobs.filter(({ state }) => state === 'created' || state === 'queued')
  const open = targets.opened({ ...row, target: target.name, task: JSON.stringify({ definition: target }) })
  const free = new Map((open?.capacity.rooms ?? []).map((room) => [room.node, room] as const))
  const last = (await store.jobs({ target: target.name, since: row.createdAt, limit: 1_000 }))
    .filter((job) => job.kind === CLUSTER_KIND)
    .reduce((latest, job) => Math.max(latest, job.endedAt ?? 0), row.startedAt ?? 0)
  return {
    name: target.name,
    target: String(target.options['on'] ?? ''),
    job: row.id,
    native_id: row.nativeId ?? null,
    // Its nodes have spoken: a queue that says otherwise is late.
    state: found !== undefined && (row.state === 'queued' || row.state === 'starting') ? 'running' : row.state,
    reason: row.reason ?? row.cause?.message ?? null,
    num_nodes: numNodes,
    nodes: (found?.site.nodes ?? []).map(({ node, ip, cpus, memoryBytes, gpus }) => {
      const room = free.get(node)
      return {
        node,
        address: ip,
        cpus,
        memory_bytes: memoryBytes,
        gpus: gpus.length,
        free: { cpus: room?.cpus ?? cpus, memory_bytes: room?.memoryBytes ?? memoryBytes, gpus: room?.gpus ?? gpus.length },
      }
    }),
    jobs: { running: jobs.length - waiting.length, waiting: waiting.length },
    idle_ms: ended || jobs.length > 0 || row.startedAt === undefined ? null : Math.max(0, now() - last),
    idle_limit_ms: spec.holder?.idleMs ?? null,
    ends_at: found?.endsAt === undefined ? null : new Date(found.endsAt).toISOString(),
    created_at: new Date(row.createdAt).toISOString(),
  }
}
