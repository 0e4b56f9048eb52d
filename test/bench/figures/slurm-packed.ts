import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TaskSpec } from '../../../src/task/task-spec.ts'
import { createTaskFile, settled, until } from '../../../src/testing/index.ts'
import { SlurmHome } from '../../engines/slurm-home.ts'
import type { SshRig } from '../../engines/ssh-rig.ts'
import { type Figure, interleave, median, showTimes, timeCommand } from '../measure.ts'
import { openSharedConnection } from '../shared-connection.ts'

const TASKS = 1_000
const NODES = 4
/** Cores of a node. */
const AT_ONCE = 4
const RUN = 'sleep 0.01'
const PATIENCE_MS = 600_000

/** Cores of each node. */
function cores(count: number): Pick<TaskSpec, 'resources'> {
  const candidate = { cpus: { value: count, atLeast: false }, accelerators: [], acceleratorsOrdered: false, raw: {} }
  return { resources: { ordered: false, candidates: [candidate] } }
}

/** A cluster that holds all cores of the nodes, for the time of one run. */
async function onHeldCluster(home: SlurmHome, run: (cluster: string) => Promise<number>): Promise<number> {
  const name = 'held'
  const { drover } = home
  const [holder] = await drover.submit(
    createTaskFile('hpc', { name, numNodes: NODES, run: ':', holder: {}, graceMs: 20_000, ...cores(AT_ONCE) }),
  )
  const id = holder?.id ?? ''
  try {
    await until('the cluster to be up', PATIENCE_MS, async () => {
      const view = (await drover.clusters()).find((each) => each.job === id)
      if (view?.state === 'failed') throw new Error(`the cluster failed: ${view.reason}`)
      return view?.nodes.length === NODES
    })
    return await run(name)
  } finally {
    await drover.cancel(id)
    await settled(drover, id, PATIENCE_MS)
  }
}

/**
 * 1,000 tasks of 10 ms as an array packed into one task of Slurm per node, and as an array on a cluster that is held, beside as
 * many steps and a native array. Bringing the cluster up and down is not counted: it is done once for many arrays.
 */
export async function measureSlurmPacked(rig: SshRig, rounds: number): Promise<readonly Figure[]> {
  const home = await new SlurmHome(rig, 'ssh').start()
  using peer = openSharedConnection(rig, ['login'])
  const write = (name: string, lines: readonly string[]): string => {
    const path = join(home.directory, name)
    writeFileSync(path, ['#!/bin/sh', '#SBATCH --output=/dev/null', ...lines, ''].join('\n'), { mode: 0o755 })
    return path
  }
  const steps = write('steps.sh', [
    `#SBATCH --nodes=${NODES} --ntasks-per-node=${AT_ONCE}`,
    `seq ${TASKS} | xargs -P ${NODES * AT_ONCE} -n 1 srun --nodes=1 --ntasks=1 --exact sh -c '${RUN}'`,
  ])
  const array = write('array.sh', [`#SBATCH --array=0-${TASKS - 1}`, RUN])
  const sbatch = (script: string) => (): Promise<number> => timeCommand('ssh', [...peer.args, 'login', 'sbatch', '--wait', script])
  const options = { pack: TASKS / NODES, pack_slots: AT_ONCE }
  const runArray = async (target: string, task: Partial<Pick<TaskSpec, 'options' | 'resources'>>): Promise<number> => {
    const start = performance.now()
    const elements = { kind: 'count', count: TASKS } as const
    const [job] = await home.drover.submit(createTaskFile(target, { array: { elements, size: TASKS }, run: RUN, ...task }))
    const ended = await settled(home.drover, job?.id ?? '', PATIENCE_MS)
    if (ended.state !== 'succeeded') throw new Error(`the array ended as ${ended.state}: ${JSON.stringify(ended.cause)}`)
    return performance.now() - start
  }
  try {
    const contestants = {
      drover: () => runArray('hpc', { options }),
      held: () => onHeldCluster(home, (cluster) => runArray(cluster, cores(1))),
      steps: sbatch(steps),
      array: sbatch(array),
    }
    const idle = (): Promise<unknown> =>
      until('an empty queue', PATIENCE_MS, () => rig.as('login', 'squeue', '-h', '-u', 'drover').trim() === '')
    const samples = await interleave(
      rounds,
      Object.fromEntries(
        Object.entries(contestants).map(([name, run]) => [
          name,
          async () => {
            await idle()
            return run()
          },
        ]),
      ),
    )
    const rate = (name: string): string => `${((TASKS * 1000) / median(samples[name] ?? [])).toFixed(0)} tasks/s`
    const show = (name: string): string => `${rate(name)}, ${showTimes(samples[name] ?? [], 's', 1000)}`
    return [
      {
        what: `1,000 tasks of 10 ms packed into ${NODES} tasks of Slurm, beside 1,000 srun steps in one allocation, ${NODES * AT_ONCE} at a time, and beside a native array`,
        measured: `${show('drover')}; srun ${show('steps')}; array ${show('array')}`,
        target: 'printed',
      },
      {
        what: `the same as an array on a held cluster of ${NODES} nodes`,
        measured: show('held'),
        target: 'printed',
      },
    ]
  } finally {
    await home.close()
    rig.as('login', 'scancel', '-u', 'drover')
  }
}
