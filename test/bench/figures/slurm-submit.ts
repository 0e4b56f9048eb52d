import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTaskFile } from '../../../src/testing/index.ts'
import { DROVER_BIN } from '../../conformance/local-home.ts'
import { SlurmHome } from '../../engines/slurm-home.ts'
import type { SshRig } from '../../engines/ssh-rig.ts'
import { type Figure, interleave, median, showTimes, timeCommand } from '../measure.ts'
import { openSharedConnection } from '../shared-connection.ts'
import { openSlowLine } from '../slow-line.ts'

const LATENCY_MS = 50
const MANY = 200

/** A script as a user's own, whose job never starts. */
function writeScript(home: SlurmHome): string {
  const script = join(home.directory, 'job.sh')
  writeFileSync(script, '#!/bin/sh\n#SBATCH --hold\n#SBATCH --output=/dev/null\ntrue\n')
  return script
}

/**
 * `drover run --detach` over ssh with its supervisor up, beside `sbatch` over a shared connection that stands; again over a
 * line that is 50 ms longer, which tells how often each waits for an answer.
 */
export async function measureSlurmSubmit(rig: SshRig, rounds: number): Promise<readonly Figure[]> {
  const home = new SlurmHome(rig, 'ssh')
  await using far = await openSlowLine(rig, home.base, LATENCY_MS)
  // The same cluster twice.
  writeFileSync(
    join(home.base, '.config/drover/config.yaml'),
    `targets:
  near: {kind: slurm, root: ${home.root}, login: login, ssh_config: ${rig.configFile}}
  far: {kind: slurm, root: ${home.root}, login: login, ssh_config: ${far.configFile}}
`,
  )
  try {
    await home.start()
    using peerNear = openSharedConnection(rig, ['login'])
    using peerFar = openSharedConnection(rig, ['login'], far.configFile)
    const script = writeScript(home)
    const drover = (target: string) => (): Promise<number> =>
      timeCommand(
        process.execPath,
        [DROVER_BIN, 'run', '--on', target, '--detach', '--option', 'hold=true', '--', 'true'],
        home.environment,
        // Where it is typed is what it ships: here the script that sbatch is given, not this repository.
        home.directory,
      )
    const sbatch = (args: readonly string[]) => (): Promise<number> =>
      timeCommand('ssh', [...args, 'login', 'sbatch', '--parsable', script])
    const contestants = {
      drover: drover('near'),
      sbatch: sbatch(peerNear.args),
      droverFar: drover('far'),
      sbatchFar: sbatch(peerFar.args),
    }
    // The supervisor connects with the first job.
    await interleave(1, contestants)
    const samples = await interleave(rounds * 2, contestants)
    const { drover: own = [], sbatch: bare = [], droverFar = [], sbatchFar = [] } = samples
    const added = median(own) - median(bare)
    const trips = (median(droverFar) - median(own)) / LATENCY_MS
    const bareTrips = (median(sbatchFar) - median(bare)) / LATENCY_MS
    return [
      {
        what: '`drover run --detach` on Slurm over ssh, beside `ssh login sbatch` over a ControlMaster connection',
        measured: `${added.toFixed(0)} ms more: ${showTimes(own)} beside ${showTimes(bare)}`,
        target: 'at most 150 ms more',
        ok: added <= 150,
      },
      {
        what: `the same, round trips to the login node, by ${LATENCY_MS} ms more latency`,
        measured: `${trips.toFixed(1)}: ${showTimes(droverFar)} beside ${showTimes(own)} without; \`ssh login sbatch\` ${bareTrips.toFixed(1)}`,
        target: 'those of one command, as `ssh login sbatch`',
        ok: trips < bareTrips + 0.5,
      },
    ]
  } finally {
    await home.close()
    rig.as('login', 'scancel', '-u', 'drover')
  }
}

/** 200 jobs in one call of the library, until the scheduler has taken the last, beside a loop of `sbatch` on the login node. */
export async function measureSlurmBurst(rig: SshRig, rounds: number): Promise<readonly Figure[]> {
  const home = await new SlurmHome(rig, 'ssh').start()
  try {
    using peer = openSharedConnection(rig, ['login'])
    const script = writeScript(home)
    const file = createTaskFile(
      'hpc',
      ...Array.from({ length: MANY }, (_, at) => ({ name: `job-${at}`, run: 'true', options: { hold: true } })),
    )
    const loop = `for i in $(seq ${MANY}); do sbatch --parsable ${script} || exit; done`
    const contestants = {
      drover: async () => {
        const start = performance.now()
        const jobs = await home.drover.submit(file)
        const taken = await Promise.all(jobs.map(({ id }) => home.drover.wait(id, { until: 'submitted' })))
        const time = performance.now() - start
        const ids = new Set(taken.map((job) => job.native_id))
        if (ids.size !== MANY || ids.has(null)) throw new Error(`${ids.size} native ids: ${JSON.stringify(taken[0]?.cause)}`)
        return time
      },
      loop: () => timeCommand('ssh', [...peer.args, 'login', loop]),
    }
    await interleave(1, contestants)
    const { drover: own = [], loop: bare = [] } = await interleave(rounds, contestants)
    const ratio = median(bare) / median(own)
    const rate = (times: readonly number[]): string => ((MANY * 1000) / median(times)).toFixed(0)
    return [
      {
        what: `${MANY} jobs submitted at once over ssh, beside a shell loop of sbatch on the login node`,
        measured: `${ratio.toFixed(2)}x the rate: ${rate(own)} jobs/s, ${showTimes(own, 's', 1000)}, beside ${rate(bare)} jobs/s, ${showTimes(bare, 's', 1000)}`,
        target: 'at least 0.7x',
        ok: ratio >= 0.7,
      },
    ]
  } finally {
    await home.close()
    rig.as('login', 'scancel', '-u', 'drover')
  }
}
