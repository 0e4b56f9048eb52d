import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Job, LogQuery } from '../../src/jobs/drover.ts'
import type { CheckLine } from '../../src/targets/check-line.ts'
import { plainContainer } from '../../src/task/container.ts'
import type { CaseTask } from '../../src/testing/task-values.ts'
import { createTaskFile } from '../../src/testing/task-values.ts'
import { readLog, settled, until } from '../../src/testing/waiting.ts'
import { runDrover } from '../conformance/run-drover.ts'
import { SshHome } from './ssh-home.ts'
import { SshRig } from './ssh-rig.ts'

// A real dockerd inside each of two machines, in its namespaces and on its own disk, and rootless podman of the account there.
// Each has one image, busybox, made on the spot: no registry is reached.

const NODES = ['node1', 'node2']
const SOCKET = 'unix:///scratch/docker/docker.sock'
const DEADLINE_MS = 90_000
const PODMAN_OPTIONS = [
  ...['--runtime', 'runc', '--root', '/scratch/podman/root', '--runroot', '/scratch/podman/run'],
  ...['--storage-driver=vfs', '--cgroup-manager=cgroupfs', '--events-backend=file'],
]

const rigs = { private: new SshRig('private'), shared: new SshRig('shared') }
const prepare = (rig: SshRig, script: string, ...args: string[]) =>
  execFileSync('bash', [join(import.meta.dirname, 'rig', script), ...args, '--dir', rig.directory], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })

const cases = [
  { runtime: 'docker', kind: 'private', image: 'busybox', argv: ['docker', '-H', SOCKET] },
  { runtime: 'docker', kind: 'shared', image: 'busybox', argv: ['docker', '-H', SOCKET] },
  { runtime: 'podman', kind: 'private', image: 'localhost/busybox', argv: ['podman', ...PODMAN_OPTIONS] },
] as const

