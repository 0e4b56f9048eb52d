import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ResourcesSpec } from '../../src/task/task-spec.ts'
import { readLog, settled, until } from '../../src/testing/index.ts'
import type { CaseTask } from '../../src/testing/task-values.ts'
import { endsCleanly, hasBegun, nativeIdOf, PATIENCE_MS, reaches, submitCounted, untilAccounted } from './slurm-checks.ts'
import { SlurmHome } from './slurm-home.ts'
import { SshRig } from './ssh-rig.ts'

const rig = new SshRig('slurm')
let home: SlurmHome

beforeAll(async () => {
  home = await new SlurmHome(rig, 'ssh', {}, { queriesPerMinute: 40 }).start()
})
afterAll(async () => {
  rig.fault('heal-all')
  await home.close()
})

const memory = (bytes: number): ResourcesSpec => ({
  ordered: false,
  candidates: [{ memoryBytes: { value: bytes, atLeast: false }, accelerators: [], acceleratorsOrdered: false, raw: {} }],
})

/** Holds 200 MB in a shell variable. */
const GREEDY = `x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo \${#x}`

describe.concurrent('states of Slurm', { timeout: PATIENCE_MS * 1.5 }, () => {
  test('COMPLETED', async () => {
    const job = await endsCleanly(home, await submitCounted(home, { run: 'exit 0' }))
    expect(job).toMatchObject({ state: 'succeeded', cause: null, exit_code: 0 })
    await untilAccounted(home, job.native_id, /^COMPLETED\|0:0$/)
  })

  test('FAILED by an exit code', async () => {
    const job = await endsCleanly(home, await submitCounted(home, { run: 'exit 3' }))
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'exit', code: 3, rank: 0 }, exit_code: 3 })
    await untilAccounted(home, job.native_id, /^FAILED\|3:0$/)
  })

  test('FAILED by a signal', async () => {
    const job = await endsCleanly(home, await submitCounted(home, { run: 'kill -KILL $$' }))
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'signal', signal: 9 }, exit_code: 137 })
  })

  test('cancelled while it waits', async () => {
    const job = await submitCounted(home, { options: { hold: true }, run: 'exit 0' })
    await nativeIdOf(home, job.id)
    await home.drover.cancel(job.id, { by: 'user' })
    const ended = await endsCleanly(home, job, [])
    expect(ended).toMatchObject({ state: 'cancelled', cause: { kind: 'cancelled', by: 'user' }, started_at: null })
    await untilAccounted(home, ended.native_id, /^CANCELLED/)
  })

  test('cancelled while it runs', async () => {
    const job = await submitCounted(home, { run: 'exec sleep 300' })
    await hasBegun(job)
    await home.drover.cancel(job.id, { by: 'user' })
    expect(await endsCleanly(home, job)).toMatchObject({ state: 'cancelled', cause: { kind: 'cancelled', by: 'user' } })
  })

  test.each([
    { when: 'while it waits', hold: true, runs: [] },
    { when: 'while it runs', hold: false, runs: ['0 1'] },
  ])("cancelled by somebody's scancel $when", async ({ hold, runs }) => {
    const job = await submitCounted(home, { options: { hold }, run: 'exec sleep 300' })
    const native = await nativeIdOf(home, job.id)
    if (!hold) await hasBegun(job)
    home.login(`scancel ${native}`)
    const ended = await endsCleanly(home, job, runs)
    expect(ended).toMatchObject({ state: 'cancelled', cause: { kind: 'cancelled' } })
    expect(ended.cause?.by).not.toBe('user')
    expect(ended.native_word).toMatch(/^CANCELLED/)
  })

  test("TIMEOUT by the task's own limit", async () => {
    const job = await endsCleanly(home, await submitCounted(home, { timeoutMs: 2_000, run: 'exec sleep 300' }))
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'timeout' } })
  })

  test("TIMEOUT by Slurm's limit", async () => {
    const job = await endsCleanly(home, await submitCounted(home, { options: { time: '0:01' }, run: 'exec sleep 300' }))
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'timeout' }, native_word: 'TIMEOUT' })
  })

  test.each([{ numNodes: 1 }, { numNodes: 3 }])('OUT_OF_MEMORY, $numNodes nodes', async ({ numNodes }) => {
    const run = `if [ "$DROVER_NODE_RANK" = ${numNodes - 1} ]; then ${GREEDY}; else exec sleep 300; fi`
    const ranks = Array.from({ length: numNodes }, (_, rank) => `${rank} 1`)
    const job = await endsCleanly(home, await submitCounted(home, { numNodes, resources: memory(64 * 1024 ** 2), run }), ranks)
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'out_of_memory' } })
  })

  test('held from the start: the reason in plain words; it runs when it is released', async () => {
    const job = await submitCounted(home, { options: { hold: true }, run: 'exit 0' })
    const waiting = await reaches(home, job.id, 'a reason', ({ reason }) => reason !== null)
    expect(waiting).toMatchObject({ state: 'queued', native_word: 'PENDING' })
    expect(waiting.reason).toMatch(/held/i)
    expect(JSON.stringify(await home.drover.explain(job.id))).toMatch(/held by you.*scontrol release/s)
    home.login(`scontrol release ${waiting.native_id}`)
    expect(await endsCleanly(home, job)).toMatchObject({ state: 'succeeded' })
  })

  test('held by the administrators', async () => {
    const job = await submitCounted(home, { options: { begin: 'now+1hour' }, run: 'exit 0' })
    const native = await nativeIdOf(home, job.id)
    rig.on('login', 'scontrol', 'hold', native)
    const held = await reaches(home, job.id, 'the hold', ({ reason }) => /held|JobHeldAdmin/i.test(reason ?? ''))
    expect(held.state).toBe('queued')
    expect(JSON.stringify(await home.drover.explain(job.id))).toMatch(/held by the administrators/)
    rig.on('login', 'sh', '-c', 'scontrol release "$1" && scontrol update jobid="$1" StartTime=now', 'sh', native)
    expect(await endsCleanly(home, job)).toMatchObject({ state: 'succeeded' })
  })

  test('suspended and resumed', async () => {
    const job = await submitCounted(home, { run: 'while [ ! -e "$RUNS.go" ]; do sleep 0.1; done' })
    const native = await nativeIdOf(home, job.id)
    await hasBegun(job)
    rig.on('login', 'scontrol', 'suspend', native)
    expect(await reaches(home, job.id, 'suspended', ({ state }) => state === 'suspended')).toMatchObject({ native_word: 'SUSPENDED' })
    rig.on('login', 'scontrol', 'resume', native)
    await reaches(home, job.id, 'running again', ({ state }) => state === 'running')
    home.login(`touch ${job.runs}.go`)
    expect(await endsCleanly(home, job)).toMatchObject({ state: 'succeeded' })
  })

  test('a dependency that is never satisfied', async () => {
    const upstream = await endsCleanly(home, await submitCounted(home, { run: 'exit 1' }))
    const job = await submitCounted(home, { options: { dependency: `afterok:${upstream.native_id}` }, run: 'exit 0' })
    const ended = await endsCleanly(home, job, [])
    expect(ended.started_at).toBeNull()
    // Whether the dependency is named is Slurm's choice: the last reason it gave may be another.
    expect(['cancelled', 'failed']).toContain(ended.state)
  })

  test('an array of which some fail, each element a task of Slurm', async () => {
    const job = await submitCounted(home, {
      array: { elements: { kind: 'count', count: 6 }, size: 6 },
      run: 'echo "element $DROVER_ARRAY_INDEX"; case $DROVER_ARRAY_INDEX in 1) exit 4;; 4) kill -KILL $$;; esac',
    })
    const ended = await endsCleanly(
      home,
      job,
      [0, 1, 2, 3, 4, 5].map((each) => `${each} 1`),
    )
    // Named is the one that failed first in time: they run side by side.
    expect([1, 4]).toContain(ended.cause?.element)
    expect(ended).toMatchObject({ state: 'failed', elements: { succeeded: 4, failed: 2 } })
    expect(ended.elements?.first_failed.map(({ position, exit_code }) => [position, exit_code])).toEqual([
      [1, 4],
      [4, 137],
    ])
    expect((await readLog(home.drover, job.id, { elements: [5], streams: ['stdout'] })).toString()).toBe('element 5\n')
  })

  test('an array of which single tasks are ended by Slurm and by people', async () => {
    const job = await submitCounted(home, {
      array: { elements: { kind: 'count', count: 4 }, size: 4 },
      resources: memory(64 * 1024 ** 2),
      run: `case $DROVER_ARRAY_INDEX in 0) exit 0;; 1) ${GREEDY};; esac; exec sleep 300`,
    })
    const native = await nativeIdOf(home, job.id)
    await reaches(home, job.id, 'elements that run', ({ elements }) => (elements?.running ?? 0) >= 2)
    home.login(`scancel ${native}_2`)
    await reaches(home, job.id, 'an element that was cancelled', ({ elements }) => elements?.cancelled === 1)
    await home.drover.cancel(job.id, { elements: [3] })
    const ended = await endsCleanly(
      home,
      job,
      [0, 1, 2, 3].map((each) => `${each} 1`),
    )
    const why = JSON.stringify([ended.elements, await home.drover.explain(job.id)])
    expect(ended, why).toMatchObject({ state: 'failed', elements: { succeeded: 1, failed: 1, cancelled: 2 } })
    expect(ended.elements?.first_failed).toMatchObject([{ position: 1, exit_code: 137 }])
  })

  test('an array longer than the site takes is split; indices are those of the whole', async () => {
    const size = Number(/MaxArraySize\s*=\s*(\d+)/.exec(home.login('scontrol show config'))?.[1])
    const count = size + 10
    const job = await submitCounted(home, {
      array: { elements: { kind: 'count', count }, size: count },
      run: `echo "$DROVER_ARRAY_INDEX"; [ "$DROVER_ARRAY_INDEX" != ${size + 3} ] || exit 9`,
    })
    const ended = await endsCleanly(
      home,
      job,
      Array.from({ length: count }, (_, each) => `${each} 1`),
    )
    expect(ended.native_id?.split(' ')).toHaveLength(2)
    expect(ended).toMatchObject({ state: 'failed', elements: { total: count, succeeded: count - 1, failed: 1 } })
    expect(ended.elements?.first_failed).toMatchObject([{ position: size + 3, exit_code: 9 }])
    expect((await readLog(home.drover, job.id, { elements: [size + 1], streams: ['stdout'] })).toString()).toBe(`${size + 1}\n`)
  })

  const refusals: readonly { readonly what: string; readonly task: Partial<CaseTask>; readonly message: RegExp; readonly hint: RegExp }[] =
    [
      { what: 'a partition', task: { options: { partition: 'nope' } }, message: /partition/i, hint: /option partition/ },
      { what: 'an account', task: { options: { account: 'nope' } }, message: /account/i, hint: /option account/ },
      { what: 'a QoS', task: { options: { qos: 'nope' } }, message: /qos/i, hint: /option qos/ },
      { what: 'a reservation', task: { options: { reservation: 'nope' } }, message: /reservation/i, hint: /./ },
      { what: 'a feature', task: { options: { constraint: 'nope' } }, message: /feature/i, hint: /option constraint/ },
      { what: 'memory', task: { resources: memory(999 * 1024 ** 3) }, message: /not available|memory/i, hint: /lower|partition/i },
      { what: 'a node', task: { options: { nodelist: 'node99' } }, message: /node/i, hint: /./ },
    ]
  test.each(refusals)('$what that is not there: the message of Slurm, and what to do', async ({ task, message, hint }) => {
    const [submitted] = await Promise.all([submitCounted(home, { ...task, run: 'exit 0' })])
    const job = await endsCleanly(home, submitted, [])
    if (job.cause?.kind === 'cancelled') throw new Error(JSON.stringify(job.cause))
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'rejected' }, native_id: null })
    expect(job.cause?.message).toMatch(message)
    expect(JSON.stringify(await home.drover.explain(job.id))).toMatch(hint)
  })

  const waits: readonly { readonly what: string; readonly task: Partial<CaseTask>; readonly reason: RegExp }[] = [
    { what: 'more time than the partition allows', task: { timeoutMs: 7_200_000 }, reason: /more time than/ },
    { what: 'more nodes than the partition has', task: { numNodes: 9 }, reason: /more nodes/ },
  ]
  test.each(waits)('$what: it is said what to change', async ({ task, reason }) => {
    const job = await submitCounted(home, { ...task, run: 'exit 0' }).catch((error: unknown) => String(error))
    // A site may refuse it (EnforcePartLimits), or keep it for ever.
    if (typeof job === 'string') return expect(job).toMatch(reason)
    const seen = await reaches(
      home,
      job.id,
      'a reason or a refusal',
      (each) => each.cause?.kind === 'rejected' || /time|node/i.test(each.reason ?? ''),
    )
    expect(JSON.stringify([seen.cause?.message, await home.drover.explain(job.id)])).toMatch(reason)
    await home.drover.cancel(job.id)
    await settled(home.drover, job.id, PATIENCE_MS)
  })
})

