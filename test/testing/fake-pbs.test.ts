import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFakePbs, type FakePbs } from '../../src/testing/fake-pbs/fake-pbs.ts'
import type { FakePbsOptions } from '../../src/testing/fake-pbs/pbs-options.ts'
import { until } from '../../src/testing/waiting.ts'
import { callFake, type Result } from './fake-call.ts'

const captured = (name: string): string => readFileSync(new URL(`../fixtures/pbs/23.06.06/${name}`, import.meta.url), 'utf8')

let directory: string
let pbs: FakePbs

async function open(options: Partial<FakePbsOptions> = {}): Promise<void> {
  pbs = await createFakePbs({ directory, ...options })
}
beforeEach(async () => {
  directory = await mkdtemp(`${tmpdir()}/fpbs-`)
})
afterEach(async () => {
  await pbs.close()
  await rm(directory, { recursive: true, force: true })
})

function run(command: string, ...argv: readonly string[]): Promise<Result> {
  return callFake(command, argv, { ...pbs.env, HOME: directory }, directory)
}

async function submit(script: string, ...options: readonly string[]): Promise<string> {
  const path = `${directory}/job.sh`
  await writeFile(path, `#!/bin/sh\n${script}\n`)
  const { code, stdout, stderr } = await run('qsub', ...options, path)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout.trim()
}

const reaches = (id: string, state: string): Promise<unknown> => until(`${id} is ${state}`, 20_000, () => pbs.job(id)?.state === state)

/** What was captured of a command in a text file. */
function answerIn(file: string, command: string): Result {
  const [, code, stdout = '', stderr = ''] =
    new RegExp(
      `\\$ ${command.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}\\n(?:# .*\\n)*?# rc=(\\d+).*\\n--- stdout\\n([\\s\\S]*?)--- stderr\\n([\\s\\S]*?)===\\n`,
    ).exec(captured(file)) ?? []
  return { code: Number(code), stdout, stderr }
}

/** Names of the attributes of a job in a JSON text, in their order. */
const attributeNames = (text: string): readonly string[] =>
  [...text.matchAll(/^(?:\t{3}| {12})"([^"]+)":/gm)]
    .map(([, name = '']) => name)
    // Of the captured jobs: what only some kinds of submission have.
    .filter((name) => !['session_id', 'executable', 'argument_list', 'resources_used', 'Stageout_status'].includes(name))

