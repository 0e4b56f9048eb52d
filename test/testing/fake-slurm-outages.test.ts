import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../../src/testing/waiting.ts'
import { SlurmRig } from './slurm-rig.ts'

let rig: SlurmRig

beforeEach(async () => {
  rig = await SlurmRig.open({ outageTimeScale: 0.01 })
})
afterEach(() => rig.close())

const CONNECT = 'Unable to contact slurm controller (connect failure)'
const TIMED_OUT = 'Socket timed out on send/recv operation'
const AUTHENTICATION = 'Protocol authentication error'
const REFUSED = 'Problem talking to the database: Connection refused'
const UNAVAILABLE = 'Resource temporarily unavailable'

/** The table "commands while Slurm is broken" of Slurm 22.05.8, MessageTimeout=10: exit code, seconds, text. */
const ROWS = {
  sbatch: ['sbatch', 'SCRIPT'],
  'squeue -j': ['squeue', '-h', '-j', '1'],
  squeue: ['squeue', '-h'],
  sacct: ['sacct', '-P', '-n', '-o', 'State'],
  'scontrol show job': ['scontrol', 'show', 'job', '1'],
  'scontrol ping': ['scontrol', 'ping'],
  scancel: ['scancel', '1'],
  sinfo: ['sinfo', '-h'],
  sacctmgr: ['sacctmgr', '-n', '-P', 'show', 'qos'],
} as const

describe.each([
  {
    kind: 'down',
    sbatch: [1, 9, CONNECT],
    'squeue -j': [1, 18, CONNECT],
    squeue: [1, 9, CONNECT],
    sacct: [0],
    'scontrol show job': [1, 18, CONNECT],
    'scontrol ping': [1, 0.1, 'DOWN'],
    scancel: [8, 9, `scancel: error: Kill job error on job id 1: ${CONNECT}`],
    sinfo: [1, 9, CONNECT],
    sacctmgr: [0],
  },
  {
    kind: 'hung',
    sbatch: [1, 10.5, `sbatch: error: Batch job submission failed: ${TIMED_OUT}`],
    'squeue -j': [1, 20, TIMED_OUT],
    squeue: [1, 10, TIMED_OUT],
    sacct: [0],
    'scontrol show job': [1, 20, TIMED_OUT],
    'scontrol ping': [1, 10, 'DOWN'],
    scancel: [140, 10, TIMED_OUT],
    sinfo: [1, 10, TIMED_OUT],
    sacctmgr: [0],
  },
  {
    kind: 'accounting_down',
    sbatch: [0],
    'squeue -j': [0],
    squeue: [0],
    sacct: [1, 0.1, REFUSED],
    'scontrol show job': [0],
    'scontrol ping': [0],
    scancel: [0],
    sinfo: [0],
    sacctmgr: [1, 0.1, 'sacctmgr: error: Sending PersistInit msg: Connection refused'],
  },
  {
    kind: 'accounting_hung',
    sbatch: [0],
    'squeue -j': [0],
    squeue: [0],
    sacct: [1, 46, UNAVAILABLE],
    'scontrol show job': [0],
    'scontrol ping': [0],
    scancel: [0],
    sinfo: [0],
    sacctmgr: [1, 46, UNAVAILABLE],
  },
  {
    kind: 'munge_down',
    sbatch: [1, 50, AUTHENTICATION],
    'squeue -j': [1, 100, AUTHENTICATION],
    squeue: [1, 50, AUTHENTICATION],
    sacct: [1, 51, AUTHENTICATION],
    'scontrol show job': [1, 100, AUTHENTICATION],
    'scontrol ping': [1, 51, 'DOWN'],
    scancel: [239, 51, AUTHENTICATION],
    sinfo: [1, 51, AUTHENTICATION],
    sacctmgr: [1, 51, AUTHENTICATION],
  },
] as const)('$kind', (row) => {
  test.each(Object.keys(ROWS) as (keyof typeof ROWS)[])('%s', async (name) => {
    await rig.submit(['true'], '--hold')
    const script = await rig.script('true')
    const [command, ...argv] = ROWS[name].map((word) => (word === 'SCRIPT' ? script : word))
    const [code, seconds = 0, text = ''] = row[name]
    rig.slurm.outage(row.kind)
    const began = performance.now()
    const result = await rig.run(command!, ...argv)
    expect(result.code).toBe(code)
    expect(performance.now() - began).toBeGreaterThanOrEqual(seconds * 10 - 1)
    expect(result.stdout + result.stderr).toContain(text)
    if (code === 0) expect(result.stderr).toBe('')
    else if (name !== 'scontrol ping') expect(result.stdout).toBe('')
  })
})