/** Gives back what Slurm holds for two minutes after a requeue; at once, an end message of the first run would end the second. */
async function startRequeued(native: string): Promise<void> {
  const waits = () => rig.on('login', 'squeue', '-h', '-j', native, '-o', '%T %r').startsWith('PENDING Begin')
  await until('a requeued job that waits', PATIENCE_MS, waits)
  await setTimeout(3_000)
  rig.on('login', 'scontrol', 'update', `jobid=${native}`, 'StartTime=now')
}

/** What runs on a node of the partitions `low` and `lowc` gives way to this. */
function preempt(node: string): void {
  home.login(`sbatch --parsable --output=/dev/null --partition=high --nodelist=${node} --exclusive --wrap 'sleep 2'`)
}

// Not beside the others: nodes go down, and with them whatever runs there.
describe('afterwards', () => {
  describe.concurrent('what Slurm takes away', { timeout: PATIENCE_MS * 2 }, () => {
    test('PREEMPTED, where it is cancelled and where it may not be requeued', async () => {
      const jobs = await Promise.all(
        ['lowc', 'low'].map((partition) => submitCounted(home, { options: { partition, nodelist: 'node1' }, run: 'exec sleep 300' })),
      )
      for (const job of jobs) await hasBegun(job)
      preempt('node1')
      for (const job of jobs) {
        const ended = await endsCleanly(home, job)
        expect(ended).toMatchObject({ state: 'failed', cause: { kind: 'preempted' }, native_word: 'PREEMPTED', attempt: 1 })
      }
    })

    test.each([
      { by: 'a preemption', partition: 'low', take: () => preempt('node2'), cause: 'preempted' },
      { by: 'scontrol requeue', partition: 'main', take: (id: string) => rig.on('login', 'scontrol', 'requeue', id), cause: 'preempted' },
    ])('scheduler_requeue: $by makes the next attempt', async ({ partition, take, cause }) => {
      const job = await submitCounted(home, {
        options: { partition, nodelist: 'node2', scheduler_requeue: true },
        run: 'echo "attempt $DROVER_ATTEMPT"; [ "$DROVER_ATTEMPT" = 2 ] || exec sleep 300',
      })
      const native = await nativeIdOf(home, job.id)
      await hasBegun(job)
      take(native)
      await startRequeued(native)
      const ended = await endsCleanly(home, job, ['0 1', '0 2'])
      expect(ended).toMatchObject({ state: 'succeeded', exit_code: 0, attempt: 2, native_id: native })
      expect(ended.attempts.map((attempt) => [attempt.state, attempt.cause?.kind ?? null])).toEqual([
        ['failed', cause],
        ['succeeded', null],
      ])
      const logs = await Promise.all([1, 2].map((attempt) => readLog(home.drover, job.id, { attempt, streams: ['stdout'] })))
      expect(logs.map(String)).toEqual(['attempt 1\n', 'attempt 2\n'])
    })

    test('NODE_FAIL: a node that is set down, and one that loses its power', async () => {
      const alone = await submitCounted(home, { options: { nodelist: 'node3' }, run: 'exec sleep 300' })
      const moved = await submitCounted(home, {
        options: { nodelist: 'node3', scheduler_requeue: true },
        run: '[ "$DROVER_ATTEMPT" = 2 ] || exec sleep 300',
      })
      for (const job of [alone, moved]) await hasBegun(job)
      rig.on('login', 'scontrol', 'update', 'nodename=node3', 'state=down', 'reason=test')
      expect(await endsCleanly(home, alone)).toMatchObject({ state: 'failed', cause: { kind: 'node_failure' }, native_word: 'NODE_FAIL' })
      // It may be back already: its slurmd has said that it lives.
      rig.on('login', 'sh', '-c', 'scontrol update nodename=node3 state=resume 2>&1 || true')
      await startRequeued(await nativeIdOf(home, moved.id))
      expect(await endsCleanly(home, moved, ['0 1', '0 2'])).toMatchObject({ state: 'succeeded', attempt: 2 })

      const [last, several] = await Promise.all([
        submitCounted(home, { options: { nodelist: 'node4' }, run: 'exec sleep 300' }),
        submitCounted(home, { options: { nodelist: 'node[3-4]' }, numNodes: 2, run: 'exec sleep 300' }),
      ])
      for (const job of [last, several]) await hasBegun(job)
      await until('both ranks', PATIENCE_MS, () => readFileSync(several.runs, 'utf8').split('\n').length === 3)
      rig.fault('kill-node', '4')
      const lost = await endsCleanly(home, last)
      expect(lost).toMatchObject({ state: 'failed', cause: { kind: 'node_failure' }, native_word: 'NODE_FAIL' })
      const part = await endsCleanly(home, several, ['0 1', '1 1'])
      expect(part).toMatchObject({ state: 'failed', cause: { kind: 'node_failure' } })
      rig.fault('revive-node', '4')
    })
  })
})
