import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../../src/testing/index.ts'
import { LocalHome, processesOf } from '../conformance/local-home.ts'
import { runDrover } from '../conformance/run-drover.ts'

/** A training script: all_reduce over gloo, then the end that FAIL names for one rank while the others wait for it. */
const TRAIN = `
import os, sys, time, torch, torch.distributed as dist
dist.init_process_group("gloo")
x = torch.ones(1) * (dist.get_rank() + 1)
dist.all_reduce(x)
print("rank %d of %d sum %g threads %s argv %s" % (dist.get_rank(), dist.get_world_size(), x.item(), os.environ["OMP_NUM_THREADS"], sys.argv[1:]), flush=True)
fail, _, how = os.environ.get("FAIL", "").partition(":")
if fail == str(dist.get_rank()):
    if how == "raise":
        # Else gloo's threads may abort the process in the interpreter's teardown.
        dist.destroy_process_group()
        raise ValueError("the data is bad")
    if how == "kill":
        os.kill(os.getpid(), 9)
    # Without the interpreter's teardown, in which gloo's threads may abort the process.
    os._exit(int(how))
if fail == "sleep":
    time.sleep(600)
if fail:
    dist.all_reduce(x)
    time.sleep(600)
dist.destroy_process_group()
`

const TUNE = `
import os, optuna
optuna.logging.set_verbosity(optuna.logging.WARNING)
assert os.environ["STUDY_NAME"] == os.environ["OPTUNA_STUDY_NAME"] and os.environ["DATABASE_URI"] == os.environ["OPTUNA_STORAGE"]
study = optuna.load_study(study_name=os.environ["STUDY_NAME"], storage=os.environ["DATABASE_URI"])
study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=4)
print("node %s world %s study %s direction %s" % (os.environ["NODE_RANK"], os.environ["WORLD_SIZE"], os.environ["STUDY_NAME"], study.direction.name), flush=True)
`

interface Shown {
  readonly id: string
  readonly state: string
  readonly exit_code: number | null
  readonly cause: { readonly kind: string; readonly rank?: number; readonly code?: number } | null
}

interface Report {
  readonly kind: string
  readonly rank: number | null
  readonly code: number
  readonly message: string
}

let home: LocalHome
let environment: Record<string, string>

beforeAll(async () => {
  const python = execFileSync(fileURLToPath(new URL('python-env.sh', import.meta.url)), { encoding: 'utf8' }).trim()
  home = await new LocalHome().start()
  // The job's environment is that of the supervisor's login; the interpreter is put on PATH by the task.
  environment = { ...home.environment, TASK_PATH: `${python}/bin:${home.environment['PATH']}` }
  mkdirSync(join(home.directory, 'code'))
  writeFileSync(join(home.directory, 'code/train.py'), TRAIN)
  writeFileSync(join(home.directory, 'code/tune.py'), TUNE)
}, 600_000)

afterAll(async () => {
  await home.close()
})

/** Runs a command line in the directory of the scripts; \`env\` are variables of the task. */
async function launch(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const variables = Object.entries({ PATH: environment['TASK_PATH'] ?? '', ...env }).flatMap(([name, value]) => [
    '--env',
    `${name}=${value}`,
  ])
  const at = args.indexOf('--')
  const line = ['run', ...args.slice(0, at), ...variables, ...args.slice(at)]
  const outcome = await runDrover(environment, line, { cwd: join(home.directory, 'code'), timeoutMs: 240_000 })
  const list = await runDrover(environment, ['list', '-o', 'json', '--all'])
  const jobs = JSON.parse(list.stdout) as { readonly jobs?: readonly Shown[] } | readonly Shown[]
  const [last] = Array.isArray(jobs) ? (jobs as readonly Shown[]) : ((jobs as { jobs?: readonly Shown[] }).jobs ?? [])
  if (last === undefined) throw new Error(`no job: ${outcome.stderr}`)
  const shown = JSON.parse((await runDrover(environment, ['show', last.id, '-o', 'json'])).stdout) as Shown
  return { ...outcome, job: shown, directory: join(home.home, 'jobs', last.id, '1') }
}

function report(directory: string, node: number): Report {
  return JSON.parse(readFileSync(join(directory, `launch/${node}.json`), 'utf8')) as Report
}