describe('what a hung controller had accepted', () => {
  test('is carried out when it wakes: a submission tried twice makes two jobs', async () => {
    rig.slurm.outage('hung')
    const script = await rig.script('true')
    expect((await rig.run('sbatch', '-J', 'twice', script)).code).toBe(1)
    expect((await rig.run('sbatch', '-J', 'twice', script)).code).toBe(1)
    expect(rig.slurm.jobs()).toEqual([])
    rig.slurm.recover()
    await until('both have run', 20_000, () => rig.slurm.jobs().filter((job) => job.state === 'COMPLETED').length === 2)
    expect(await rig.out('squeue', '-h', '-t', 'all', '-n', 'twice', '-o', '%i')).toBe('1\n2\n')
  })

  test('is lost when it is killed', async () => {
    rig.slurm.outage('hung')
    expect((await rig.run('sbatch', await rig.script('true'))).code).toBe(1)
    rig.slurm.recover({ lost: true })
    expect(await rig.out('squeue', '-h', '-t', 'all')).toBe('')
  })

  test('also a cancellation', async () => {
    const id = await rig.submit(['true'], '--hold')
    rig.slurm.outage('hung')
    expect((await rig.run('scancel', id)).code).toBe(140)
    expect(rig.slurm.job(id)?.state).toBe('PENDING')
    rig.slurm.recover()
    await rig.reaches(id, 'CANCELLED')
  })

  test('nothing of it where the connection failed', async () => {
    rig.slurm.outage('down', { forMs: 300 })
    expect((await rig.run('sbatch', await rig.script('true'))).code).toBe(1)
    await until('Slurm is back', 20_000, async () => (await rig.run('squeue', '-h')).code === 0)
    expect(rig.slurm.jobs()).toEqual([])
  })
})

test('one submission times out: the job is there, or it is not', async () => {
  const script = await rig.script('true')
  const stderr = `sbatch: error: Batch job submission failed: ${TIMED_OUT}\n`
  rig.slurm.submitThenHang()
  expect(await rig.run('sbatch', '-J', 'made', script)).toEqual({ code: 1, stdout: '', stderr })
  rig.slurm.submitHangsUnmade()
  expect(await rig.run('sbatch', '-J', 'unmade', script)).toEqual({ code: 1, stdout: '', stderr })
  expect(rig.slurm.jobs().map((job) => job.name)).toEqual(['made'])
  await rig.reaches('1', 'COMPLETED')
})

test('jobs run on and end while the controller is away; it learns of it when it is back', async () => {
  const id = await rig.submit(['sleep 0.3; echo done'])
  await rig.reaches(id, 'RUNNING')
  rig.slurm.outage('down')
  expect(await rig.out('sacct', '-X', '-P', '-n', '-o', 'State')).toBe('RUNNING\n')
  await until('the script has ended', 20_000, () => rig.slurm.job(id)?.pids.length === 0)
  expect(await rig.out('sacct', '-X', '-P', '-n', '-o', 'State')).toBe('RUNNING\n')
  rig.slurm.recover()
  await rig.reaches(id, 'COMPLETED')
})

test('a controller that was started again no longer says who cancelled', async () => {
  const id = await rig.submit(['echo up; exec sleep 100'])
  await rig.reaches(id, 'RUNNING')
  await rig.out('scancel', id)
  await rig.reaches(id, 'CANCELLED')
  const row = (): Promise<string> => rig.out('sacct', '-X', '-P', '-n', '-o', 'State,ExitCode')
  expect(await row()).toMatch(/^CANCELLED by \d+\|0:0\n$/)
  rig.slurm.outage('down')
  rig.slurm.recover()
  expect(await row()).toBe('CANCELLED|0:15\n')
})