describe('answers are those captured', () => {
  test.each([
    ['names', "qsub -N 'a b' -- /bin/true", ['-N', 'a b', '--', '/bin/true']],
    ['names', "qsub -N 'a/b' -- /bin/true", ['-N', 'a/b', '--', '/bin/true']],
    ['array', 'qsub -N bad1 -J 0-0 -- /bin/true', ['-N', 'bad1', '-J', '0-0', '--', '/bin/true']],
    ['array', 'qsub -J 0-10000 -- /bin/true', ['-J', '0-10000', '--', '/bin/true']],
    ['qsub', 'qsub nofile.sh', ['nofile.sh']],
    ['qsub', 'qsub -q nope job.sh', ['-q', 'nope', 'job.sh']],
    ['qsub', 'qsub -l select=1:ncpus=x job.sh', ['-l', 'select=1:ncpus=x', 'job.sh']],
    ['qsub', 'qsub -l select=1:ngpus=1 job.sh', ['-l', 'select=1:ngpus=1', 'job.sh']],
    ['qsub', 'qsub -l walltime=1:2:3:4:5 job.sh', ['-l', 'walltime=1:2:3:4:5', 'job.sh']],
  ] as const)('%s: %s', async (file, command, argv) => {
    await open()
    await writeFile(`${directory}/job.sh`, '#!/bin/sh\n')
    const expected = answerIn(file, command.replace(/^qsub/, file === 'names' || file === 'qsub' ? 'cd ~/t && qsub' : 'qsub'))
    const plain = Number.isNaN(expected.code) ? answerIn(file, command) : expected
    expect(await run('qsub', ...argv)).toEqual(plain)
  })

  test('unknown, malformed and finished ids', async () => {
    await open()
    const id = await submit('exit 0')
    await reaches(id, 'F')
    expect(await run('qstat', '99999')).toEqual(answerIn('qstat-ids', 'qstat 99999'))
    expect(await run('qstat', '-x', 'abc')).toEqual(answerIn('qstat-ids', 'qstat -x abc'))
    expect(await run('qdel', '99999')).toEqual(answerIn('qdel', 'qdel 99999'))
    expect(await run('qdel', 'abc')).toEqual(answerIn('qdel', 'qdel abc'))
    const finished = answerIn('qstat-ids', 'qstat 1002.pbshead')
    expect(await run('qstat', id)).toEqual({ ...finished, stderr: finished.stderr.replace('1002.pbshead', id) })
    expect(await run('qmgr', '-c', 'set server job_history_enable=True')).toEqual(
      answerIn('history', "qmgr -c 'set server job_history_enable=True'"),
    )
  })

  test('no server, in each command', async () => {
    await open()
    pbs.outage('stopped')
    for (const command of [
      'qstat -x 1140.pbshead',
      'qsub -N x -- /bin/true',
      'qdel 1140.pbshead',
      'pbsnodes -a',
      'qrls 1140.pbshead',
      'qalter -N y 1140.pbshead',
    ]) {
      const [name = '', ...argv] = command.split(' ')
      expect({ command, ...(await run(name, ...argv)) }).toEqual({ command, ...answerIn('server-stopped', command) })
    }
  })

  test('history switched off', async () => {
    await open({ history: false })
    const id = await submit('sleep 60')
    const expected = answerIn('history', 'qstat -x 1136.pbshead')
    expect(await run('qstat', '-x', id)).toEqual({ ...expected, stderr: expected.stderr.replace('1136.pbshead', id) })
  })

  test.each([
    ['release', 'release/F-exit3.json', 'exit 3'],
    ['head', 'state-F-exit3.json', 'exit 3'],
    ['head', 'state-F-exit0.json', 'exit 0'],
  ] as const)('JSON of the %s: %s', async (build, file, script) => {
    await open({ build })
    const id = await submit(script, '-N', 'f3')
    await reaches(id, 'F')
    const { stdout, code } = await run('qstat', '-f', '-F', 'json', '-x', id)
    expect(code).toBe(0)
    const expected = JSON.parse(captured(file)).Jobs
    const job = JSON.parse(stdout).Jobs[id]
    const [theirs] = Object.values(expected) as Record<string, unknown>[]
    expect({ state: job.job_state, substate: job.substate, exit: job.Exit_status }).toEqual({
      state: theirs?.['job_state'],
      substate: theirs?.['substate'],
      exit: theirs?.['Exit_status'],
    })
    expect(attributeNames(stdout)).toEqual(attributeNames(captured(file)))
    expect(stdout.slice(0, 6)).toBe(captured(file).slice(0, 6))
  })
})