describe('torchrun, torch 2.13 with gloo', { timeout: 300_000 }, () => {
  test('two processes on one node', async () => {
    const { code, stdout, stderr } = await launch([
      ...['--launcher', 'torchrun', '--processes-per-node', '2', '--cpus-per-process', '1'],
      ...['--', 'train.py', '--lr', '0 1'],
    ])
    expect(code, stderr).toBe(0)
    expect(stdout).toContain("rank 0 of 2 sum 3 threads 1 argv ['--lr', '0 1']")
    expect(stdout).toContain("rank 1 of 2 sum 3 threads 1 argv ['--lr', '0 1']")
  })

  test('two nodes', async () => {
    const { code, stdout, stderr } = await launch(['--launcher', 'torchrun', '--nodes', '2', '--', 'python', 'train.py'])
    expect(code, stderr).toBe(0)
    expect(stdout).toMatch(/rank 0 of 2 sum 3/)
    expect(stdout).toMatch(/rank 1 of 2 sum 3/)
  })

  test.each([
    ['7', 7, 'exit', ''],
    ['raise', 1, 'exit', 'ValueError: the data is bad'],
    ['kill', 137, 'signal', 'ended by signal 9'],
  ])('one rank of two nodes ends by %s: that is the cause', async (how, expected, kind, message) => {
    const { code, stderr, job, directory } = await launch(
      ['--launcher', 'torchrun', '--nodes', '2', '--processes-per-node', '1', '--', 'train.py'],
      { FAIL: `1:${how}` },
    )
    expect(code, stderr).toBe(expected)
    const failed = [0, 1].find((node) => existsSync(join(directory, `launch/${node}.json`)) && report(directory, node).kind === 'own') ?? -1
    expect(job).toMatchObject({ state: 'failed', cause: { kind, code: expected, rank: failed } })
    expect(report(directory, failed)).toMatchObject({ kind: 'own', rank: 1, code: expected, message })
    expect(processesOf(directory)).toEqual([])
  })

  test('an agent killed by -9 leaves no worker behind', async () => {
    const running = launch(['--launcher', 'torchrun', '--processes-per-node', '2', '--', 'train.py'], {
      FAIL: 'sleep',
      MARK: 'agent-killed',
    })
    const agents = () => processesOf('MARK=agent-killed').filter((pid) => command(pid).includes('/launch/agent-0.py'))
    const workers = () => processesOf('MARK=agent-killed').filter((pid) => /python\S* -u train\.py$/.test(command(pid)))
    await until('both workers to run', 120_000, () => workers().length === 2)
    for (const pid of agents()) process.kill(pid, 'SIGKILL')
    const { code, job } = await running
    expect(code).toBe(137)
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'signal' } })
    expect(workers()).toEqual([])
  })

  test('no torch is named as such', async () => {
    const { code, stderr } = await launch(['--launcher', 'torchrun', '--', 'train.py'], { PATH: '/usr/bin:/bin' })
    expect(code).toBe(127)
    expect(stderr).toMatch(/torch/)
  })
})

function command(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim()
  } catch {
    return ''
  }
}

describe('distributed', { timeout: 300_000 }, () => {
  test('spawn: a process per rank, and the first that fails is the cause', async () => {
    const args = [
      '--launcher',
      'distributed',
      '--launcher-option',
      'spawn=true',
      '--nodes',
      '2',
      '--processes-per-node',
      '2',
      '--',
      'python',
      'train.py',
    ]
    const good = await launch(args)
    expect(good.code, good.stderr).toBe(0)
    expect(good.stdout).toMatch(/rank 3 of 4 sum 10/)
    // Not by an exception: gloo's threads may abort the interpreter that is torn down.
    const bad = await launch(args, { FAIL: '3:5' })
    expect(bad.job).toMatchObject({ state: 'failed', cause: { kind: 'exit', code: 5, rank: 1 } })
    expect(report(bad.directory, 1)).toMatchObject({ kind: 'own', rank: 3 })
    expect(processesOf(bad.directory)).toEqual([])
  })
})

describe('optuna 5', { timeout: 300_000 }, () => {
  test('one SQLite study over two nodes of one machine', async () => {
    const { code, stdout, stderr } = await launch([
      ...['--name', 'search', '--launcher', 'optuna', '--launcher-option', 'direction=maximize', '--nodes', '2'],
      ...['--', 'python', 'tune.py'],
    ])
    expect(code, stderr).toBe(0)
    expect(stdout).toMatch(/node 0 world 2 study search direction MAXIMIZE/)
    expect(stdout).toMatch(/node 1 world 2 study search direction MAXIMIZE/)
  })
})
