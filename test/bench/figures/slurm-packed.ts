import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
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

/** 1,000 tasks of 10 ms as an array packed into one task of Slurm per node, beside as many steps and a native array. */
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
  try {
    const contestants = {
      drover: async () => {
        const start = performance.now()
        const elements = { kind: 'count', count: TASKS } as const
        const [job] = await home.drover.submit(createTaskFile('hpc', { array: { elements, size: TASKS }, run: RUN, options }))
        const ended = await settled(home.drover, job?.id ?? '', PATIENCE_MS)
        if (ended.state !== 'succeeded') throw new Error(`the array ended as ${ended.state}: ${JSON.stringify(ended.cause)}`)
        return performance.now() - start
      },
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
    ]
  } finally {
    await home.close()
    rig.as('login', 'scancel', '-u', 'drover')
  }
}