describe.each(cases)('containers of $runtime on machines by SSH, home $kind', ({ runtime, kind, image, argv }) => {
  const rig = rigs[kind]
  const container = { ...plainContainer(image), runtime, ...(runtime === 'podman' ? { globalOptions: PODMAN_OPTIONS } : {}) }
  let home: SshHome

  beforeAll(async () => {
    for (const node of NODES) {
      prepare(rig, 'docker.sh', 'up', '--machine', node)
      if (runtime === 'podman') prepare(rig, 'podman.sh', 'up', '--machine', node)
    }
    home = new SshHome(rig, kind)
    const config = join(home.base, '.config/drover/config.yaml')
    const lines = readFileSync(config, 'utf8')
      .split('\n')
      .filter((line) => !/node[34]/.test(line))
    writeFileSync(config, `${lines.join('\n')}    prologue: export DOCKER_HOST=${SOCKET} PROLOGUE_ONLY=1\n`)
    await home.start()
  }, 120_000)
  afterAll(async () => {
    await home?.close()
    for (const node of NODES) {
      if (runtime === 'podman') prepare(rig, 'podman.sh', 'down', '--machine', node)
      prepare(rig, 'docker.sh', 'down', '--purge', '--machine', node)
    }
  }, 60_000)

  /** Words of the runtime, as who runs jobs there. */
  const engine = (node: string, ...words: string[]): string => rig.as(node, ...argv, ...words).trim()
  const containersOf = (job: Job): string =>
    NODES.map((node) => engine(node, 'ps', '--all', '--quiet', '--filter', `label=drover.job=${job.id}`)).join('')
  const submit = async (task: CaseTask): Promise<Job> => {
    const [job] = await home.drover.submit(createTaskFile('lab', { container, ...task }))
    if (job === undefined) throw new Error('no job')
    return job
  }
  const finish = (job: Job): Promise<Job> => settled(home.drover, job.id, DEADLINE_MS)
  const log = async (job: Job, query?: LogQuery): Promise<string> => (await readLog(home.drover, job.id, query)).toString()
  const begun = (job: Job, count: number): Promise<unknown> =>
    until('the scripts to begin', DEADLINE_MS, async () => (await log(job)).split('begun\n').length > count)
  const gone = (job: Job): Promise<unknown> => until('the containers to be gone', 30_000, () => containersOf(job) === '')
  const left = (): readonly string[] => NODES.flatMap((node) => rig.processes(node).filter((line) => line.includes(`${home.root}/jobs`)))

  test('setup and run share a container; code, mounts, work directory and files are those of the job and of its user', async () => {
    const code = join(home.directory, 'code')
    mkdirSync(join(code, 'sub'), { recursive: true })
    writeFileSync(join(code, 'sub/part.txt'), 'shipped\n')
    writeFileSync(join(home.directory, 'mounted.txt'), 'mounted\n')
    const job = await finish(
      await submit({
        workdir: { kind: 'directory', path: code },
        fileMounts: [
          { destination: '/scratch/outside.txt', source: { kind: 'local', path: join(home.directory, 'mounted.txt') } },
          { destination: 'inside.txt', source: { kind: 'local', path: join(home.directory, 'mounted.txt') } },
        ],
        envs: { HOSTILE: ' a\n$(touch /tmp/x) "\' ' },
        secrets: { TOKEN: 'hunter2-hunter2' },
        setup: 'echo installed > /tmp/tool; hostname > ~/kept',
        run: 'cat /tmp/tool sub/part.txt inside.txt /scratch/outside.txt; cat ~/kept; echo out > file; id -u; pwd; printf "<%s>" "$HOSTILE" "$TOKEN" "$PROLOGUE_ONLY"; exit 7',
      }),
    )
    expect(job, JSON.stringify(job.cause)).toMatchObject({ state: 'failed', cause: { kind: 'exit', code: 7 } })
    const work = `${home.root}/jobs/${job.id}/work/0`
    const uid = rig.as('node1', 'id', '-u').trim()
    expect(await log(job)).toBe(
      `installed\nshipped\nmounted\nmounted\nnode1\n${uid}\n${work}\n< a\n$(touch /tmp/x) "' ><hunter2-hunter2><>`,
    )
    expect(rig.as('node1', 'sh', '-c', 'cat "$1/file" && stat -c %u "$1/file"', 'sh', work)).toBe(`out\n${uid}\n`)
    expect(rig.as('node1', 'find', `${home.root}/jobs/${job.id}`, '!', '-user', uid)).toBe('')
    expect(containersOf(job)).toBe('')
  })

  test('two nodes: a container each on the network of its node, with every variable of its rank', async () => {
    const variables = ['DROVER_NODE_RANK', 'SKYPILOT_NODE_RANK', 'NODE_RANK', 'RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'DROVER_NUM_NODES']
    const shown = variables.map((name) => `$${name}`).join(' ')
    const job = await finish(
      await submit({
        numNodes: 2,
        launcher: { kind: 'distributed', options: { spawn: true } },
        processesPerNode: 1,
        // Rank 0 serves on the node's own address; rank 1 reads it through MASTER_ADDR.
        run: `echo "${shown} $(hostname)"
if [ "$RANK" = 0 ]; then echo "from $(hostname)" | nc -l -p "$MASTER_PORT" -w 60
else i=0; until nc -w 5 "$MASTER_ADDR" "$MASTER_PORT" </dev/null || [ $i -gt 30 ]; do i=$((i + 1)); sleep 1; done; fi`,
      }),
    )
    expect(job, JSON.stringify(job.cause)).toMatchObject({ state: 'succeeded' })
    expect(await log(job, { streams: ['stdout'], ranks: [0] })).toBe('0 0 0 0 0 2 2 node1\n')
    expect(await log(job, { streams: ['stdout'], ranks: [1] })).toBe('1 1 1 1 0 2 2 node2\nfrom node1\n')
    expect(containersOf(job)).toBe('')
  })

  test('a rank fails: the peer is ended, and both containers are removed', async () => {
    const job = await finish(
      await submit({ numNodes: 2, run: 'if [ "$DROVER_NODE_RANK" = 1 ]; then exit 3; fi; sleep 600', graceMs: 2_000 }),
    )
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'exit', rank: 1, code: 3 } })
    expect(job.ranks.map((rank) => rank.killed_by_peer)).toEqual([true, false])
    await gone(job)
    expect(left()).toEqual([])
  })

  test('cancel: TERM reaches both containers, which have their grace and are removed', async () => {
    const job = await submit({
      numNodes: 2,
      run: "trap 'echo tidied; exit 3' TERM; echo begun; sleep 600 & wait",
      graceMs: 20_000,
    })
    await begun(job, 2)
    expect(containersOf(job)).not.toBe('')
    await home.drover.cancel(job.id)
    expect(await finish(job)).toMatchObject({ state: 'cancelled' })
    expect((await log(job)).split('\n').sort()).toEqual(['', 'begun', 'begun', 'tidied', 'tidied'])
    await gone(job)
    expect(left()).toEqual([])
  })

  test('kill -9 of driver, runner and script leaves no container', async () => {
    const job = await submit({ run: 'echo begun; sleep 600', graceMs: 1_000 })
    await begun(job, 1)
    const lines = rig.as('node1', 'cat', ...['job', '0'].map((name) => `${home.root}/jobs/${job.id}/1/events/${name}`))
    // Setup had a runner of its own: the last one counts.
    const pids = ['driver', 'runner', 'script'].map(
      (word) => [...lines.matchAll(new RegExp(` ${word} pid=(\\d+)`, 'g'))].at(-1)?.[1] ?? 'none',
    )
    rig.on('node1', 'sh', '-c', 'kill -KILL "$1" "$2" "-$3"', 'sh', ...pids)
    await gone(job)
  })

  test.each([
    ['a registry that does not answer', { image: '127.0.0.1:9/none:1' }, 'cannot pull the image 127.0.0.1:9/none:1'],
    ['a mount that one node alone has not', { mounts: [{ source: '/scratch/only', target: '/x', readOnly: false }] }, '/scratch/only'],
  ])('cause image: %s', async (_, keys, message) => {
    rig.as('node1', 'mkdir', '-p', '/scratch/only')
    const job = await finish(await submit({ numNodes: 2, container: { ...container, ...keys }, run: 'echo never' }))
    expect(job).toMatchObject({ state: 'failed', exit_code: 125, cause: { kind: 'image' } })
    expect(job.cause?.message).toContain(message)
    expect(await log(job)).toBe('')
    await gone(job)
  })

  test('an array: elements run in the container of their node, with their own codes', async () => {
    const job = await finish(
      await submit({
        setup: 'echo ready > /tmp/mark',
        run: 'read m </tmp/mark; echo "$m $DROVER_ARRAY_INDEX"; [ "$DROVER_ARRAY_INDEX" != 2 ]',
        array: { size: 4, elements: { kind: 'count', count: 4 }, maxParallel: 2 },
      }),
    )
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'exit', element: 2, code: 1 } })
    expect((await log(job)).split('\n').sort()).toEqual(['', 'ready 0', 'ready 1', 'ready 2', 'ready 3'])
    await gone(job)
  })

  if (kind === 'private' && runtime === 'docker') {
    test('target check says what each node has: it works, no permission on the socket, nothing', async () => {
      const lines = async (): Promise<readonly (string | undefined)[]> => {
        const { stdout } = await runDrover(home.environment, ['target', 'check', 'lab', '-o', 'json'])
        const said = JSON.parse(stdout) as CheckLine[]
        return NODES.map((node) => said.find(({ check }) => check === `${node}: containers`)?.detail)
      }
      try {
        rig.on('node2', 'chmod', '600', '/scratch/docker/docker.sock')
        rig.as('node2', 'sh', '-c', 'mkdir -p only && ln -sf /usr/bin/* /usr/sbin/* only && rm -f only/podman')
        rig.startup('node2', 'PATH=$HOME/only\n')
        expect(await lines()).toEqual([
          expect.stringMatching(/^docker \d+\.\d+/),
          expect.stringMatching(/^docker does not work: .*permission denied.*usermod -aG docker/),
        ])
        rig.as('node2', 'rm', '-f', 'only/docker')
        expect((await lines())[1]).toMatch(/^none: tasks with an image cannot run here/)
      } finally {
        rig.startup('node2', undefined)
        rig.on('node2', 'chmod', '660', '/scratch/docker/docker.sock')
      }
    })
  }

  // Rootless podman has no limits on control groups of version 1, and says so.
  if (runtime === 'podman') return
  test('memory over the limit of the container is cause out_of_memory', async () => {
    const job = await finish(await submit({ container: { ...container, options: ['--memory=32m'] }, run: 'exec tail /dev/zero' }))
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'out_of_memory', code: 137 } })
    await gone(job)
  })
})
