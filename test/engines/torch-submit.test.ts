import { randomUUID } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../src/testing/index.ts'
import { LocalHome } from '../conformance/local-home.ts'
import { runDrover } from '../conformance/run-drover.ts'
import { SshRig } from './ssh-rig.ts'

// What torch-submit 0.1.24 leaves behind, on machines on which its jobs still run: its configuration, its database, and on each
// node /tmp/torch_submit_job_<id> with the process as it starts it.

const rig = new SshRig('private')
const MACHINES = ['node1', 'node2'] as const
type Machine = (typeof MACHINES)[number]
const addressOf = (machine: Machine): string =>
  /^ListenAddress (\S+):22$/m.exec(readFileSync(join(rig.directory, 'ssh', `sshd_config.${machine}`), 'utf8'))?.[1] ?? ''
const JOBS = { ends: randomUUID(), stopped: randomUUID(), vanishes: randomUUID(), ended: randomUUID(), gone: randomUUID() }
let home: LocalHome

const directoryOf = (id: string): string => `/tmp/torch_submit_job_${id}`
const sh = (machine: Machine, script: string, ...args: string[]): string => rig.as(machine, 'bash', '-c', script, 'bash', ...args).trim()
const touch = (machine: Machine, job: string, name: string): string => sh(machine, `: >"$1/$2"`, directoryOf(job), name)

/** As its executors do; the command waits for the file `go`, prints, and ends with the code in it. */
function start(machine: Machine, job: string): void {
  const d = directoryOf(job)
  const command = `bash -c 'echo started on ${machine}; until [ -e go ]; do sleep 0.2; done; echo going; exit $(cat go)'`
  const script = `mkdir "$1"; setsid nohup bash -c 'source /dev/null && USE_TORCHSUBMIT=1 cd '"$1"' && '"$2"' > output.log 2>&1 & pid=$!; echo $pid > '"$1"'/job.pid; wait $pid; echo $? > '"$1"'/exit_code' </dev/null >/dev/null 2>&1 &
until [ -s "$1/job.pid" ]; do sleep 0.05; done`
  sh(machine, script, d, command)
}