describe('jobs run', () => {
  test('signals, walltime and memory have the numbers of PBS', async () => {
    await open()
    const killed = await submit('kill -9 $$')
    const late = await submit('sleep 60', '-l', 'walltime=00:00:05')
    const large = await submit('sleep 60')
    await reaches(large, 'R')
    pbs.exceedMemory(large)
    pbs.advance(6000)
    for (const id of [killed, late, large]) await reaches(id, 'F')
    expect([killed, late, large].map((id) => [pbs.job(id)?.substate, pbs.job(id)?.exitStatus])).toEqual([
      [93, 265],
      [93, -29],
      [93, -27],
    ])
  })

  test('qdel: what waits has no Exit_status, what runs 271', async () => {
    await open()
    const [queued, running] = [await submit('true', '-h'), await submit('sleep 60')]
    await reaches(running, 'R')
    await run('qdel', queued)
    await run('qdel', running)
    await reaches(running, 'F')
    expect([queued, running].map((id) => [pbs.job(id)?.substate, pbs.job(id)?.exitStatus])).toEqual([
      [91, undefined],
      [91, 271],
    ])
  })

  test('an array has a parent and subjobs with their output', async () => {
    await open()
    const id = await submit('echo $PBS_ARRAY_INDEX $PBS_JOBID; exit $PBS_ARRAY_INDEX', '-N', 'arr', '-J', '0-2')
    await reaches(id, 'F')
    expect(pbs.job(id)).toMatchObject({ substate: 93, exitStatus: 1 })
    expect(pbs.job('1[2]')).toMatchObject({ state: 'F', exitStatus: 2, substate: 93 })
    expect(await readFile(`${directory}/arr.o1.1`, 'utf8')).toBe('1 1[1].pbshead\n')
  })

  test('dependencies: on a failed job it ends without Exit_status', async () => {
    await open()
    const failed = await submit('exit 3')
    const ok = await submit('true', '-W', `depend=afterok:${failed}`)
    const any = await submit('true', '-W', `depend=afterany:${failed}`)
    for (const id of [ok, any]) await reaches(id, 'F')
    expect([ok, any].map((id) => [pbs.job(id)?.substate, pbs.job(id)?.exitStatus])).toEqual([
      [92, undefined],
      [92, 0],
    ])
  })

  test('chunks are scattered, and pbs_tmrsh starts tasks on each host', async () => {
    await open()
    const script =
      'cat $PBS_NODEFILE; PATH=$PBS_O_PATH; for h in node1 node2; do pbs_tmrsh $h /bin/sh -c "echo on \\$PBS_NODENUM; exit 4"; echo $?; done; pbs_tmrsh nope true; echo $?'
    const id = await submit(script, '-N', 'm', '-l', 'select=2:ncpus=2:mpiprocs=2', '-l', 'place=scatter')
    await reaches(id, 'F')
    expect(await readFile(`${directory}/m.o1`, 'utf8')).toBe('node1\nnode1\nnode2\nnode2\non 0\n4\non 1\n4\n255\n')
    expect(await readFile(`${directory}/m.e1`, 'utf8')).toBe('pbs_tmrsh: host "nope" is not a node in job <1.pbshead>\n')
  })

  test('the later build prints the first of several jobs in JSON, all in dsv', async () => {
    await open({ build: 'head' })
    const ids = [await submit('true', '-h'), await submit('true', '-h')]
    const json = await run('qstat', '-f', '-F', 'json', ...ids)
    expect(Object.keys(JSON.parse(json.stdout).Jobs)).toEqual(ids.slice(0, 1))
    const dsv = await run('qstat', '-f', '-F', 'dsv', ...ids)
    expect(dsv.stdout.match(/^Job Id: /gm)).toHaveLength(2)
  })

  test('several ids to qdel, one unknown, end the server', async () => {
    await open()
    const id = await submit('true', '-h')
    expect(await run('qdel', id, '99999')).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(pbs.crashed).toBe(true)
    expect((await run('qstat', id)).code).toBe(255)
  })

  test('a qsub cut off while the server hangs is carried out later, a qdel is not', async () => {
    await open()
    const id = await submit('true', '-h')
    pbs.outage('hung')
    await run('timeout', '1', 'qsub', '-h', '-N', 'late', '--', '/bin/true')
    await run('timeout', '1', 'qdel', id)
    pbs.recover()
    await until('the late job', 10_000, () => pbs.jobs().some((job) => job.name === 'late'))
    expect(pbs.job(id)?.state).toBe('H')
  })

  test('direct output into a missing directory: held by the system', async () => {
    await open()
    const id = await submit('true', '-k', 'oed', '-o', `${directory}/none/out`)
    await reaches(id, 'H')
    expect(pbs.job(id)).toMatchObject({ exitStatus: -3, comment: 'job held, too many failed attempts to run' })
  })
})
