import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runExecutorCases } from '../../src/testing/index.ts'
import { endsCleanly, submitCounted } from './slurm-checks.ts'
import { SlurmHome } from './slurm-home.ts'
import { SshRig } from './ssh-rig.ts'

const rig = new SshRig('slurm')

/** Caches that lag as those of NFS do: attributes and entries for half a minute, directories for a minute. */
const LAGS =
  'dcache_timeout=60,dcache_stat_timeout=60,dcache_dir_timeout=60,attr_timeout=30,entry_timeout=30,negative_timeout=10,auto_cache'

/** A home whose job directories some machines see through such caches; the disk itself is that of node1. */
class LaggingHome extends SlurmHome {
  readonly #machines: readonly string[]

  constructor(machines: readonly string[]) {
    super(rig, 'login')
    this.#machines = machines
    for (const machine of machines)
      rig.on(machine, 'sshfs', '-F', rig.configFile, `node1:${this.root}`, this.root, '-o', `allow_other,default_permissions,${LAGS}`)
  }

  override async close(): Promise<void> {
    await this.stop()
    for (const machine of this.#machines) rig.on(machine, 'umount', '-l', this.root)
    await super.close()
  }
}

const PLACES: readonly { readonly where: string; readonly open: () => SlurmHome }[] = [
  { where: 'by ssh, no caches', open: () => new SlurmHome(rig, 'ssh') },
  { where: 'on the login node, no caches', open: () => new SlurmHome(rig, 'login') },
  { where: 'on the login node, behind caches', open: () => new LaggingHome(['login']) },
  { where: 'login and compute nodes behind caches', open: () => new LaggingHome(['login', 'node2', 'node3', 'node4']) },
]

const CORE =
  /^(exit|setup runs|a log of 10 MB|following a log|env and secrets|four ranks|a failed setup|one of four|cancel during|a time limit ends|two clients|a matrix|only the failed|dependents on|a retry|a supervisor killed by signal 9 when it runs|a job that ends while)/

for (const { where, open } of PLACES.slice(2)) {
  runExecutorCases({
    name: `slurm, ${where}`,
    target: 'hpc',
    open: () => open().start(),
    patience: 3,
    only: CORE,
    skip: where.includes('compute')
      ? {
          'one of four ranks fails: it is named, the others are ended by it':
            'FUSE remembers the size of the stop mark for 30 s where NFS would ask at each open: the launcher ends the others, not as peers',
        }
      : {},
  })
}

describe.each(PLACES)('from the end of a script to a client that waits, $where', ({ where, open }) => {
  let home: SlurmHome
  beforeAll(async () => {
    home = await open().start()
  })
  afterAll(async () => {
    await home.close()
  })

  test('the median is below a second', async () => {
    const times: number[] = []
    for (let round = 0; round < 7; round++) {
      // The last thing that the script does; all machines have one clock.
      const job = await submitCounted(home, { options: { nodelist: 'node2' }, run: 'sleep 2; date +%s%3N >"$RUNS.end"' })
      await home.drover.wait(job.id, { until: 'settled' })
      times.push(Date.now() - Number(readFileSync(`${job.runs}.end`, 'utf8')))
      await endsCleanly(home, job)
    }
    const [median = 0] = times.toSorted((a, b) => a - b).slice(3)
    console.log(`end to succeeded, ${where}: median ${median} ms of ${times.join(', ')}`)
    expect(median).toBeLessThan(1_000)
  })
})
