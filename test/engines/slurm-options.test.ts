import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { quoteDirective } from '../../src/driver/quote.ts'
import type { Job } from '../../src/jobs/drover.ts'
import { defineTask } from '../../src/task/define-task.ts'
import type { TaskInput } from '../../src/task/task-input.ts'
import { settled } from '../../src/testing/index.ts'
import { PATIENCE_MS } from './slurm-checks.ts'
import { SlurmHome } from './slurm-home.ts'
import { SshRig } from './ssh-rig.ts'

const rig = new SshRig('slurm')
let home: SlurmHome

beforeAll(async () => {
  home = await new SlurmHome(rig, 'ssh', {}, { queriesPerMinute: 40 }).start()
})
afterAll(async () => await home.close())

async function ended(task: Partial<TaskInput>): Promise<{ readonly job: Job; readonly out: string }> {
  const [submitted] = await home.drover.submit(defineTask({ name: 't', target: 'hpc', ...task } as TaskInput))
  if (submitted === undefined) throw new Error('submit gave no job')
  const job = await settled(home.drover, submitted.id, PATIENCE_MS)
  const chunks: string[] = []
  for (let attempt = 1; attempt <= job.attempt; attempt += 1) {
    for await (const { bytes } of home.drover.logs(job.id, { attempt })) chunks.push(Buffer.from(bytes).toString('utf8'))
  }
  return { job, out: chunks.join('') }
}

describe('directives through sbatch', () => {
  // Slurm keeps a comment as it is, so it shows what sbatch has read.
  const values = [
    `a "b" 'c' \\ d`,
    '#no comment',
    '%j %% %x',
    'ünï 日本',
    '$HOME `id` $(id)',
    'hetjob',
    ' two  blanks ',
    '\\',
    '"',
    "'",
    'a\tb',
    '--x=1 ; | & < > ( ) * ?',
  ]

  test('every value is read as it was meant', () => {
    const scripts = values.map((value, index) => {
      const path = join(home.root, `directive-${index}.sh`)
      const lines = [
        '#!/bin/sh',
        '#SBATCH --hold',
        `#SBATCH ${quoteDirective(`--comment=${value}`)}`,
        '#SBATCH --job-name=last',
        'true',
        '',
      ]
      writeFileSync(path, lines.join('\n'), { mode: 0o644 })
      return path
    })
    const said = home.login(
      scripts.map((path) => `id=$(sbatch --parsable ${path}) && squeue -h -j "$id" -o '<%k> %j' && scancel "$id"`).join('\n'),
    )
    expect(said.trimEnd().split('\n')).toEqual(values.map((value) => `<${value}> last`))
  })
})

describe.concurrent('options of a job', { timeout: PATIENCE_MS * 1.5 }, () => {
  test('a script that lies on the cluster: options, arguments, output, code', async () => {
    const script = join(home.root, 'it is.sh')
    writeFileSync(script, '#!/bin/sh\n#SBATCH --output=%x-%j.txt\necho "got $# $1 $2"\nexit 3\n', { mode: 0o755 })
    const { job, out } = await ended({ remote_script: script, args: ["it's", 'b'], options: { comment: 'q"q' } })
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'exit', code: 3 }, exit_code: 3 })
    expect(out).toBe("got 2 it's b\n")
  })

  test('a script that is not there', async () => {
    const { job } = await ended({ remote_script: '~/nowhere.sh' })
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'rejected', message: expect.stringContaining('nowhere.sh') } })
  })

  test('a script asks to be run again by its exit code', async () => {
    const run = 'n=$(cat n 2>/dev/null || echo 0); echo "run $n"; echo $((n + 1)) >n; [ "$n" -lt 2 ] && exit 75; exit 4'
    const { job, out } = await ended({ run, options: { requeue: { exit_code: 75, max: 3 } } })
    expect(job).toMatchObject({ state: 'failed', attempt: 3, exit_code: 4 })
    expect(out).toBe('run 0\nrun 1\nrun 2\n')
    expect((await home.drover.explain(job.id)).chain.map(({ text }) => text).join('\n')).toContain(
      'requeue 2 of 3: the script asked for it by exit 75',
    )
  })

  test('several kinds of nodes in one job', async () => {
    const { job, out } = await ended({
      num_nodes: 3,
      run: 'echo "rank $DROVER_NODE_RANK of $DROVER_NUM_NODES on $(hostname), 1 begins at $DROVER_HET_GROUP_HOST_1"',
      options: {
        het: [
          { nodes: 1, memory: '64MB' },
          { nodes: 2, partition: 'low', memory: '96MB' },
        ],
      },
    })
    expect(job, out).toMatchObject({ state: 'succeeded' })
    const ranks = [...out.matchAll(/rank (\d) of 3 on (\S+), 1 begins at (\S+)/g)].toSorted(([, a = ''], [, b = '']) => a.localeCompare(b))
    expect(ranks.map(([, rank]) => rank)).toEqual(['0', '1', '2'])
    expect(ranks[1]?.[2]).toBe(ranks[1]?.[3])
  })

  test('what sbatch refuses by itself is a refusal', async () => {
    const { job } = await ended({ run: 'true', options: { native: { 'no-such-option': true } } })
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'rejected', message: expect.stringContaining('no-such-option') } })
  })
})
