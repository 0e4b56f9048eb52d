import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileContainer } from '../../src/containers/compile-container.ts'
import type { Job } from '../../src/jobs/drover.ts'
import { plainContainer } from '../../src/task/container.ts'
import { localFileAccess } from '../../src/task/file-access.ts'
import { parseTaskFile } from '../../src/task/task-file.ts'
import type { CaseTask } from '../../src/testing/task-values.ts'
import { createTaskFile } from '../../src/testing/task-values.ts'
import { settled, until } from '../../src/testing/waiting.ts'
import { LocalHome } from '../conformance/local-home.ts'

// Real dockerd and podman, each with data of its own and one image, busybox, made on the spot: no registry is reached.
// Debian 12, root: docker.io, podman, runc and busybox; podman only where it is installed.

const RIG = mkdtempSync(join(tmpdir(), 'boxes-'))
const DOCKER_HOST = `unix://${RIG}/docker.sock`
const PODMAN_OPTIONS = [
  '--runtime',
  'runc',
  '--root',
  `${RIG}/podman/root`,
  '--runroot',
  `${RIG}/podman/run`,
  '--storage-driver=vfs',
  '--cgroup-manager=cgroupfs',
  '--events-backend=file',
]
const DEADLINE_MS = 60_000

const rig = (name: string, ...args: string[]): string =>
  execFileSync('bash', [join(import.meta.dirname, 'rig', name), ...args, '--dir', RIG], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })

const engines = [
  {
    name: 'docker',
    argv: ['docker', '-H', DOCKER_HOST],
    container: { ...plainContainer('busybox'), runtime: 'docker' as const },
    envs: { DOCKER_HOST },
  },
  {
    name: 'podman',
    argv: ['podman', ...PODMAN_OPTIONS],
    container: {
      ...plainContainer('localhost/busybox'),
      runtime: 'podman' as const,
      globalOptions: PODMAN_OPTIONS,
      // Hard limits cannot be raised in every virtual machine.
      options: ['--ulimit=nofile=1024:1024', '--ulimit=nproc=1024:1024'],
    },
    envs: {},
  },
]

beforeAll(() => {
  chmodSync(RIG, 0o755)
  rig('docker.sh', 'up')
  rig('podman.sh', 'up')
}, 120_000)
afterAll(() => {
  rig('podman.sh', 'down')
  rig('docker.sh', 'down', '--purge')
  rmSync(RIG, { recursive: true, force: true })
}, 60_000)

