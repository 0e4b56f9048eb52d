import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { attemptPaths } from '../../src/driver/protocol.ts'
import { parseBell, parseExitRecord, parseIdentity, parseSlotLines } from '../../src/driver/protocol-reader.ts'
import { type Attempt, type AttemptOptions, shells, until, withAttempt } from './attempt-fixture.ts'

/** Waits until the scripts of these ranks have written that they are ready. */
async function ready(attempt: Attempt, ranks: number): Promise<void> {
  for (let rank = 0; rank < ranks; rank++) await until(`script ${rank}`, () => attempt.read(attemptPaths.stdout(rank)).includes('ready'))
}

/** A helper of the driver may end between the listing and the signal. */
function sendIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

const VARIABLES = [
  'DROVER_NUM_NODES DROVER_NODE_IPS DROVER_NODELIST DROVER_HEAD_IP DROVER_NODE_RANK DROVER_NODE_NAME SKYPILOT_NUM_NODES',
  'SKYPILOT_NODE_IPS SKYPILOT_NODE_RANK SKYPILOT_SETUP_NODE_IPS SKYPILOT_SETUP_NODE_RANK',
]
  .join(' ')
  .split(' ')
/** The variables of one phase, a line each; words of a value by commas. */
const SAY = `for n in ${VARIABLES.join(' ')}; do eval "v=\\\${$n-unset}"; echo "$n" $v; done | sed 's/ /,/2g'; pwd`

function said(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    text
      .trim()
      .split('\n')
      .slice(0, -1)
      .map((line) => [line.split(' ')[0] ?? '', line.split(' ')[1] ?? '']),
  )
}

