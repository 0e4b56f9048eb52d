import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../src/testing/index.ts'
import { createTaskFile } from '../../src/testing/task-values.ts'
import { readLog, settled } from '../../src/testing/waiting.ts'
import { runDrover } from '../conformance/run-drover.ts'
import { SshHome } from './ssh-home.ts'
import { SshRig } from './ssh-rig.ts'

// Real Open MPI (Debian 12: 4.1.4). mpirun on the head reaches the other machine by ssh of its own: the account's home is one,
// with a key in it, and the work directory has the same path on both.

const rig = new SshRig('shared')
const NODES = ['node1', 'node2']
let home: SshHome
beforeAll(async () => {
  home = await new SshHome(rig, 'shared').start()
})
afterAll(() => home.close())

const mpirun = (...args: string[]) =>
  runDrover(home.environment, ['run', '--on', 'lab', '--nodes', '2', '--processes-per-node', '2', '--launcher', 'mpirun', ...args], {
    cwd: home.directory,
    timeoutMs: 110_000,
  })
/** Processes of MPI jobs, on all machines: the daemon that mpirun starts elsewhere by ssh is not in the job's own group. */
const left = (): readonly string[] =>
  NODES.flatMap((node) =>
    rig.processes(node).filter((line) => /mpirun|orted|sleep 6[0-9][0-9]/.test(line) || line.includes(`${home.root}/jobs`)),
  )

test('one process per place over two nodes, each with its rank, the directory and the variables of the job', async () => {
  const text =
    'echo "$OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE, $OMPI_COMM_WORLD_LOCAL_RANK on $(uname -n), $MINE, $DROVER_NUM_NODES, $PWD"'
  const { code, stdout, stderr } = await mpirun('--env', "MINE=it's mine", '--', 'sh', '-c', text)
  const { id } = await home.drover.get('last')
  const work = `${home.root}/jobs/${id}/work/0`
  expect({ code, lines: stdout.trim().split('\n').sort(), stderr }).toEqual({
    code: 0,
    lines: [0, 1, 2, 3].map((rank) => `[0] ${rank} of 4, ${rank % 2} on node${rank < 2 ? 1 : 2}, it's mine, 2, ${work}`),
    stderr: expect.any(String),
  })
  expect(left()).toEqual([])
})

test("a process of the other node fails: its code is the job's, all are ended, none is left", async () => {
  const { code, stderr } = await mpirun('--', 'sh', '-c', 'if [ "$OMPI_COMM_WORLD_RANK" = 3 ]; then exit 7; fi; exec sleep 601')
  expect({ code, stderr }).toEqual({ code: 7, stderr: expect.stringContaining('7') })
  expect(await home.drover.get('last')).toMatchObject({ state: 'failed', cause: { kind: 'exit', code: 7, rank: 0 } })
  await until('all processes to be gone', 20_000, () => left().length === 0)
})

const running = async () => {
  const [job] = await home.drover.submit(
    createTaskFile('lab', {
      numNodes: 2,
      processesPerNode: 1,
      launcher: { kind: 'mpirun', options: {} },
      run: 'echo "begun $OMPI_COMM_WORLD_RANK"; exec sleep 602',
      graceMs: 5_000,
    }),
  )
  if (job === undefined) throw new Error('no job')
  await until('both processes to begin', 60_000, async () => (await readLog(home.drover, job.id)).toString().split('begun').length === 3)
  return job
}

test('a cancel ends the processes of both nodes', async () => {
  const job = await running()
  expect(rig.processes('node2').some((line) => line.includes('sleep 602'))).toBe(true)
  await home.drover.cancel(job.id)
  expect(await settled(home.drover, job.id, 60_000)).toMatchObject({ state: 'cancelled' })
  await until('all processes to be gone', 20_000, () => left().length === 0)
})

test('mpirun is killed: no process is left on either node, and the job has failed', async () => {
  const job = await running()
  const pid =
    rig
      .processes('node1')
      .find((line) => / mpirun /.test(line) && !line.includes('sh -c'))
      ?.split(' ')[0] ?? 'none'
  rig.on('node1', 'kill', '-KILL', pid)
  expect(await settled(home.drover, job.id, 60_000)).toMatchObject({ state: 'failed', cause: { kind: 'signal', code: 137 } })
  await until('all processes to be gone', 20_000, () => left().length === 0)
})

test('a node that mpirun cannot reach: the job fails with what mpirun said', async () => {
  rig.as('node1', 'mv', '.ssh/id_ed25519', '.ssh/hidden')
  try {
    const { code, stderr } = await mpirun('--', 'true')
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/Permission denied|Host key verification|ORTE/)
  } finally {
    rig.as('node1', 'mv', '.ssh/hidden', '.ssh/id_ed25519')
  }
})