describe.each(engines)('tasks in containers of $name', ({ argv, container, envs }) => {
  let home: LocalHome
  beforeAll(async () => {
    home = await new LocalHome().start()
  }, DEADLINE_MS)
  afterAll(() => home?.close())

  const engine = (...words: string[]): string => {
    const [program = '', ...rest] = argv
    return execFileSync(program, [...rest, ...words], { encoding: 'utf8' }).trim()
  }
  const containersOf = (job: Job): string => engine('ps', '--all', '--quiet', '--filter', `label=drover.job=${job.id}`)
  const submit = async (task: CaseTask): Promise<Job> => {
    const [job] = await home.drover.submit(createTaskFile('local', { container, ...task, envs: { ...envs, ...task.envs } }))
    if (job === undefined) throw new Error('no job')
    return job
  }
  const finish = (job: Job): Promise<Job> => settled(home.drover, job.id, DEADLINE_MS)
  const log = (job: Job, name: string): string => readFileSync(join(home.attemptDir(job), 'logs', name), 'utf8')
  const gone = (job: Job): Promise<unknown> => until('the container to be gone', 20_000, () => containersOf(job) === '')
  const begun = (job: Job): Promise<unknown> =>
    until('the script to begin', DEADLINE_MS, () => {
      try {
        return log(job, '0.out').includes('begun')
      } catch {
        return false
      }
    })
  /** A process that an event line of the attempt names. */
  const pidOf = (job: Job, who: string, word: string): number => {
    const lines = readFileSync(join(home.attemptDir(job), 'events', who), 'utf8').split('\n')
    return Number(/ pid=(\d+)/.exec(lines.findLast((line) => line.split(' ')[1] === word) ?? '')?.[1])
  }

  test('setup and run share one container; code, environment, secrets and work directory are those of the job', async () => {
    const job = await finish(
      await submit({
        envs: { HOSTILE: ' a\n$(touch /tmp/x) "\' ' },
        secrets: { TOKEN: 'hunter2-hunter2' },
        setup: 'echo installed > /opt-tool; echo "setup of $DROVER_NODE_RANK"',
        run: 'cat /opt-tool; pwd; echo out > file; printf "<%s>" "$HOSTILE" "$TOKEN" "$DROVER_JOB_ID" "$SKYPILOT_NODE_RANK" "$DROVER_NODE_IPS"; exit 7',
      }),
    )
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'exit', code: 7 } })
    const work = join(home.home, 'jobs', job.id, 'work/0')
    expect(log(job, '0.out')).toBe(`installed\n${work}\n< a\n$(touch /tmp/x) "' ><hunter2-hunter2><${job.id}><0><127.0.0.1>`)
    expect(log(job, 'setup-0.log')).toContain('setup of 0')
    expect(readFileSync(join(work, 'file'), 'utf8')).toBe('out\n')
    expect(containersOf(job)).toBe('')
  })

  test.each([0, 1, 125, 126, 127, 137, 143, 255])("exit code %i is the script's own", async (code) => {
    const job = await finish(await submit({ run: `exit ${code}` }))
    if (code === 0) expect(job).toMatchObject({ state: 'succeeded', exit_code: 0 })
    else
      expect(job).toMatchObject({
        state: 'failed',
        exit_code: code,
        cause: { kind: code === 137 || code === 143 ? 'signal' : 'exit', code },
      })
    expect(containersOf(job)).toBe('')
  })

  test('a command is not split; a script with #! is executed itself', async () => {
    const command = await finish(await submit({ run: ['printf', '<%s>', 'a b', "it's", '$HOME'] }))
    expect(log(command, '0.out')).toBe("<a b><it's><$HOME>")
    const program = await finish(await submit({ run: '#!/bin/cat\nitself\n' }))
    expect(log(program, '0.out')).toBe('#!/bin/cat\nitself\n')
  })

  test('no secret stands in what the runtime tells of the container, nor on a command line', async () => {
    const job = await submit({ secrets: { TOKEN: 'hunter2-hunter2' }, run: 'echo begun; sleep 300' })
    await begun(job)
    const told = engine('inspect', containersOf(job))
    expect(told).toContain(job.id)
    expect(told).not.toContain('hunter2')
    expect(await home.commandLines()).not.toContain('hunter2')
    await home.drover.cancel(job.id)
    await finish(job)
  })

  test('cancel: TERM reaches the task, which has its grace; the container is removed', async () => {
    const job = await submit({ run: "trap 'echo told; sleep 1; echo tidied; exit 3' TERM; echo begun; sleep 300 & wait", graceMs: 20_000 })
    await begun(job)
    await home.drover.cancel(job.id)
    expect(await finish(job)).toMatchObject({ state: 'cancelled' })
    expect(log(job, '0.out')).toBe('begun\ntold\ntidied\n')
    expect(containersOf(job)).toBe('')
  })

  test('what ignores TERM is killed after the grace, with its container', async () => {
    const job = await submit({ run: "trap '' TERM; echo begun; while :; do sleep 1; done", graceMs: 2_000 })
    await begun(job)
    await home.drover.cancel(job.id)
    expect(await finish(job)).toMatchObject({ state: 'cancelled' })
    await gone(job)
  })

  test('the time limit ends the task in the container', async () => {
    const job = await finish(await submit({ run: 'echo begun; sleep 300', timeoutMs: 4_000, graceMs: 1_000 }))
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'timeout' } })
    await gone(job)
  })

  test('what the script leaves behind ends with it, and does not hold it up', async () => {
    const started = Date.now()
    const job = await finish(await submit({ run: 'sleep 300 & echo done' }))
    expect(job).toMatchObject({ state: 'succeeded' })
    expect(Date.now() - started).toBeLessThan(20_000)
    expect(containersOf(job)).toBe('')
  })

  test('kill -9 of the node runner leaves no container', async () => {
    const job = await submit({ run: 'echo begun; sleep 300', graceMs: 1_000 })
    await begun(job)
    home.kill9(pidOf(job, '0', 'runner'))
    expect(await finish(job)).toMatchObject({ state: 'failed', cause: { kind: 'driver' } })
    await gone(job)
  })

  test('kill -9 of driver, runner and wrapper leaves no container', async () => {
    const job = await submit({ run: 'echo begun; sleep 300', graceMs: 1_000 })
    await begun(job)
    const script = pidOf(job, '0', 'script')
    for (const pid of [pidOf(job, 'job', 'driver'), pidOf(job, '0', 'runner'), -script]) home.kill9(pid)
    await gone(job)
  })

  test('a container that is removed from outside is no success', async () => {
    const job = await submit({ run: 'echo begun; sleep 300' })
    await begun(job)
    engine('rm', '--force', containersOf(job))
    expect(await finish(job)).toMatchObject({ state: 'failed', cause: { kind: 'signal', code: 137 } })
    expect(log(job, '0.err')).toContain('the container ended before the script did')
  })

  test('memory over the limit of the container is cause out_of_memory', async () => {
    const limited = { ...container, options: [...container.options, '--memory=32m'] }
    const job = await finish(await submit({ container: limited, run: 'exec tail /dev/zero' }))
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'out_of_memory', code: 137 } })
    expect(containersOf(job)).toBe('')
  })

  test.each([
    ['an unknown registry', { image: '127.0.0.1:9/none:1' }, 'cannot pull the image 127.0.0.1:9/none:1'],
    ['an image that must not be pulled', { image: 'nowhere/none:1', pull: 'never' as const }, 'container.pull is never'],
    ['an option that the runtime refuses', { options: ['--no-such-option'] }, 'no-such-option'],
    ['a mount that is not there', { mounts: [{ source: '/no/such/place', target: '/x', readOnly: false }] }, '/no/such/place'],
  ])('cause image: %s', async (_, keys, message) => {
    const job = await finish(await submit({ container: { ...container, ...keys }, run: 'echo never' }))
    expect(job).toMatchObject({ state: 'failed', exit_code: 125, cause: { kind: 'image' } })
    expect(job.cause?.message).toContain(message)
    expect(log(job, 'setup-0.log')).toContain(message)
    expect(containersOf(job)).toBe('')
  })

  test('a failed setup is cause setup; run never starts; the container is removed', async () => {
    const job = await finish(await submit({ setup: 'exit 4', run: 'echo never' }))
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'setup', code: 4 } })
    expect(containersOf(job)).toBe('')
  })

  test('an array runs in one container, its elements with their own codes', async () => {
    const job = await finish(
      await submit({
        setup: 'echo ready > /mark',
        run: 'read m </mark; echo "$m $DROVER_ARRAY_INDEX"; [ "$DROVER_ARRAY_INDEX" != 1 ]',
        array: { size: 3, elements: { kind: 'count', count: 3 } },
      }),
    )
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'exit', element: 1, code: 1 } })
    expect([0, 1, 2].map((element) => log(job, `${element}.out`))).toEqual(['ready 0\n', 'ready 1\n', 'ready 2\n'])
    await gone(job)
  })

  test('two nodes: a container each, the peer of a failed rank is ended', async () => {
    const job = await finish(
      await submit({ numNodes: 2, run: 'echo "rank $DROVER_NODE_RANK"; [ "$DROVER_NODE_RANK" = 0 ] && exit 3; sleep 300' }),
    )
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'exit', rank: 0, code: 3 } })
    expect(containersOf(job)).toBe('')
  })
})