describe.each(shells)('inside an allocation, under %s', (_, shell) => {
  const within = (options: Partial<AttemptOptions> & Pick<AttemptOptions, 'run'>): AttemptOptions => ({ shell, allocation: {}, ...options })

  test.each([1, 4])('%i nodes see what only the allocation knows, over the env file', async (ranks) => {
    const env = { DROVER_NUM_NODES: '9', DROVER_NODE_IPS: 'x', DROVER_NODELIST: 'x', DROVER_HEAD_IP: 'x', SKYPILOT_NUM_NODES: '9' }
    await withAttempt(within({ ranks, setup: SAY, run: SAY, env }), async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      const ips = Array.from({ length: ranks }, (_, rank) => `10.0.0.${rank}`).join(',')
      const names = Array.from({ length: ranks }, (_, rank) => `node${rank}`).join(',')
      for (let rank = 0; rank < ranks; rank++) {
        const both = {
          DROVER_NUM_NODES: `${ranks}`,
          DROVER_NODE_IPS: ips,
          DROVER_NODELIST: names,
          DROVER_HEAD_IP: '10.0.0.0',
          DROVER_NODE_RANK: `${rank}`,
          DROVER_NODE_NAME: `node${rank}`,
          SKYPILOT_NUM_NODES: `${ranks}`,
        }
        const inSetup = { SKYPILOT_SETUP_NODE_IPS: ips, SKYPILOT_SETUP_NODE_RANK: `${rank}`, SKYPILOT_NODE_IPS: 'unset' }
        const inRun = { SKYPILOT_NODE_IPS: ips, SKYPILOT_NODE_RANK: `${rank}`, SKYPILOT_SETUP_NODE_IPS: 'unset' }
        expect(said(attempt.read(attemptPaths.setupLog(rank)))).toMatchObject({ ...both, ...inSetup })
        expect(said(attempt.read(attemptPaths.stdout(rank)))).toMatchObject({ ...both, ...inRun })
        expect(attempt.read(attemptPaths.stdout(rank)).trimEnd().split('\n').at(-1)).toBe(attempt.work)
        expect(attempt.events(rank).map(({ word }) => word)).toEqual(['runner', 'setup', 'setup_end', 'runner', 'script', 'script_end'])
        expect(attempt.events(rank)[0]?.detail).toMatchObject({ node: `node${rank}` })
        expect(attempt.record(rank)).toMatchObject({ code: 0, told: '0', phase: 'run' })
      }
      expect(attempt.read('native_id')).toBe('')
      expect(attempt.read('env')).toBe('')
      expect(parseIdentity(attempt.read('claim/0/id'))).toMatchObject({ pid: attempt.pid })
    })
  })

  test('one rank of 4 fails: the others are told by the mark, and the first is named', async () => {
    const run = 'if [ "$DROVER_NODE_RANK" = 2 ]; then exit 5; fi; trap "exit 0" TERM; while :; do sleep 0.02; done'
    await withAttempt(within({ ranks: 4, run }), async (attempt) => {
      expect(await attempt.start().end()).toBe(5)
      expect(attempt.record(2)).toMatchObject({ code: 5, told: '0' })
      for (const rank of [0, 1, 3]) expect(attempt.record(rank)).toMatchObject({ code: 0, told: 'peer', phase: 'run' })
      expect(attempt.record('job')).toMatchObject({ code: 5, told: '0' })
      // The launcher's own code says nothing of the scripts.
      expect(attempt.events('job').map(({ word }) => word)).toEqual(['driver', 'launch', 'driver_end'])
    })
  })

  test("a failed setup: the others' end, every code is recorded, run never begins", async () => {
    const setup = 'if [ "$DROVER_NODE_RANK" = 1 ]; then exit 6; fi; sleep 0.5; echo whole'
    await withAttempt(within({ ranks: 3, setup, run: 'echo no' }), async (attempt) => {
      expect(await attempt.start().end()).toBe(6)
      expect([0, 1, 2].map((rank) => attempt.record(rank))).toMatchObject([
        { code: 0, told: '0', phase: 'setup' },
        { code: 6, told: '0', phase: 'setup' },
        { code: 0, told: '0', phase: 'setup' },
      ])
      expect(attempt.read('logs/setup-2.log')).toBe('whole\n')
      expect(attempt.record('job')).toMatchObject({ code: 6, phase: 'setup' })
      expect(attempt.read('logs/0.out')).toBe('')
    })
  })

  test.each([1, 3])('TERM to the driver of %i nodes: all are told, every record is written', async (ranks) => {
    await withAttempt(within({ ranks, run: 'trap "exit 7" TERM; echo ready; while :; do sleep 0.02; done' }), async (attempt) => {
      attempt.start()
      await ready(attempt, ranks)
      process.kill(attempt.pid, 'SIGTERM')
      expect(await attempt.end()).toBe(7)
      for (let rank = 0; rank < ranks; rank++) expect(attempt.record(rank)).toMatchObject({ code: 7, told: 'term' })
      expect(attempt.record('job')).toMatchObject({ code: 7, told: 'term' })
    })
  })

  test('TERM to all processes at once, as a cancelling scheduler sends it: told, and no fault of the script', async () => {
    await withAttempt(within({ run: 'echo ready; sleep 60' }), async (attempt) => {
      attempt.start()
      await ready(attempt, 1)
      // The script first: its end may be seen before the runner's own TERM is.
      for (const line of attempt.processes().toReversed()) sendIfAlive(Number.parseInt(line, 10), 'SIGTERM')
      expect(await attempt.end()).toBe(143)
      expect(attempt.record(0)).toMatchObject({ code: 143, told: 'term' })
    })
  })

  test('what a told script leaves behind does not hold its record back', async () => {
    const run = '(trap "" TERM; while :; do sleep 0.1; done) & echo ready; sleep 60'
    await withAttempt(within({ run, graceSeconds: 3 }), async (attempt) => {
      attempt.start()
      await ready(attempt, 1)
      process.kill(attempt.pid, 'SIGTERM')
      await until('the record', () => attempt.reading(0).kind === 'record')
      expect(attempt.processes().length).toBeGreaterThan(0)
      expect(attempt.reading('job')).toEqual({ kind: 'none' })
      await attempt.end()
      expect(attempt.record(0)).toMatchObject({ code: 143, told: 'term' })
    })
  })

  test.each([1, 2])("the scheduler's announcement of its limit, %i nodes: told timeout, TERM, KILL after the grace", async (ranks) => {
    const run = 'trap "" TERM; echo ready; while :; do sleep 0.02; done'
    await withAttempt(within({ ranks, run, graceSeconds: 0.5, allocation: { limitSignal: 'USR1' } }), async (attempt) => {
      attempt.start()
      await ready(attempt, ranks)
      process.kill(attempt.pid, 'SIGUSR1')
      expect(await attempt.end()).toBe(137)
      for (let rank = 0; rank < ranks; rank++) expect(attempt.record(rank)).toMatchObject({ code: 137, told: 'timeout' })
      expect(attempt.record('job')).toMatchObject({ code: 137, told: 'timeout' })
    })
  })

  test.each([1, 2])('a warning reaches the scripts of %i nodes, which go on', async (ranks) => {
    const run = 'trap "echo warned; touch warned-$DROVER_NODE_RANK" USR1; echo ready; until [ -e go ]; do sleep 0.02; done; exit 3'
    const allocation = { limitSignal: 'USR1', warning: { received: 'USR2', sent: 'USR1' } } as const
    await withAttempt(within({ ranks, run, allocation }), async (attempt) => {
      attempt.start()
      await ready(attempt, ranks)
      process.kill(attempt.pid, 'SIGUSR2')
      for (let rank = 0; rank < ranks; rank++) await until('the warning', () => existsSync(join(attempt.work, `warned-${rank}`)))
      writeFileSync(join(attempt.work, 'go'), '')
      expect(await attempt.end()).toBe(3)
      for (let rank = 0; rank < ranks; rank++) expect(attempt.read(attemptPaths.stdout(rank))).toBe('ready\nwarned\n')
      expect(attempt.events('job').map(({ word }) => word)).toContain('warning')
    })
  })

  test('the time limit of the runners holds beside', async () => {
    await withAttempt(within({ ranks: 2, run: 'sleep 60', timeoutSeconds: 0.8 }), async (attempt) => {
      expect(await attempt.start().end()).toBe(143)
      for (const rank of [0, 1]) expect(attempt.record(rank)).toMatchObject({ told: 'timeout' })
    })
  })

  test('a launch that fails: no success, its words are kept', async () => {
    await withAttempt(within({ ranks: 2, setup: 'true', run: 'echo no', driverEnv: { LAUNCH_FAILS: 'run' } }), async (attempt) => {
      expect(await attempt.start().end()).toBe(1)
      for (const rank of [0, 1]) expect(attempt.reading(rank)).toEqual({ kind: 'none' })
      const events = attempt.events('job')
      expect(events.find(({ word }) => word === 'launch_failed')?.detail).toEqual({
        phase: 'run',
        code: '1',
        text: 'launcher:%20error:%20Unable%20to%20create%20step:%20Requested%20nodes%20are%20busy',
      })
      expect(events.filter(({ word }) => word === 'rank_lost').map(({ detail }) => detail.rank)).toEqual(['0', '1'])
      expect(attempt.record('job')).toMatchObject({ code: 1, told: '0' })
    })
  })

  test('a rank whose runner dies without a record: lost, whatever the code of the others', async () => {
    const run = 'echo ready; until [ -e "over-$DROVER_NODE_RANK" ]; do sleep 0.02; done'
    await withAttempt(within({ ranks: 3, run, driverEnv: { LAUNCH_LOSES: '2' } }), async (attempt) => {
      attempt.start()
      await ready(attempt, 3)
      writeFileSync(join(attempt.base, 'lose'), '')
      for (const rank of [0, 1]) writeFileSync(join(attempt.work, `over-${rank}`), '')
      expect(await attempt.end()).toBe(137)
      const lost = attempt.events('job').filter(({ word }) => word === 'rank_lost')
      expect(lost.map(({ detail }) => detail)).toEqual([{ rank: '2', code: '137' }])
      for (const rank of [0, 1]) expect(attempt.record(rank)).toMatchObject({ code: 0, told: '0' })
      expect(attempt.reading(2)).toEqual({ kind: 'none' })
      // On its node the scheduler ends it.
      writeFileSync(join(attempt.work, 'over-2'), '')
    })
  })

  test('a launcher that hangs after its tasks is ended', async () => {
    await withAttempt(within({ ranks: 2, run: 'exit 0', graceSeconds: 0.2, driverEnv: { LAUNCH_HANGS: '1' } }), async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      for (const who of [0, 1, 'job'] as const) expect(attempt.record(who)).toMatchObject({ code: 0, told: '0' })
    })
  })

  test.each([
    ['too few', 'echo node0 10.0.0.0', 'nodes_failed'],
    ['a failure', 'echo "no such job" >&2; exit 3', 'nodes_failed'],
  ])('nodes that cannot be found out, %s: nothing is run, a record says so', async (_, nodeList, word) => {
    await withAttempt(within({ ranks: 2, run: 'echo no', allocation: { nodeList } }), async (attempt) => {
      expect(await attempt.start().end()).toBe(94)
      for (const rank of [0, 1]) expect(attempt.record(rank)).toMatchObject({ code: 94, told: '0', phase: 'setup' })
      expect(attempt.events('job').map((event) => event.word)).toContain(word)
      expect(attempt.read('logs/0.out')).toBe('')
    })
  })

  test('TERM while the nodes are asked for: told, and nothing is run', async () => {
    await withAttempt(within({ setup: 'echo no', run: 'echo no', allocation: { nodeList: 'exec sleep 60' } }), async (attempt) => {
      attempt.start()
      await until('the question', () => existsSync(join(attempt.dir, 'claim/0/found')))
      process.kill(attempt.pid, 'SIGTERM')
      expect(await attempt.end()).toBe(143)
      expect(attempt.record(0)).toMatchObject({ code: 143, told: 'term', phase: 'setup' })
      expect(attempt.read('logs/setup-0.log')).toBe('')
    })
  })

  test('a second instance: 97; a restarted one, without leave: 95; neither runs anything', async () => {
    await withAttempt(within({ run: 'echo once' }), async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      expect(await attempt.runAgain()).toBe(97)
      expect(await attempt.runAgain({ SLURM_RESTART_COUNT: '1' })).toBe(95)
      expect(attempt.read('logs/0.out')).toBe('once\n')
      expect(existsSync(`${attempt.dir}r1`)).toBe(false)
    })
  })

  test.each([1, 2])(
    '%i nodes: a start that never came to the claim is made up for by a restart, once, in the same place',
    async (ranks) => {
      await withAttempt(within({ ranks, setup: 'echo set', run: 'echo once', env: { A: 'b' } }), async (attempt) => {
        expect(await attempt.runAgain({ SLURM_RESTART_COUNT: '1' })).toBe(0)
        // The first instance, on a node that was cut off, comes late; and another restart.
        expect(await attempt.runAgain()).toBe(97)
        expect(await attempt.runAgain({ SLURM_RESTART_COUNT: '2' })).toBe(95)
        for (let rank = 0; rank < ranks; rank++) {
          expect(attempt.read(attemptPaths.stdout(rank))).toBe('once\n')
          expect(attempt.record(rank)).toMatchObject({ code: 0, told: '0' })
        }
        expect(existsSync(`${attempt.dir}r1`)).toBe(false)
      })
    },
  )

  test.each([1, 2])('a requeued attempt of %i nodes has a directory of its own, with its secrets', async (ranks) => {
    const run = 'echo "ready $A $DROVER_ATTEMPT $DROVER_ATTEMPT_DIR"; until [ -e go ]; do sleep 0.02; done'
    await withAttempt(within({ ranks, setup: 'echo set', run, env: { A: 'a b' }, allocation: { requeue: true } }), async (attempt) => {
      attempt.start()
      await ready(attempt, ranks)
      // Preempted: the secrets stay.
      process.kill(attempt.pid, 'SIGTERM')
      expect(await attempt.end()).toBe(143)
      expect(attempt.read('env')).toContain('a b')
      const again = attempt.runAgain({ SLURM_RESTART_COUNT: '1' })
      const second = (path: string): string => readFileSync(join(`${attempt.dir}r1`, path), 'utf8')
      await until('the second instance', () => existsSync(join(`${attempt.dir}r1`, 'logs/0.out')) && second('logs/0.out') !== '')
      expect(await attempt.runAgain({ SLURM_RESTART_COUNT: '1' })).toBe(97)
      writeFileSync(join(attempt.work, 'go'), '')
      expect(await again).toBe(0)
      for (let rank = 0; rank < ranks; rank++) {
        expect(second(attemptPaths.stdout(rank))).toBe(`ready a b 2 ${attempt.dir}r1\n`)
        expect(parseExitRecord(second(attemptPaths.exit(rank)))).toMatchObject({ kind: 'record', record: { code: 0, told: '0' } })
        expect(attempt.record(rank)).toMatchObject({ code: 143, told: 'term' })
      }
      expect(parseIdentity(second('claim/1/id'))).toBeDefined()
      expect(attempt.events('job').at(-1)).toMatchObject({ word: 'requeued', detail: { restart: '1' } })
      expect(existsSync(join(attempt.dir, 'env')) || existsSync(join(`${attempt.dir}r1`, 'env'))).toBe(false)
      // Its own end is proved: there is nothing to start again.
      expect(await attempt.runAgain({ SLURM_RESTART_COUNT: '2' })).toBe(95)
    })
  })

  const TASK = { variable: 'SLURM_ARRAY_TASK_ID', offset: 5, count: 3, chunk: 4 }
  const VALUES = 'abcdefghij'.split('')
  const FILE = { kind: 'values', values: VALUES, size: 10, width: 2 } as const
  const sources: Record<string, NonNullable<AttemptOptions['array']>> = {
    'lines of a file': FILE,
    'a range': { kind: 'range', start: 100, stop: 110, step: 1, size: 10, width: 2 },
    'chosen positions': { kind: 'values', values: VALUES, size: 10, width: 1, positions: [9, 1, 8, 2, 7, 3, 6, 4, 5, 0] },
  }

  test.each(Object.entries(sources))('tasks of a native array run their chunk each, %s', async (kind, array) => {
    const options = within({ setup: 'echo set', run: 'echo "$DROVER_ARRAY_INDEX $DROVER_ARRAY_VALUE $DROVER_ARRAY_COUNT"', array })
    await withAttempt({ ...options, env: { A: 'a' }, allocation: { task: TASK } }, async (attempt) => {
      const codes = await Promise.all([5, 6, 7].map((id) => attempt.runAgain({ SLURM_ARRAY_TASK_ID: `${id}` })))
      expect(codes).toEqual([0, 0, 0])
      const order = array.positions ?? VALUES.map((_, position) => position)
      for (const task of [0, 1, 2]) {
        const own = `${attemptPaths.task(task)}/`
        const lines = readdirSync(join(attempt.dir, own, 'slots')).flatMap(
          (slot) => parseSlotLines(attempt.read(`${own}slots/${slot}`)).lines,
        )
        const done = lines.flatMap((line) => (line.kind === 'result' ? [line.position] : []))
        expect(done.toSorted()).toEqual(order.slice(task * 4, task * 4 + 4).toSorted())
        expect(parseExitRecord(attempt.read(`${own}exit/job`))).toMatchObject({ record: { code: 0, told: '0' } })
        expect(attempt.read(attemptPaths.setupLog(task))).toBe('set\n')
      }
      const value = (position: number): string => (kind === 'a range' ? `${100 + position}` : (VALUES[position] ?? ''))
      for (const position of order) expect(attempt.read(`logs/${position}.out`)).toBe(`${position} ${value(position)} 10\n`)
      // Shared by all of them.
      expect(attempt.read('env')).not.toBe('')
      const bell = parseBell(readFileSync(join(attempt.base, 'bell')))
      expect(bell.garbage).toBe(0)
      expect(new Set(bell.lines.map(({ task }) => task))).toEqual(new Set([0, 1, 2]))
      expect(await attempt.runAgain({ SLURM_ARRAY_TASK_ID: '6' })).toBe(97)
      for (const id of ['', '4', '8', 'x']) expect(await attempt.runAgain({ SLURM_ARRAY_TASK_ID: id })).toBe(96)
    })
  })

  test('a requeued task runs its elements again, in a directory of the restart', async () => {
    const options = within({ setup: 'echo set', run: 'echo "$DROVER_ARRAY_VALUE"', array: FILE })
    await withAttempt({ ...options, allocation: { requeue: true, task: { ...TASK, offset: 0 } } }, async (attempt) => {
      const again = (task: number, restart: number): Promise<number> =>
        attempt.runAgain({ SLURM_ARRAY_TASK_ID: `${task}`, SLURM_RESTART_COUNT: `${restart}` })
      expect(await again(1, 0)).toBe(0)
      expect(await Promise.all([again(0, 1), again(1, 1), again(1, 1)].map((code) => code))).toEqual(expect.arrayContaining([0, 0, 97]))
      expect(attempt.read('tasks/1/events/job')).toMatch(/^\d+ requeued restart=1$/m)
      const names = readdirSync(join(`${attempt.dir}r1`, 'logs')).filter((name) => name.endsWith('.out'))
      expect(names.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((position) => `${position}.out`))
      expect(readFileSync(join(`${attempt.dir}r1`, 'logs/5.out'), 'utf8')).toBe('f\n')
      expect(
        attempt
          .read('logs/driver.log')
          .split('\n')
          .filter((line) => line !== '' && !line.includes('claimed by another')),
      ).toEqual([])
    })
  })

  test('a file system without FIFOs: another place is found for one', async () => {
    const work = 'if [ "$DROVER_NODE_RANK" = 1 ]; then exit 5; fi; sleep 60'
    await withAttempt(within({ ranks: 2, run: work }), async (attempt) => {
      mkdirSync(join(attempt.dir, 'claim/0/wake'))
      expect(await attempt.start().end()).toBe(5)
      expect(attempt.record(0)).toMatchObject({ told: 'peer' })
      expect(attempt.read('logs/driver.log')).toBe('')
      expect(existsSync(join(tmpdir(), `drover-wake.${attempt.pid}`))).toBe(false)
    })
  })

  test('a task that is told to stop leaves the others alone', async () => {
    const run = 'echo ready; until [ -e go ]; do sleep 0.02; done'
    const array = { kind: 'count', count: 2, size: 2, width: 1 } as const
    const task = { ...TASK, offset: 0, count: 2, chunk: 1 }
    await withAttempt(within({ run, array, allocation: { task }, driverEnv: { SLURM_ARRAY_TASK_ID: '0' } }), async (attempt) => {
      attempt.start()
      const other = attempt.runAgain({ SLURM_ARRAY_TASK_ID: '1' })
      await ready(attempt, 2)
      process.kill(attempt.pid, 'SIGTERM')
      expect(await attempt.end()).toBe(143)
      writeFileSync(join(attempt.work, 'go'), '')
      expect(await other).toBe(0)
      expect(parseSlotLines(attempt.read('tasks/0/slots/0')).lines).toMatchObject([{ kind: 'claim' }, { code: 143, told: 'term' }])
    })
  })

  test('always by the launcher, one node', async () => {
    await withAttempt(within({ setup: 'echo "$SLURM_PROCID"', run: 'exit 4', allocation: { always: true } }), async (attempt) => {
      expect(await attempt.start().end()).toBe(4)
      expect(attempt.read('logs/setup-0.log')).toBe('0\n')
      expect(attempt.events('job').filter(({ word }) => word === 'launch')).toHaveLength(2)
    })
  })

  test('a work directory that is not there: 125 of every rank', async () => {
    await withAttempt(within({ ranks: 2, run: 'echo no' }), async (attempt) => {
      rmSync(attempt.work, { recursive: true })
      expect(await attempt.start().end()).toBe(125)
      for (const rank of [0, 1]) expect(['0', 'peer']).toContain(attempt.record(rank).told)
    })
  })
})