beforeAll(async () => {
  home = new LocalHome({}, {}, rig.directory)
  // torch-submit knows addresses; how ssh checks their keys is a matter of the user's own ssh configuration, read as by this one.
  const bin = join(home.base, 'bin')
  mkdirSync(bin)
  writeFileSync(
    join(bin, 'config'),
    `Host *\n  UserKnownHostsFile ${join(rig.directory, 'ssh/known_hosts')}\n  GlobalKnownHostsFile /dev/null\n  IdentitiesOnly yes\n`,
  )
  writeFileSync(join(bin, 'ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F ${join(bin, 'config')} "$@"\n`)
  chmodSync(join(bin, 'ssh'), 0o755)
  home.environment['PATH'] = `${bin}:${home.environment['PATH']}`

  const cache = join(home.base, '.cache/torch-submit')
  mkdirSync(cache, { recursive: true })
  const key = join(rig.directory, 'ssh/id_ed25519')
  const node = (machine: Machine): string =>
    `{ansible_playbook: null, nproc: 4, num_gpus: 0, private_ip: ${addressOf(machine)}, public_ip: ${addressOf(machine)}, ssh_port: 22, ssh_pub_key_path: ${key}, ssh_user: drover}`
  writeFileSync(
    join(cache, 'config.yaml'),
    `clusters:
  lab: {head_node: ${node('node1')}, worker_nodes: [${node('node2')}]}
databases:
  studies: {address: db.lab, password: p@ss/w, port: 5432, type: postgres, username: ada}
`,
  )
  const database = new DatabaseSync(join(cache, 'jobs.db'))
  database.exec(`CREATE TABLE jobs (id TEXT PRIMARY KEY, name TEXT, status TEXT, working_dir TEXT, nodes TEXT, cluster TEXT, command TEXT,
    max_restarts INTEGER DEFAULT 0, num_gpus INTEGER DEFAULT NULL, pids TEXT DEFAULT NULL, executor TEXT DEFAULT NULL,
    docker_image TEXT DEFAULT NULL, database TEXT DEFAULT NULL, optuna_port INTEGER DEFAULT NULL)`)
  const insert = database.prepare(`INSERT INTO jobs VALUES (${Array(14).fill('?').join(',')})`)
  const nodes = MACHINES.map((machine) => `${addressOf(machine)}:${addressOf(machine)}:0:4:drover:${key}:22`).join(',')
  for (const [name, id] of Object.entries(JOBS)) {
    insert.run(id, name, 'crashed', `${cache}/jobs/${id}/x.zip`, nodes, 'lab', 'python x.py', 0, '', null, 'torchrun', '', '', null)
  }
  database.close()
  for (const machine of MACHINES) {
    for (const job of [JOBS.ends, JOBS.stopped, JOBS.vanishes]) start(machine, job)
    sh(
      machine,
      'mkdir "$1"; echo 1 >"$1/job.pid"; echo old words >"$1/output.log"; echo "$2" >"$1/exit_code"',
      directoryOf(JOBS.ended),
      machine === 'node1' ? '0' : '3',
    )
  }
  await home.start()
})
afterAll(async () => {
  await home?.close()
  for (const machine of MACHINES) {
    for (const job of Object.values(JOBS)) {
      rig.on(
        machine,
        'sh',
        '-c',
        'pkill -KILL -u drover -f "$1"; pkill -KILL -u drover -f "echo started on"; rm -rf "$1"',
        'sh',
        directoryOf(job),
      )
    }
    rig.on(machine, 'sh', '-c', 'rm -rf ~drover/.drover')
  }
})

const drover = (...args: string[]) => runDrover(home.environment, args, { cwd: home.directory, timeoutMs: 110_000 })
const settled = (name: string) => home.drover.wait(name)
const alive = (machine: Machine, job: string): boolean =>
  sh(machine, 'for p in /proc/[0-9]*; do [ "$(readlink "$p/cwd")" = "$1" ] && echo "$p"; done; true', directoryOf(job)) !== ''

test('the import takes targets, databases and the jobs of which something is left; a second one makes nothing twice', async () => {
  const { code, stdout, stderr } = await drover('import', 'torch-submit')
  expect(code, stderr).toBe(0)
  expect(stdout).toContain(`target lab: imported (${MACHINES.map(addressOf).join(', ')})`)
  expect(stdout).toContain('database studies: imported')
  expect(stdout).not.toContain('p@ss')
  for (const name of ['ends', 'stopped', 'vanishes']) expect(stdout).toMatch(new RegExp(`^job ${name}: followed \\(running;`, 'm'))
  expect(stdout).toMatch(/^job ended: followed \(exit code 0, 3;/m)
  expect(stdout).toMatch(/^job gone: unknown \(its directory \/tmp\/torch_submit_job_\S+ is gone; torch-submit: crashed\)/m)
  expect(await drover('target', 'check', 'lab')).toMatchObject({ code: 0 })

  const before = await home.drover.list()
  expect(await drover('import', 'torch-submit')).toMatchObject({ code: 0 })
  expect((await home.drover.list()).map(({ id }) => id)).toEqual(before.map(({ id }) => id))
  expect(before.map(({ name }) => name).sort()).toEqual(['ended', 'ends', 'stopped', 'vanishes'])
})

test('one that had ended: its own exit codes', async () => {
  expect(await settled('ended')).toMatchObject({ state: 'failed', exit_code: 3, cause: { kind: 'exit', rank: 1, code: 3 } })
})

test('one that runs is followed, log and all, to its own end', async () => {
  await until('both logs', 30_000, async () => {
    const { stdout } = await drover('logs', 'ends')
    return ['[0] started on node1', '[1] started on node2'].every((line) => stdout.includes(line))
  })
  expect((await home.drover.get('ends')).state).toBe('running')
  for (const machine of MACHINES) touch(machine, JOBS.ends, 'go')
  expect(await settled('ends')).toMatchObject({ state: 'succeeded', exit_code: 0 })
  const { stdout } = await drover('logs', 'ends')
  expect(stdout.split('\n').filter(Boolean).sort()).toEqual(['[0] going', '[0] started on node1', '[1] going', '[1] started on node2'])
})

test('cancel stops it on every node', async () => {
  expect(MACHINES.map((machine) => alive(machine, JOBS.stopped))).toEqual([true, true])
  await home.drover.cancel('stopped')
  expect(await settled('stopped')).toMatchObject({ state: 'cancelled' })
  expect(MACHINES.map((machine) => alive(machine, JOBS.stopped))).toEqual([false, false])
})

test('one that vanished on a node without an exit code: the other node goes on, and the end is lost, not failed', async () => {
  await until('it to run', 30_000, async () => (await home.drover.get('vanishes')).ranks.every(({ state }) => state === 'running'))
  // The shell that would write the exit code first, then what it started.
  const kill = `d=$1; read -r p <"$d/job.pid"; kill -KILL "$(ps -o ppid= -p "$p" | tr -d ' ')" $(ps -o pid= --ppid "$p") "$p"`
  sh('node1', kill, directoryOf(JOBS.vanishes))
  await until('rank 0 to end', 60_000, async () => (await home.drover.get('vanishes')).ranks[0]?.state === 'lost')
  expect(alive('node2', JOBS.vanishes)).toBe(true)
  expect((await home.drover.get('vanishes')).state).not.toMatch(/failed|lost/)
  touch('node2', JOBS.vanishes, 'go')
  expect(await settled('vanishes')).toMatchObject({ state: 'lost', cause: { kind: 'unknown', rank: 0 } })
  expect((await drover('logs', 'vanishes', '--stream', 'stderr')).stdout).toContain('nobody knows how it ended')
  const settledBy = await drover('settle', 'vanishes', '--as', 'failed', '--reason', 'somebody killed its shell')
  expect(settledBy).toMatchObject({ code: 0 })
})
