import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFakePjm, type FakePjm } from '../../src/testing/fake-pjm/fake-pjm.ts'
import { until } from '../../src/testing/waiting.ts'
import { callFake, type Result } from '../testing/fake-call.ts'

let directory: string
let pjm: FakePjm

beforeEach(async () => {
  directory = await mkdtemp(`${tmpdir()}/fpjm-`)
  pjm = await createFakePjm({ directory, firstJobId: 6291500 })
})
afterEach(async () => {
  await pjm.close()
  await rm(directory, { recursive: true, force: true })
})

function run(command: string, ...argv: readonly string[]): Promise<Result> {
  return callFake(command, argv, pjm.env, directory)
}

async function submit(lines: readonly string[], ...options: readonly string[]): Promise<Result> {
  await writeFile(`${directory}/job.sh`, ['#!/bin/sh', ...lines, ''].join('\n'))
  return run('pjsub', ...options, 'job.sh')
}

const ends = (id: string): Promise<unknown> => until(`job ${id} ends`, 20_000, () => pjm.job(id)?.ended === true)

const fixture = (name: string): Promise<string> => readFile(new URL(`../fixtures/pjm/${name}`, import.meta.url), 'utf8')

describe('a job', () => {
  test('is submitted, deleted and shown with the captured texts', async () => {
    const answer = await submit(['echo hello $PJM_JOBID; sleep 60'], '-N', 'job1.sh')
    expect(answer).toEqual({ code: 0, stderr: '', stdout: `${(await fixture('10-pjsub-ok.V.txt')).split('\n')[2]}\n` })
    await until('it runs', 10_000, () => pjm.job(6291500)?.word === 'RUN')
    const table = await run('pjstat', '-v')
    const [head] = table.stdout.split('\n')
    expect(head).toBe((await fixture('03-pjstat-v-active.V.txt')).split('\n')[2])
    const deleted = await run('pjdel', '6291500')
    expect(deleted.stdout.trimEnd()).toBe((await fixture('13-pjdel.V.txt')).trimEnd().split('\n').at(-1))
    await ends('6291500')
    expect(pjm.job(6291500)).toMatchObject({ word: 'CCL', pc: 1 })
    expect(await readFile(`${directory}/job1.sh.6291500.out`, 'utf8')).toBe('hello 6291500\n')
  })

  test('ends in the numbers of pjwait, and leaves the active view for the history', async () => {
    await submit(['exit 127'])
    expect((await run('pjwait', '6291500')).stdout).toBe('6291500 0 127 0\n')
    expect(await run('pjstat', '-v', '6291500')).toEqual({ code: 0, stdout: '', stderr: '' })
    const history = await run('pjstat', '-v', '-H', 'day=3', '--data', '--choose=jid,st,ec,pc,sn', '6291500')
    expect(history.stdout).toBe('H,JOB_ID,ST,EC,PC,SN\n,6291500,EXT,127,0,0\n')
  })

  test('at its elapse limit is EXT with EC 0, PC 11 and SN 24, as captured', async () => {
    await submit(['sleep 100'], '-L', 'elapse=15:00')
    await until('it runs', 10_000, () => (pjm.job(6291500)?.pids.length ?? 0) > 0)
    pjm.advance(903_000)
    await ends('6291500')
    const { stdout } = await run('pjstat', '-v', '-H', '6291500')
    const row = stdout.split('\n')[1] ?? ''
    const captured = (await fixture('04-pjstat-v-H-time-limit.V.txt')).split('\n')[4] ?? ''
    expect(row.slice(25, 29) + row.slice(163, 174) + row.slice(202)).toBe(
      captured.slice(25, 29) + captured.slice(163, 174) + captured.slice(202),
    )
  })

  test('directives count, and what a site refuses has its captured words', async () => {
    pjm.change({ maxNodes: 24, bulkAllowed: false, acceptLimit: 0 })
    const errors = await fixture('11-pjsub-errors.V.txt')
    const tooMany = await submit(['#PJM -L "node=32"'])
    expect(errors).toContain(`(1) ${tooMany.stderr.trim()}`)
    const bulk = await submit([], '--bulk', '--sparam', '0-3')
    expect(errors).toContain(`(2) ${bulk.stderr.trim()}`)
    expect((await submit([])).stderr).toMatch(/PJM 0072 pjsub Job exceeded the accept limit/)
    expect((await submit(['#PJM -L node=1 # one'])).code).toBe(1)
    pjm.change({ trailingComments: true, acceptLimit: 10 })
    expect((await submit(['#PJM -L node=1 # one'])).code).toBe(0)
  })
})

test('a bulk job has a parent and sub-jobs, and CSV rows as captured', async () => {
  await submit(['echo $PJM_BULKNUM; exit $PJM_BULKNUM'], '--bulk', '--sparam', '0-2')
  await ends('6291500')
  const { stdout } = await run('pjstat', '-v', '-H', '-E', '--data', '--choose=jid,jmdl,ec', '6291500')
  expect(stdout).toBe('H,JOB_ID,MD,EC\n,6291500,BU,-\n,6291500[0],BU,0\n,6291500[1],BU,1\n,6291500[2],BU,2\n')
})

test('sub-jobs of a step job run in order, and a dependency leaves one out', async () => {
  expect((await submit(['while [ ! -e go ]; do sleep 0.05; done', 'exit 3'], '--step')).stdout).toContain('Job 6291500_0 submitted.')
  const second = await submit(['true'], '--step', '--sparam', 'jid=6291500,sn=1,sd=ec!=0:one:0', '-z', 'jid')
  expect(second).toMatchObject({ stdout: '6291500_1\n', code: 0 })
  await writeFile(`${directory}/go`, '')
  await ends('6291500_1')
  expect(pjm.job('6291500_0')).toMatchObject({ word: 'EXT', ec: 3 })
  expect(pjm.job('6291500_1')).toMatchObject({ word: 'CCL', pc: 6 })
})

test('mpiexec starts a process on each node, each knowing its rank and node', async () => {
  await submit(['mpiexec -n 3 sh -c \'echo "$PMIX_RANK $(hostname)" >rank.$PMIX_RANK\''], '-L', 'node=3', '--mpi', 'max-proc-per-node=1')
  await ends('6291500')
  const ranks = await Promise.all([0, 1, 2].map((rank) => readFile(`${directory}/rank.${rank}`, 'utf8')))
  expect(ranks).toEqual(['0 fpjm0\n', '1 fpjm1\n', '2 fpjm2\n'])
})

test('a pjsub that hangs may have made its job', async () => {
  pjm.submitThenHang()
  const hanging = submit(['sleep 60'])
  await until('it is there', 10_000, () => pjm.job(6291500) !== undefined)
  pjm.recover()
  expect((await hanging).code).toBe(1)
  expect(pjm.jobs().length).toBe(1)
})