// A user without an account in the image, as on most machines; the daemon runs as root.
describe('another user than root', () => {
  const USER = 4242
  const base = join(RIG, 'user')
  const attempt = join(base, 'attempt')

  beforeAll(() => {
    for (const path of ['exit', 'events', 'home', 'work'])
      mkdirSync(join(path === 'home' || path === 'work' ? base : attempt, path), { recursive: true })
    for (const path of ['exit/job', 'exit/0', 'events/0']) writeFileSync(join(attempt, path), '')
    execFileSync('chown', ['-R', `${USER}:${USER}`, base])
    chmodSync(attempt, 0o700)
  })

  function runAs(script: string): SpawnSyncReturns<string> {
    const environment = {
      PATH: process.env['PATH'] ?? '',
      HOME: join(base, 'home'),
      USER: 'someone',
      DOCKER_HOST,
      DROVER_JOB_ID: 'u1',
      DROVER_ATTEMPT: '1',
      DROVER_NODE_RANK: '0',
      DROVER_ATTEMPT_DIR: attempt,
      DROVER_WORK_DIR: join(base, 'work'),
      TOKEN: 'it is secret',
    }
    return spawnSync('setpriv', [`--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', 'sh', '-c', script], {
      env: environment,
      encoding: 'utf8',
      timeout: DEADLINE_MS,
    })
  }
  const scripts = compileContainer(
    { ...plainContainer('busybox'), runtime: 'docker' },
    { setup: 'echo kept > ~/kept', run: { kind: 'script', text: 'id -u; cat ~/kept; echo "$TOKEN"; touch file; exit 3' } },
    { isArray: false, gpus: 0, graceSeconds: 2, variables: ['TOKEN'], fileMounts: [] },
  )

  test('no permission on the socket: cause image, with what to do', () => {
    chmodSync(join(RIG, 'docker.sock'), 0o600)
    expect(runAs(scripts.setup)).toMatchObject({ status: 125, stderr: expect.stringContaining('no permission on the socket of docker') })
    expect(readFileSync(join(attempt, 'events/0'), 'utf8')).toMatch(/^\d+ container kind=image element=- text=cannot%20run/)
  })

  test('files belong to the caller; the home is a directory of the attempt', () => {
    chmodSync(join(RIG, 'docker.sock'), 0o666)
    expect(runAs(scripts.setup)).toMatchObject({ status: 0 })
    expect(scripts.run.kind === 'script' && runAs(scripts.run.text)).toMatchObject({ status: 3, stdout: `${USER}\nkept\nit is secret\n` })
    expect(statSync(join(base, 'work/file'))).toMatchObject({ uid: USER, gid: USER })
    expect(existsSync(join(base, 'home/kept'))).toBe(false)
    expect(execFileSync('find', [base, '!', '-uid', String(USER)], { encoding: 'utf8' })).toBe('')
    expect(execFileSync('docker', ['-H', DOCKER_HOST, 'ps', '--all', '--quiet'], { encoding: 'utf8' })).toBe('')
  })
})

test('the examples of docs/containers.md run', async () => {
  const blocks = [
    ...readFileSync(join(import.meta.dirname, '../../docs/containers.md'), 'utf8').matchAll(/^```yaml container\n([\s\S]*?)^```$/gm),
  ]
  expect(blocks.length).toBeGreaterThan(1)
  const home = await new LocalHome().start()
  try {
    for (const [, text = ''] of blocks) {
      const file = parseTaskFile(text, 'example.yaml', {
        baseDirectory: home.directory,
        currentDirectory: home.directory,
        environment: {},
        overrides: { envs: { DOCKER_HOST } },
        files: localFileAccess(),
      })
      const [job] = await home.drover.submit(file)
      const end = await settled(home.drover, job?.id ?? '', DEADLINE_MS)
      expect(end, JSON.stringify(end.cause)).toMatchObject({ state: 'succeeded' })
    }
  } finally {
    await home.close()
  }
})

test.each([
  ['no daemon', { DOCKER_HOST: 'unix:///no/such/socket' }, 'docker', 'does not run'],
  ['no program', { PATH: '/nothing:/usr/bin:/bin' }, 'apptainer', 'there is no apptainer on PATH'],
] as const)('%s: cause image, with what to do', async (_, envs, runtime, message) => {
  const home = await new LocalHome().start()
  try {
    const [job] = await home.drover.submit(
      createTaskFile('local', { container: { ...plainContainer('x'), runtime }, envs, run: 'echo never' }),
    )
    const end = await settled(home.drover, job?.id ?? '', DEADLINE_MS)
    expect(end).toMatchObject({ state: 'failed', cause: { kind: 'image' } })
    expect(end.cause?.message).toContain(message)
  } finally {
    await home.close()
  }
})
