import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../src/testing/index.ts'
import { runDrover } from '../conformance/run-drover.ts'
import { SshHome } from './ssh-home.ts'
import { SshRig } from './ssh-rig.ts'

// One study of real Optuna for two hosts, wherever it can be kept.

const rig = new SshRig('private')
const python = join(process.env['DROVER_PYTHON_ENV'] ?? '', 'bin')
let home: SshHome
let shared: SshHome

/** Each node does three trials, then waits until it sees six: those of one study that both write. */
const TUNE = `
import os, time, optuna
optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.load_study(study_name=os.environ["OPTUNA_STUDY_NAME"], storage=os.environ["OPTUNA_STORAGE"])
if os.environ.get("ENDLESS"):
    open("up", "w").close()
    time.sleep(600)
study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=3)
done = lambda: sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))
while done() < 6:
    time.sleep(0.2)
print("sees %d of %s in %s %s" % (done(), study.study_name, os.environ["OPTUNA_STORAGE"].split("://")[0], study.direction.name), flush=True)
`

beforeAll(async () => {
  if (process.env['DROVER_PYTHON_ENV'] === undefined)
    throw new Error('DROVER_PYTHON_ENV names no Python environment: run npm run test:engines')
  home = await new SshHome(rig, 'private').start()
  shared = await new SshHome(rig, 'shared').start()
  for (const each of [home, shared]) writeFileSync(join(each.directory, 'tune.py'), TUNE)
})
afterAll(async () => {
  await home?.close()
  await shared?.close()
})

const drover = (of: SshHome, ...args: string[]) => runDrover(of.environment, args, { cwd: of.directory, timeoutMs: 110_000 })
const search = (of: SshHome, ...options: string[]) =>
  drover(
    of,
    ...['run', '--on', 'lab', '--nodes', '2', '--name', 'search', '--env', `PATH=${python}:/usr/bin:/bin`],
    ...['--launcher', 'optuna', ...options, '--', 'python', 'tune.py'],
  )
const servers = (): readonly string[] =>
  ['node1', 'node2'].flatMap((machine) => rig.processes(machine).filter((line) => /\bpostgres\b/.test(line)))
const seen = (storage: string, direction = 'MINIMIZE'): readonly string[] =>
  [0, 1].map((rank) => `[${rank}] sees 6 of search in ${storage} ${direction}`)
const linesOf = (stdout: string): readonly string[] =>
  stdout
    .split('\n')
    .filter((line) => line.includes(' sees '))
    .sort()

test('a registered PostgreSQL: its password reaches the nodes and nothing that is printed', async () => {
  const directory = join(rig.directory, 'studies')
  const listen = /^ListenAddress (\d+\.\d+\.\d+)\./m.exec(readFileSync(join(rig.directory, 'ssh/sshd_config.node1'), 'utf8'))?.[1]
  const port = '25439'
  const postgres = (...args: string[]) =>
    execFileSync('bash', [join(import.meta.dirname, 'rig/postgres.sh'), ...args, '--dir', directory, '--port', port])
  const sql = (database: string, text: string): string =>
    execFileSync('psql', ['-h', '127.0.0.1', '-p', port, '-U', 'postgres', '-d', database, '-Atc', text], { encoding: 'utf8' })
  postgres('up', '--listen', `${listen}.254`)
  try {
    const password = 'p@ss/w:%#?'
    sql('postgres', `CREATE ROLE ada LOGIN PASSWORD '${password}'`)
    sql('postgres', 'CREATE DATABASE optuna OWNER ada')
    const uri = `postgresql+psycopg://ada@${listen}.254:${port}/optuna`
    writeFileSync(join(home.base, 'password'), password, { mode: 0o600 })
    const added = await drover(home, 'db', 'add', 'studies', '--uri', uri, '--password-command', `cat ${join(home.base, 'password')}`)
    expect(added.code, added.stderr).toBe(0)
    const { code, stdout, stderr } = await search(home, '--launcher-option', 'database=studies', '--launcher-option', 'direction=maximize')
    expect(code, stderr).toBe(0)
    expect(linesOf(stdout)).toEqual(seen('postgresql+psycopg', 'MAXIMIZE'))
    expect(sql('optuna', "SELECT count(*) FROM trials WHERE state = 'COMPLETE'").trim()).toBe('6')
    const shown = await Promise.all([drover(home, 'show', 'last', '-o', 'json'), drover(home, 'explain', 'last')])
    for (const said of [stdout, stderr, ...shown.map((each) => each.stdout)]) expect(said).not.toMatch(/p@ss|p%40ss/)
  } finally {
    postgres('down', '--purge')
  }
})

test('no shared home, no database: one that the job starts on its head, and that ends with it', async () => {
  const { code, stdout, stderr } = await search(home)
  expect(code, stderr).toBe(0)
  expect(linesOf(stdout)).toEqual(seen('postgresql+psycopg'))
  expect(servers()).toEqual([])
})

test('it ends with a cancel too', async () => {
  const made = await drover(
    home,
    ...['run', '--detach', '--on', 'lab', '--nodes', '2', '--name', 'endless', '--env', `PATH=${python}:/usr/bin:/bin`],
    ...['--env', 'ENDLESS=1', '--launcher', 'optuna', '--', 'python', 'tune.py'],
  )
  expect(made.code, made.stderr).toBe(0)
  await until('both nodes to have the study', 90_000, async () => {
    const looks = await Promise.all(['0', '1'].map((rank) => drover(home, 'shell', 'endless', rank, '--', 'ls')))
    return looks.every(({ stdout }) => /^up$/m.test(stdout))
  })
  expect(servers()).not.toEqual([])
  await home.drover.cancel('endless')
  expect(await home.drover.wait('endless')).toMatchObject({ state: 'cancelled' })
  expect(servers()).toEqual([])
})

test('a shared home: a SQLite file of the job', async () => {
  const { code, stdout, stderr } = await search(shared)
  expect(code, stderr).toBe(0)
  expect(linesOf(stdout)).toEqual(seen('sqlite'))
})

test('none of all this: refused with what to do, and the other node does not wait on', async () => {
  // In the head's own namespace: the others keep what they have.
  rig.on('node1', 'sh', '-c', 'mount -t tmpfs tmpfs /usr/lib/postgresql')
  try {
    const { code, stderr } = await search(home)
    expect(code).not.toBe(0)
    expect(stderr).toContain('there is no PostgreSQL (initdb) on the head node: install it there, or register a database (drover db add)')
    const job = await home.drover.get('last')
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'exit', rank: 0 } })
    expect(job.ranks[1]).toMatchObject({ killed_by_peer: true })
  } finally {
    rig.on('node1', 'umount', '/usr/lib/postgresql')
  }
})
