import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { captured } from './slurm.fixture.ts'
import { parseSbatch, sbatchCommand } from './slurm-submit.ts'

interface Refusal {
  readonly args: string
  readonly code: number
  readonly stderr: string
}

describe('what sbatch says', () => {
  const refusals = JSON.parse(captured('sbatch-refusals.json')) as readonly Refusal[]

  test.each(refusals.map((each) => [each.args, each] as const))('refused by 22.05.8: %s', (_, { code, stderr }) => {
    const said = parseSbatch({ code, stdout: '', stderr })
    expect(said).toMatchObject({ kind: 'refused' })
    if (said.kind !== 'refused') return
    expect(said.hint, said.message).toBeDefined()
    expect(said.message).not.toMatch(/sbatch: error: Batch job submission failed/)
  })

  test.each([
    ['accepted', 0, '4711\n', ''],
    ['accepted', 0, '4711;other\n', ''],
    ['accepted', 0, 'Welcome!\n4711\n', 'sbatch: lua: note'],
    ['not_reached', 1, '', 'sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)'],
    [
      'not_reached',
      1,
      '',
      'sbatch: error: Munge encode failed: Failed to connect\nsbatch: error: Batch job submission failed: Protocol authentication error',
    ],
    [
      'not_reached',
      1,
      '',
      'sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy',
    ],
    ['in_doubt', 1, '', 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation'],
    ['in_doubt', 137, '', ''],
    ['in_doubt', 255, '', ''],
    ['in_doubt', undefined, '', ''],
    ['in_doubt', 1, '', 'something else'],
    ['in_doubt', 0, '', ''],
    ['refused', 1, '', 'sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified'],
    ['refused', 1, '', 'sbatch: error: Batch job submission failed: Invalid qos specification'],
    ['refused', 2, '', 'drover: there is no script /x'],
  ] as const)('%s: code %s, %j %j', (kind, code, stdout, stderr) => {
    expect(parseSbatch({ code, stdout, stderr }).kind).toBe(kind)
  })
})

/** Runs the command with an `sbatch` that prints its words and what it finds in the environment. */
function submitted(command: string, environment: Record<string, string>, script = '#!/bin/sh\n'): string {
  const directory = mkdtempSync(join(tmpdir(), 'drover-sbatch-'))
  try {
    const print = '#!/bin/sh\nfor word; do printf "%s\\n" "<$word>"; done; env | grep -E "^(SBATCH|SLURM)" | sort; exit 0\n'
    writeFileSync(join(directory, 'sbatch'), print, { mode: 0o700 })
    writeFileSync(join(directory, 'job.sh'), script)
    const env = { PATH: `${directory}:/usr/bin:/bin`, HOME: directory, ...environment }
    const { stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: directory, env, encoding: 'utf8' })
    return (stdout + stderr).replaceAll(directory, '~')
  } finally {
    rmSync(directory, { recursive: true })
  }
}

describe('the command', () => {
  const ours = sbatchCommand({ kind: 'ours', file: 'job.sh', nativeName: 'd-x-1' })

  test("variables of the user's own and of a job around us do not change the job", () => {
    const inherited = {
      SBATCH_WAIT: '1',
      SBATCH_ARRAY_INX: '0-9',
      SBATCH_TIMELIMIT: '1',
      SLURM_JOB_ID: '5',
      SLURM_MEM_PER_CPU: '1',
      SLURM_CONF: '/etc/x',
    }
    expect(submitted(ours, inherited)).toBe('<--parsable>\n<job.sh>\nSLURM_CONF=/etc/x\n')
  })

  test('a default account or partition stays, unless the script names one', () => {
    const defaults = { SBATCH_ACCOUNT: 'mine', SBATCH_PARTITION: 'main' }
    expect(submitted(ours, defaults, '#!/bin/sh\n#SBATCH --partition=gpu\n')).toBe('<--parsable>\n<job.sh>\nSBATCH_ACCOUNT=mine\n')
  })

  test('a script that lies there gets options and arguments as they are', () => {
    const script = {
      kind: 'foreign',
      path: '~/job.sh',
      args: ['a b', '$HOME', "it's"],
      nativeName: 'd-x-1',
      options: ['--comment=q"q \\ `id`'],
    } as const
    expect(submitted(sbatchCommand(script), { SBATCH_WAIT: '1' })).toBe(
      '<--parsable>\n<--job-name=d-x-1>\n<--comment=q"q \\ `id`>\n<~/job.sh>\n<a b>\n<$HOME>\n<it\'s>\n',
    )
  })

  test.each([
    ['#SBATCH --wait', true],
    ['#SBATCH -J x -W', true],
    ['#SBATCH --wait-all-nodes=1', false],
    ['# --wait', false],
  ])('a script with %s: what sbatch does is not waited for', (line, waits) => {
    const directory = mkdtempSync(join(tmpdir(), 'drover-sbatch-wait-'))
    try {
      writeFileSync(join(directory, 'sbatch'), '#!/bin/sh\nsleep 1; echo 5\n', { mode: 0o700 })
      writeFileSync(join(directory, 'squeue'), '#!/bin/sh\n[ "$*" = "-h -t all -n d-x-1 -o %F" ] && echo 7\n', { mode: 0o700 })
      const path = join(directory, 'job.sh')
      writeFileSync(path, `#!/bin/sh\n${line}\n`)
      const command = sbatchCommand({ kind: 'foreign', path, args: [], nativeName: 'd-x-1', options: [] })
      const { stdout, status } = spawnSync('sh', ['-c', command], { env: { PATH: `${directory}:/usr/bin:/bin` }, encoding: 'utf8' })
      expect([stdout, status]).toEqual([waits ? '7\n' : '5\n', 0])
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  test('a script that is not there is named', () => {
    const script = { kind: 'foreign', path: '/nowhere/job.sh', args: [], nativeName: 'd-x-1', options: [] } as const
    const command = `${sbatchCommand(script)}; echo "then $?"`
    expect(submitted(command, {})).toBe('then 2\ndrover: there is no script /nowhere/job.sh\n')
  })
})
