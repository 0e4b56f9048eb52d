import { existsSync, readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../../src/testing/waiting.ts'
import { SlurmRig } from './slurm-rig.ts'

let rig: SlurmRig
const { uid } = userInfo()

beforeEach(async () => {
  rig = await SlurmRig.open()
})
afterEach(() => rig.close())

const output = (name: string): Promise<string> => readFile(`${rig.directory}/${name}`, 'utf8')

/** Waits for a text in an output file. */
const prints = (name: string, text: string): Promise<unknown> =>
  until(`${text} in ${name}`, 20_000, () => existsSync(`${rig.directory}/${name}`) && output(name).then((all) => all.includes(text)))

/** Whether a process lives; one that is merely not yet reaped does not. */
function lives(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

describe('ends', () => {
  test('exit code, signal and success are told apart as sacct and squeue do', async () => {
    const good = await rig.submit(['echo hello $SLURM_JOB_ID $SLURM_JOB_NODELIST'])
    const bad = await rig.submit(['exit 3'])
    const killed = await rig.submit(['kill -9 $$'])
    await rig.reaches(good, 'COMPLETED')
    await rig.reaches(bad, 'FAILED')
    await rig.reaches(killed, 'FAILED')
    expect(await output(`slurm-${good}.out`)).toBe(`hello ${good} node1\n`)
    expect(await rig.out('sacct', '-X', '-P', '-n', '-o', 'JobID,State,ExitCode')).toBe('1|COMPLETED|0:0\n2|FAILED|3:0\n3|FAILED|0:9\n')
    expect(await rig.out('squeue', '-h', '-t', 'all', '-o', '%i|%T|%r|%R')).toBe(
      '1|COMPLETED|None|node1\n2|FAILED|NonZeroExitCode|(NonZeroExitCode)\n3|FAILED|JobLaunchFailure|(JobLaunchFailure)\n',
    )
  })

  test('scancel sends TERM to the script alone, KILL to the rest; the job is COMPLETING until all have gone', async () => {
    const id = await rig.submit([
      "trap 'echo script TERM; exit 3' TERM",
      `sh -c 'trap "echo child TERM" TERM; echo child; while :; do sleep 0.05; done' &`,
      `setsid sh -c 'trap "" TERM; echo detached; sleep 100' &`,
      'while :; do sleep 0.05; done',
    ])
    await prints(`slurm-${id}.out`, 'child')
    await prints(`slurm-${id}.out`, 'detached')
    const { pids } = rig.slurm.job(id)!
    expect(pids.length).toBeGreaterThan(3)
    expect(await rig.out('scancel', id)).toBe('')
    await rig.reaches(id, 'CANCELLED')
    const text = await output(`slurm-${id}.out`)
    expect(text).toMatch(new RegExp(`error: \\*\\*\\* JOB ${id} ON node1 CANCELLED AT \\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d \\*\\*\\*`))
    expect(text).toContain('script TERM')
    expect(text).not.toContain('child TERM')
    expect(pids.filter(lives)).toEqual([])
    expect(await rig.out('sacct', '-X', '-P', '-n', '-j', id, '-o', 'State,ExitCode')).toBe(`CANCELLED by ${uid}|0:0\n`)
    expect(await rig.out('scontrol', 'show', 'job', id)).toContain('ExitCode=0:15')
  })

  test('a script that ignores TERM is killed after KillWait', async () => {
    const id = await rig.submit(["trap '' TERM", 'echo up', 'while :; do sleep 0.05; done'])
    await prints(`slurm-${id}.out`, 'up')
    await rig.out('scancel', id)
    expect(await rig.out('squeue', '-h', '-j', id, '-o', '%T %t')).toBe('COMPLETING CG\n')
    rig.slurm.advance(2000)
    await rig.reaches(id, 'CANCELLED')
  })

  test('the time limit, with a warning before it', async () => {
    const id = await rig.submit(["trap 'echo warned' USR1", 'echo up', 'while :; do sleep 0.05; done'], '--time=2', '--signal=B:USR1@30')
    await prints(`slurm-${id}.out`, 'up')
    rig.slurm.advance(80_000)
    expect(await output(`slurm-${id}.out`)).toBe('up\n')
    rig.slurm.advance(20_000)
    await prints(`slurm-${id}.out`, 'warned')
    expect(rig.slurm.job(id)?.state).toBe('RUNNING')
    rig.slurm.advance(30_000)
    await rig.reaches(id, 'TIMEOUT')
    expect(await output(`slurm-${id}.out`)).toMatch(/CANCELLED AT \S+ DUE TO TIME LIMIT \*\*\*/)
    expect(await rig.out('sacct', '-X', '-P', '-n', '-o', 'State,ExitCode')).toBe('TIMEOUT|0:0\n')
    expect(await rig.out('squeue', '-h', '-t', 'all', '-o', '%t %r')).toBe('TO TimeLimit\n')
  })

  test.each([
    ['out of memory', 'oom', 'OUT_OF_MEMORY|0:125\n'],
    ['time limit', 'timeout', 'TIMEOUT|0:0\n'],
  ] as const)('%s on demand', async (_, method, row) => {
    const id = await rig.submit(['echo up', 'sleep 100'])
    await prints(`slurm-${id}.out`, 'up')
    rig.slurm[method](id)
    await until('it has ended', 20_000, () => rig.slurm.job(id)?.state === row.split('|')[0])
    expect(await rig.out('sacct', '-X', '-P', '-n', '-o', 'State,ExitCode')).toBe(row)
  })

  test.each([
    ['preempted', 'preempt', 'PREEMPTED', ' DUE TO PREEMPTION'],
    ['the node fails', 'nodeFail', 'NODE_FAIL', ' DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS'],
    ['requeued', 'requeue', 'REQUEUED', ' DUE TO JOB REQUEUE'],
  ] as const)('%s: the run has a row of its own, the next comes two minutes later', async (_, method, word, why) => {
    const id = await rig.submit(['echo run $SLURM_RESTART_COUNT', 'sleep 100'], '--open-mode=append')
    await prints(`slurm-${id}.out`, 'run')
    rig.slurm[method](id)
    await rig.reaches(id, 'PENDING')
    expect(rig.slurm.job(id)).toMatchObject({ reason: 'BeginTime', restarts: 1 })
    expect(await output(`slurm-${id}.out`)).toContain(`${why} ***`)
    expect(await rig.out('sacct', '-X', '-P', '-n', '-D', '-o', 'State,ExitCode')).toBe(`${word}|0:0\nPENDING|0:0\n`)
    expect(await rig.out('sacct', '-X', '-P', '-n', '-o', 'State')).toBe('PENDING\n')
    rig.slurm.advance(122_000)
    await prints(`slurm-${id}.out`, 'run 1')
  })

  test('without --no-requeue given a failed node requeues; with it NODE_FAIL stays', async () => {
    const id = await rig.submit(['echo up', 'sleep 100'], '--no-requeue')
    await prints(`slurm-${id}.out`, 'up')
    rig.slurm.nodeFail(id)
    await rig.reaches(id, 'NODE_FAIL')
    expect(await rig.out('sacct', '-X', '-P', '-n', '-o', 'State,ExitCode')).toBe('NODE_FAIL|0:0\n')
  })

  test('suspended jobs stand still', async () => {
    const id = await rig.submit(['while :; do echo tick; sleep 0.05; done'])
    await prints(`slurm-${id}.out`, 'tick')
    rig.slurm.suspend(id)
    expect(await rig.out('squeue', '-h', '-o', '%T %t')).toBe('SUSPENDED S\n')
    const before = await output(`slurm-${id}.out`)
    await rig.out('squeue')
    expect((await output(`slurm-${id}.out`)).length - before.length).toBeLessThanOrEqual(5)
    rig.slurm.resume(id)
    expect(rig.slurm.job(id)?.state).toBe('RUNNING')
  })

  test('output that cannot be created: FAILED 0:53; a bad interpreter: 2:0', async () => {
    const nowhere = await rig.submit(['echo'], '--output=/nowhere/x')
    const path = `${rig.directory}/bad.sh`
    await writeFile(path, '#!/nowhere/sh\n')
    const bad = (await rig.out('sbatch', '--parsable', path)).trim()
    await rig.reaches(nowhere, 'FAILED')
    await rig.reaches(bad, 'FAILED')
    expect(await rig.out('sacct', '-X', '-P', '-n', '-o', 'ExitCode')).toBe('0:53\n2:0\n')
    expect(await output(`slurm-${bad}.out`)).toBe(
      'slurmstepd-node1: error: execve(): bad interpreter(/nowhere/sh): No such file or directory\n',
    )
  })
})

describe('submission', () => {
  test.each([
    [
      'partition',
      ['-p', 'nope'],
      1,
      'sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed: Invalid partition name specified\n',
    ],
    [
      'memory',
      ['--mem=999G'],
      1,
      'sbatch: error: Memory specification can not be satisfied\nsbatch: error: Batch job submission failed: Requested node configuration is not available\n',
    ],
    ['gres', ['--gres=gpu:3'], 1, 'sbatch: error: Batch job submission failed: Requested node configuration is not available\n'],
    ['unknown gres', ['--gres=foo:3'], 1, 'sbatch: error: Invalid generic resource (gres) specification\n'],
    ['array', ['--array=a-b'], 1, 'sbatch: error: Batch job submission failed: Invalid job array specification\n'],
    ['array too long', ['--array=0-99999'], 1, 'sbatch: error: Batch job submission failed: Invalid job array specification\n'],
    ['dependency', ['-d', 'foo:5'], 1, 'sbatch: error: Batch job submission failed: Job dependency problem\n'],
    ['time', ['-t', 'abc'], 255, 'sbatch: error: Invalid --time specification\n'],
    ['option', ['--foo'], 255, 'sbatch: unrecognized option \'--foo\'\nTry "sbatch --help" for more information\n'],
    ['reservation', ['--reservation=nope'], 1, 'sbatch: error: Batch job submission failed: Requested reservation is invalid\n'],
    ['feature', ['-C', 'nope'], 1, 'sbatch: error: Batch job submission failed: Invalid feature specification\n'],
    ['node', ['-w', 'node9'], 1, 'sbatch: error: Batch job submission failed: Invalid node name specified\n'],
    ['begin', ['--begin=foo'], 255, 'Invalid time specification (pos=0): foo\nsbatch: error: Invalid --begin specification\n'],
    ['signal', ['--signal=FOO'], 255, 'sbatch: error: Invalid --signal specification\n'],
  ] as const)('a bad %s is refused with the words of Slurm', async (_, options, code, stderr) => {
    expect(await rig.run('sbatch', '--parsable', ...options, await rig.script('true'))).toEqual({ code, stdout: '', stderr })
  })

  test('account, QoS, size and time at a site that enforces them', async () => {
    const strict = await SlurmRig.open({ accounts: ['research'], qos: ['normal'], enforcePartLimits: 'ALL' })
    try {
      const script = await strict.script('true')
      const refusal = async (...options: string[]): Promise<string> => (await strict.run('sbatch', ...options, script)).stderr
      const failed = (text: string): string => `sbatch: error: Batch job submission failed: ${text}\n`
      expect(await refusal('-A', 'nope')).toBe(failed('Invalid account or account/partition combination specified'))
      expect(await refusal('-q', 'nope')).toBe(failed('Invalid qos specification'))
      expect(await refusal('-N', '99')).toBe(failed('More processors requested than permitted'))
      expect(await refusal('-t', '999-0')).toBe(failed('Requested time limit is invalid (missing or exceeds some limit)'))
      expect(await strict.out('sacctmgr', '-n', '-P', 'show', 'assoc', 'format=cluster,account,qos')).toBe('fake|research|normal\n')
    } finally {
      await strict.close()
    }
  })

  test('what never fits its partition waits for ever; a request no node can hold takes an id', async () => {
    const large = await rig.submit(['true'], '-N', '99')
    const long = await rig.submit(['true'], '-t', '999-0')
    const { code } = await rig.run('sbatch', '--mem=999G', await rig.script('true'))
    expect(code).toBe(1)
    await until('it was looked at', 20_000, () => rig.slurm.job(large)?.reason === 'PartitionConfig')
    expect(rig.slurm.job(long)?.reason).toBe('PartitionTimeLimit')
    expect(await rig.out('sacct', '-X', '-P', '-n', '-j', '3', '-o', 'State,ExitCode,NodeList')).toBe('FAILED|1:0|None assigned\n')
  })

  test('directives of the script, and options over them', async () => {
    const id = await rig.submit(
      [
        '#SBATCH --job-name="two words" # a comment',
        '#SBATCH -c 2 -o %x-%j.txt',
        '#SBATCH --comment=c',
        'echo $SLURM_JOB_NAME $1 $2',
        '#SBATCH --foo',
      ],
      '--cpus-per-task=3',
    )
    await rig.reaches(id, 'COMPLETED')
    expect(await output(`two words-${id}.txt`)).toBe('two words\n')
    expect(await rig.out('squeue', '-h', '-t', 'all', '-o', '%j|%C|%k')).toBe('two words|3|c\n')
  })

  test('what the job finds in its environment', async () => {
    const script = await rig.script("env | grep -E '^(SLURM|CUDA)' | sort", 'echo "$@"')
    const id = (await rig.out('sbatch', '--parsable', '-N2', '--ntasks-per-node=2', '--gres=gpu:2', script, 'a b', 'c')).trim()
    await rig.reaches(id, 'COMPLETED')
    const text = await output(`slurm-${id}.out`)
    for (const line of [
      'CUDA_VISIBLE_DEVICES=0,1',
      `SLURM_JOB_ID=${id}`,
      'SLURM_JOB_NODELIST=node[1-2]',
      'SLURM_JOB_CPUS_PER_NODE=2(x2)',
      'SLURM_NNODES=2',
      'SLURM_NTASKS=4',
      'SLURM_NTASKS_PER_NODE=2',
      'SLURM_PROCID=0',
      `SLURM_SUBMIT_DIR=${rig.directory}`,
      'a b c',
    ]) {
      expect(text.split('\n')).toContain(line)
    }
  })

  test('held, begun later, dependent, at once: each waits for its reason', async () => {
    const held = await rig.submit(['true'], '--hold')
    const later = await rig.submit(['true'], '--begin=now+1hour')
    const after = await rig.submit(['true'], '-d', `afterok:${held}`)
    const never = await rig.submit(['true'], '-d', `afternotok:${held}`)
    const invalid = await rig.submit(['true'], '-d', `afternotok:${held}`, '--kill-on-invalid-dep=yes')
    const unknown = await rig.submit(['true'], '-d', 'afterok:9999')
    await rig.reaches(unknown, 'COMPLETED')
    expect(await rig.out('squeue', '-h', '-o', '%i|%r|%E|%Q')).toMatch(
      /^2\|BeginTime\|\(null\)\|\d+\n3\|Dependency\|afterok:1\(unfulfilled\)\|\d+\n4\|Dependency\|afternotok:1\(unfulfilled\)\|\d+\n5\|Dependency\|afternotok:1\(unfulfilled\)\|\d+\n1\|JobHeldUser\|\(null\)\|0\n$/,
    )
    await rig.out('scontrol', 'release', held)
    await rig.reaches(after, 'COMPLETED')
    await rig.reaches(invalid, 'CANCELLED')
    expect(rig.slurm.job(never)).toMatchObject({ state: 'PENDING', reason: 'DependencyNeverSatisfied' })
    expect(await rig.out('scontrol', 'update', `JobId=${later}`, 'StartTime=now')).toBe('')
    await rig.reaches(later, 'COMPLETED')
  })

  test('a job that waits for room, and one of a higher tier that takes it', async () => {
    const low = await rig.submit(['echo up', 'sleep 100'], '-p', 'lowc', '-N4', '--exclusive')
    await prints(`slurm-${low}.out`, 'up')
    const waits = await rig.submit(['true'], '-p', 'low')
    await until('it waits', 20_000, () => rig.slurm.job(waits)?.reason === 'Resources')
    const high = await rig.submit(['sleep 100'], '-p', 'high', '-N4', '--exclusive')
    await rig.reaches(low, 'PREEMPTED')
    await rig.reaches(high, 'RUNNING')
  })

  test('heterogeneous jobs', async () => {
    const id = await rig.submit([
      '#SBATCH -N1',
      '#SBATCH hetjob',
      '#SBATCH -N2 --ntasks-per-node=2',
      "srun --het-group=0,1 sh -c 'echo $SLURM_PROCID $SLURMD_NODENAME $SLURM_NTASKS' | sort",
      'echo $SLURM_HET_SIZE $SLURM_JOB_NODELIST_HET_GROUP_1',
      'sleep 3',
    ])
    await prints(`slurm-${id}.out`, '2 node[2-3]')
    expect(await output(`slurm-${id}.out`)).toBe('0 node1 5\n1 node2 5\n2 node2 5\n3 node3 5\n4 node3 5\n2 node[2-3]\n')
    expect(await rig.out('squeue', '-h', '-o', '%i|%A|%N')).toBe(`${id}+0|1|node1\n${id}+1|2|node[2-3]\n`)
    await rig.out('scancel', id)
    await rig.reaches('2', 'CANCELLED')
  })
})

describe('arrays', () => {
  test('elements that run are split off, the waiting ones are one line', async () => {
    const id = await rig.submit(['echo $SLURM_ARRAY_JOB_ID $SLURM_ARRAY_TASK_ID $SLURM_ARRAY_TASK_COUNT', 'sleep 100'], '--array=1-6%2')
    await prints(`slurm-${id}_2.out`, '1 2 6')
    expect(await rig.out('squeue', '-h', '-o', '%i|%A|%F|%K|%T|%r')).toBe(
      '1_[3-6%2]|1|1|3-6%2|PENDING|JobArrayTaskLimit\n1_1|2|1|1|RUNNING|None\n1_2|3|1|2|RUNNING|None\n',
    )
    expect(await rig.out('squeue', '-h', '-r', '-t', 'PD', '-o', '%i|%A')).toBe('1_3|1\n1_4|1\n1_5|1\n1_6|1\n')
    expect(await rig.out('sacct', '-X', '-P', '-n', '-o', 'JobID,JobIDRaw,State')).toBe(
      '1_1|2|RUNNING\n1_2|3|RUNNING\n1_[3-6%2]|1|PENDING\n',
    )
    expect(await rig.out('squeue', '-h', '-j', '1_4', '-o', '%i|%K')).toBe('1_4|4\n')
  })

  test('cancelled waiting elements leave no trace, running ones theirs', async () => {
    const id = await rig.submit(['echo up', 'sleep 100'], '--array=1-6%2')
    await prints(`slurm-${id}_1.out`, 'up')
    await rig.out('scancel', `${id}_[3-4]`, `${id}_1`)
    await rig.reaches(`${id}_1`, 'CANCELLED')
    await until('the next runs', 20_000, () => rig.slurm.job(`${id}_5`)?.state === 'RUNNING')
    expect(await rig.out('squeue', '-h', '-r', '-t', 'all', '-o', '%i %t')).toBe('1_1 CA\n1_6 PD\n1_2 R\n1_5 R\n')
    expect(await rig.out('sacct', '-X', '-P', '-n', '-o', 'JobID,State')).toBe(
      `1_1|CANCELLED by ${uid}\n1_2|RUNNING\n1_5|RUNNING\n1_[6%2]|PENDING\n`,
    )
    await rig.out('scancel', id)
    await until('nothing runs', 20_000, () => rig.slurm.jobs().every((job) => job.state === 'CANCELLED'))
  })

  test('%i is cut off after 31 characters, %K after 60 with dots', async () => {
    const id = await rig.submit(['true'], '--array=7,9,11,15,17,19,21,23,25,27,29,31,33,35,37,39,41,43,45,47,49,51,53%3', '--hold')
    expect(await rig.out('squeue', '-h', '-o', '%i|%K')).toBe(
      `${id}_[7,9,11,15,17,19,21,23,25,27,|7,9,11,15,17,19,21,23,25,27,29,31,33,35,37,39,41,43,45,47,49...%3\n`,
    )
  })
})

describe('queries', () => {
  test('ids nobody knows: one alone is an error, two are an empty answer', async () => {
    expect(await rig.run('squeue', '-h', '-j', '99')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'slurm_load_jobs error: Invalid job id specified\n',
    })
    expect(await rig.run('squeue', '-h', '-j', '98,99')).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(await rig.run('scancel', '99')).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(await rig.run('scontrol', 'show', 'job', '99')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'slurm_load_jobs error: Invalid job id specified\n',
    })
    expect(await rig.run('sacct', '-n', '-P', '-j', '99', '-o', 'State')).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  test('MinJobAge: forgotten by squeue, known to sacct', async () => {
    const id = await rig.submit(['true'])
    await rig.reaches(id, 'COMPLETED')
    rig.slurm.advance(301_000)
    expect((await rig.run('squeue', '-h', '-j', id)).stderr).toBe('slurm_load_jobs error: Invalid job id specified\n')
    expect(await rig.out('sacct', '-X', '-P', '-n', '-j', id, '-o', 'State')).toBe('COMPLETED\n')
    rig.slurm.purgeHistory()
    expect(await rig.out('sacct', '-X', '-P', '-n', '-j', id, '-o', 'State')).toBe('')
  })

  test('ids given out again: two rows, the older as it was', async () => {
    const old = await rig.submit(['echo up', 'sleep 100'])
    await prints(`slurm-${old}.out`, 'up')
    rig.slurm.reuseIds()
    rig.slurm.advance(5000)
    const again = await rig.submit(['true'])
    expect(again).toBe(old)
    await rig.reaches(again, 'COMPLETED')
    expect(await rig.out('sacct', '-X', '-P', '-n', '-D', '-j', old, '-o', 'JobID,State')).toBe('1|RUNNING\n1|COMPLETED\n')
    expect(await rig.out('sacct', '-X', '-P', '-n', '-j', old, '-o', 'JobID,State')).toBe('1|COMPLETED\n')
  })

  test('accounting that is late, and a site without', async () => {
    rig.slurm.accountingLag(60_000)
    const id = await rig.submit(['true'])
    await rig.reaches(id, 'COMPLETED')
    expect(await rig.out('sacct', '-X', '-P', '-n', '-j', id, '-o', 'State')).toBe('')
    rig.slurm.advance(60_000)
    expect(await rig.out('sacct', '-X', '-P', '-n', '-j', id, '-o', 'State')).toBe('COMPLETED\n')
    const bare = await SlurmRig.open({ accounting: false })
    try {
      expect(await bare.run('sacct')).toEqual({ code: 1, stdout: '', stderr: 'Slurm accounting storage is disabled\n' })
    } finally {
      await bare.close()
    }
  })

  test('squeue and sinfo as people call them', async () => {
    await rig.submit(['sleep 100'], '--hold', '-J', 'named')
    expect(await rig.out('squeue')).toBe(
      `             JOBID PARTITION     NAME     USER ST       TIME  NODES NODELIST(REASON)\n                 1      main    named ${userInfo().username.slice(0, 8).padStart(8)} PD       0:00      1 (JobHeldUser)\n`,
    )
    expect(await rig.out('squeue', '--start')).toContain(
      'JOBID PARTITION     NAME     USER ST          START_TIME  NODES SCHEDNODES           NODELIST(REASON)\n',
    )
    expect(await rig.out('sinfo', '-h', '-p', 'main', '-o', '%P|%a|%l|%D|%c|%m|%G|%t|%N')).toBe(
      'main*|up|1:00:00|2|4|2000|gpu:fake:2|idle|node[1-2]\nmain*|up|1:00:00|2|4|2000|(null)|idle|node[3-4]\n',
    )
    expect(await rig.out('scontrol', 'show', 'hostnames', 'node[1-3,7],foo[01-02]')).toBe('node1\nnode2\nnode3\nnode7\nfoo01\nfoo02\n')
    expect(await rig.out('scontrol', 'show', 'config')).toMatch(/\nMaxArraySize +\x3D 1001\n/)
    expect(await rig.out('scontrol', 'ping')).toBe('Slurmctld(primary) at localhost is UP\n')
  })

  test('damaged, shortened and slow answers; calls are counted', async () => {
    await rig.submit(['true'], '--hold')
    rig.slurm.truncateNextOutput('squeue', 4)
    expect(await rig.out('squeue', '-h', '-o', '%i|%T')).toBe('1|PE')
    rig.slurm.garble('squeue', 'what?')
    expect(await rig.out('squeue', '-h', '-o', '%i|%T')).toBe('what?')
    rig.slurm.delay('squeue', 300)
    const began = performance.now()
    expect(await rig.out('squeue', '-h', '-o', '%i|%T')).toBe('1|PENDING\n')
    expect(performance.now() - began).toBeGreaterThan(300)
    expect(rig.slurm.calls('squeue')).toBe(3)
    expect(rig.slurm.calls()).toBe(4)
  })
})

describe('srun', () => {
  test('tasks on their nodes; the exit code is the highest', async () => {
    const id = await rig.submit(
      [
        "srun sh -c 'echo $SLURM_PROCID $SLURM_NODEID $SLURM_LOCALID $SLURMD_NODENAME; exit $SLURM_PROCID' | sort",
        "srun --label -n2 -N2 --exact sh -c 'echo l' | sort",
        "srun -N1 -n1 sh -c 'kill -9 $$'; echo rc $?",
        'srun nosuch; echo rc $?',
        'srun -N9 true; echo rc $?',
      ],
      '-N2',
      '--ntasks-per-node=2',
    )
    await rig.reaches(id, 'COMPLETED')
    const text = await output(`slurm-${id}.out`)
    expect(text).toContain('0 0 0 node1\n1 0 1 node1\n2 1 0 node2\n3 1 1 node2\n')
    expect(text).toContain('srun: error: node1: task 1: Exited with exit code 1\n')
    expect(text).toContain('0: l\n1: l\n')
    expect(text).toContain(`srun: error: node1: task 0: Killed\nsrun: Force Terminated StepId=${id}.2\nrc 137\n`)
    expect(text).toContain('srun: error: node2: tasks 2-3: Exited with exit code 2\nrc 2\n')
    expect(text).toContain('srun: error: Only allocated 2 nodes asked for 4\nrc 1\n')
    expect(text).not.toContain('requested tasks 2')
  })

  test('TERM to srun kills its tasks without a word to them; USR1 is handed on', async () => {
    const id = await rig.submit([
      `srun sh -c 'trap "echo USR1" USR1; trap "echo TERM; exit 4" TERM; echo up; while :; do sleep 0.05; done' & P=$!`,
      'while ! grep -q up slurm-1.out; do sleep 0.05; done',
      'kill -USR1 $P; while ! grep -q USR1 slurm-1.out; do sleep 0.05; done',
      'kill -TERM $P; wait $P; echo rc $?',
    ])
    await rig.reaches(id, 'COMPLETED')
    expect(await output(`slurm-${id}.out`)).toBe(
      'up\nUSR1\nsrun: forcing job termination\nsrun: Job step aborted: Waiting up to 4 seconds for job step to finish.\nsrun: error: node1: task 0: Killed\nrc 137\n',
    )
  })

  test('--kill-on-bad-exit, and a second step that waits for the first', async () => {
    const id = await rig.submit(
      [
        `srun -n2 --kill-on-bad-exit=1 sh -c '[ $SLURM_PROCID = 1 ] && exit 5; exec sleep 20'; echo rc $?`,
        'srun -n2 sleep 1 & sleep 0.5; srun -n2 true; echo rc $?; wait',
        'srun -n2 --exact sleep 1 & srun -n2 --overlap true; echo rc $?; wait',
      ],
      '-N2',
      '-n2',
    )
    await rig.reaches(id, 'COMPLETED')
    const text = await output(`slurm-${id}.out`)
    expect(text).toContain('srun: launch/slurm: _step_signal: Terminating StepId=1.0\n')
    expect(text).toContain('rc 143\n')
    expect(text).toContain(
      'srun: Job 1 step creation temporarily disabled, retrying (Requested nodes are busy)\nsrun: Step created for job 1\nrc 0\n',
    )
  })

  test('scancel --signal: steps without --batch, the script with it', async () => {
    const id = await rig.submit([
      "trap 'echo script' USR1",
      `srun sh -c 'trap "echo step" USR1; echo up; while :; do sleep 0.05; done' &`,
      'while :; do sleep 0.05; done',
    ])
    await prints(`slurm-${id}.out`, 'up')
    await rig.out('scancel', '--signal=USR1', id)
    await prints(`slurm-${id}.out`, 'step')
    expect(await output(`slurm-${id}.out`)).not.toContain('script')
    await rig.out('scancel', '--batch', '--signal=USR1', id)
    await prints(`slurm-${id}.out`, 'script')
    expect((await output(`slurm-${id}.out`)).match(/step/g)).toHaveLength(1)
  })
})

describe('size', () => {
  test('an array of 10,000 and 10,000 jobs are listed at once', async () => {
    const large = await SlurmRig.open({ maxArraySize: 100_001 })
    try {
      await large.submit(['true'], '--array=0-9999', '--hold')
      const began = performance.now()
      const lines = (await large.out('squeue', '-h', '-r', '-t', 'all', '-o', '%A|%K|%T|%r|%V|%S|%e|%N')).trim().split('\n')
      const took = performance.now() - began
      expect(lines).toHaveLength(10_000)
      expect(lines.at(-1)).toMatch(/^1\|9999\|PENDING\|JobHeldUser\|/)
      console.log(`squeue of 10,000 elements: ${Math.round(took)} ms`)
      expect(took).toBeLessThan(5000)
    } finally {
      await large.close()
    }
  })
})
