import { describe, expect, test } from 'vitest'
import type { NativeObservation } from '../executors/executor.ts'
import type { State } from '../task/states.ts'
import { CANCEL, COULD_NOT_ASK, event, evidence, GRACE, job, MISSING, NOW, reading, withEvents, word } from './evidence.fixture.ts'
import type { Evidence } from './evidence.ts'
import { type ReconcileJob, reconcile } from './reconcile.ts'

interface Row {
  readonly name: string
  readonly job?: ReconcileJob
  readonly evidence: Evidence
  readonly observation?: NativeObservation | undefined
  readonly now?: number
  readonly expect: Record<string, unknown>
}

const OK = {}
const TERM = { told: 'term', code: 143 } as const
const waiting = { state: 'finishing', finishingSince: NOW, wakeAt: NOW + GRACE }
const graceOver = { job: job('finishing'), now: NOW + GRACE }
const since = { finishingSince: NOW }

const EVERY_ANSWER = {
  'nobody asked': undefined,
  'could not ask': COULD_NOT_ASK,
  missing: MISSING,
  'a live word': word('running'),
  'a success word': word('succeeded'),
  'a failure word': word('failed', { cause: 'node_failure' }),
  'a cancel word': word('cancelled'),
} as const

const TABLE: readonly Row[] = [
  ...Object.entries(EVERY_ANSWER).flatMap(([answer, observation]): Row[] => [
    {
      name: `row 1: all records, none told to stop, ${answer}: succeeded at once`,
      evidence: evidence([OK, OK]),
      observation,
      expect: { state: 'succeeded', exitCode: 0, startedAt: 100_000, endedAt: 200_000, proof: { rule: 'all records' } },
    },
    {
      name: `row 1: all records, one not 0, ${answer}: failed at once`,
      evidence: evidence([OK, { code: 3 }], CANCEL),
      observation,
      expect: { state: 'failed', exitCode: 3, cause: { kind: 'exit', rank: 1, code: 3 }, proof: { rule: 'all records' } },
    },
    {
      name: `row 2: all records, some told to stop, our cancel, ${answer}: cancelled whatever the code`,
      evidence: evidence([OK, { told: 'term', code: 0 }], { ...CANCEL, cancelBy: 'fail_fast' }),
      observation,
      expect: { state: 'cancelled', cause: { kind: 'cancelled', by: 'fail_fast' } },
    },
    {
      name: `unreadable, ${answer}: unchanged and a warning`,
      evidence: evidence([OK, 'unreadable']),
      observation,
      expect: { state: 'running', warnings: [expect.stringContaining('rank 1')], proof: { rule: 'unreadable record' } },
    },
  ]),
  ...(['timeout', 'out_of_memory', 'preempted', 'node_failure'] as const).map(
    (cause): Row => ({
      name: `row 3: all records, some told to stop, end word ${cause}: that cause, codes beside`,
      evidence: evidence([OK, TERM]),
      observation: word('failed', { cause, word: 'NATIVE' }),
      expect: {
        state: 'failed',
        cause: { kind: cause, code: 143, rank: 1 },
        nativeWord: 'NATIVE',
        proof: { rule: 'told to stop, end word' },
      },
    }),
  ),
  {
    name: 'row 3: all records, some told to stop, end word cancelled without a cancel of ours',
    evidence: evidence([TERM]),
    observation: word('cancelled'),
    expect: { state: 'cancelled', cause: { kind: 'cancelled', by: undefined, message: expect.stringContaining('on the target') } },
  },
  {
    name: 'row 3: all records, some told to stop, a success word explains nothing: the records with cause signal',
    evidence: evidence([{ told: 'term', code: 0 }]),
    observation: word('succeeded'),
    expect: { state: 'failed', exitCode: 143, cause: { kind: 'signal', signal: 15, code: 0 } },
  },
  ...([undefined, COULD_NOT_ASK, MISSING, word('running')] as const).flatMap((observation): Row[] => [
    {
      name: `row 4: told to stop, ${observation?.kind ?? 'not asked'}: finishing`,
      evidence: evidence([TERM]),
      observation,
      expect: waiting,
    },
    {
      name: `row 4: told to stop, ${observation?.kind ?? 'not asked'}, a moment before the grace ends: finishing`,
      ...graceOver,
      now: NOW + GRACE - 1,
      evidence: evidence([TERM], since),
      observation,
      expect: waiting,
    },
    {
      name: `row 4: told to stop, ${observation?.kind ?? 'not asked'}, after the grace: cause signal`,
      ...graceOver,
      evidence: evidence([TERM, OK], since),
      observation,
      expect: {
        state: 'failed',
        exitCode: 143,
        cause: { kind: 'signal', signal: 15, rank: 0 },
        finishingSince: undefined,
        wakeAt: undefined,
      },
    },
  ]),
  ...(['queued', 'suspended', 'finishing'] as const).map(
    (state): Row => ({
      name: `row 5: some records, live word ${state}: that state`,
      evidence: evidence([OK, 'none']),
      observation: word(state, { reason: 'Resources' }),
      expect: { state, reason: 'Resources', finishingSince: undefined, wakeAt: undefined },
    }),
  ),
  ...(['timeout', 'out_of_memory', 'preempted', 'node_failure'] as const).map(
    (cause): Row => ({
      name: `row 6: some records, end word ${cause}: that cause, ranks without record named`,
      evidence: evidence([OK, 'none', 'none']),
      observation: word('failed', { cause }),
      expect: { state: 'failed', cause: { kind: cause, message: expect.stringContaining('no record of ranks 1, 2') } },
    }),
  ),
  {
    name: 'row 6: none, end word cancelled, our cancel',
    evidence: evidence(['none'], CANCEL),
    observation: word('cancelled'),
    expect: { state: 'cancelled', exitCode: 143, cause: { by: 'user' } },
  },
  {
    name: 'row 6: a bare failure word is made precise by the records there are',
    evidence: evidence([{ code: 9 }, 'none']),
    observation: word('failed', { exitCode: 1 }),
    expect: {
      state: 'failed',
      exitCode: 9,
      cause: { kind: 'exit', code: 9, rank: 0, message: expect.stringContaining('no record of rank 1') },
    },
  },
  {
    name: 'row 6: a failure word with the signal of our own cancel: cancelled',
    evidence: evidence(['none'], CANCEL),
    observation: word('failed', { exitCode: 143 }),
    expect: { state: 'cancelled' },
  },
  {
    name: 'row 6: our cancel does not hide another cause',
    evidence: evidence(['none'], CANCEL),
    observation: word('failed', { cause: 'node_failure' }),
    expect: { state: 'failed', cause: { kind: 'node_failure' } },
  },
  {
    name: 'row 6: nor one that ended it by KILL',
    evidence: evidence(['none'], CANCEL),
    observation: word('failed', { cause: 'out_of_memory', exitCode: 137 }),
    expect: { state: 'failed', cause: { kind: 'out_of_memory' } },
  },
  {
    name: 'row 6: a bare failure word beside a time limit on record is a timeout',
    evidence: evidence([{ told: 'timeout', code: 143 }, 'none']),
    observation: word('failed', { exitCode: 143 }),
    expect: { state: 'failed', exitCode: 124, cause: { kind: 'timeout', rank: 0 } },
  },
  {
    name: 'row 7: foreign script, success word',
    evidence: evidence(['none'], { driver: 'foreign' }),
    observation: word('succeeded', { exitCode: 0 }),
    expect: { state: 'succeeded', exitCode: 0, proof: { rule: 'end word of a foreign script' } },
  },
  {
    name: 'row 7: foreign script, failure word with its code',
    evidence: evidence(['none'], { driver: 'foreign' }),
    observation: word('failed', { exitCode: 7 }),
    expect: { state: 'failed', exitCode: 7, cause: { kind: 'exit', code: 7 } },
  },
  {
    name: 'row 7: foreign script, a success word beside a failing code is no success',
    evidence: evidence(['none'], { driver: 'foreign' }),
    observation: word('succeeded', { exitCode: 2 }),
    expect: { state: 'failed', exitCode: 2 },
  },
  ...([word('succeeded', { exitCode: 0 }), MISSING] as const).flatMap((observation): Row[] => [
    {
      name: `rows 8, 9: our driver, ${observation.kind}, no record: finishing`,
      evidence: evidence(['none']),
      observation,
      expect: waiting,
    },
    {
      name: `rows 8, 9: our driver, ${observation.kind}, some records: finishing`,
      evidence: evidence([OK, 'none']),
      observation,
      expect: waiting,
    },
    {
      name: `rows 8, 9: our driver, ${observation.kind}, a moment before the grace ends: finishing`,
      ...graceOver,
      now: NOW + GRACE - 1,
      evidence: evidence(['none'], since),
      observation,
      expect: waiting,
    },
    {
      name: `rows 8, 9: our driver, ${observation.kind}, after the grace: lost`,
      ...graceOver,
      evidence: evidence(['none'], since),
      observation,
      expect: { state: 'lost', exitCode: 125, cause: { kind: 'unknown' }, endedAt: undefined, wakeAt: undefined },
    },
  ]),
  {
    name: 'row 9: a known failure of one rank does not end a job whose others nobody knows of',
    ...graceOver,
    evidence: evidence([{ code: 3 }, 'none'], since),
    observation: MISSING,
    expect: { state: 'lost' },
  },
  {
    name: 'row 9: foreign script, missing after the grace: lost',
    ...graceOver,
    evidence: evidence(['none'], { ...since, driver: 'foreign' }),
    observation: MISSING,
    expect: { state: 'lost' },
  },
  {
    name: 'the executor may give a shorter grace',
    evidence: evidence(['none'], { graceMs: 500 }),
    observation: MISSING,
    expect: { state: 'finishing', wakeAt: NOW + 500 },
  },
  ...(['created', 'staging', 'submitting', 'queued', 'starting', 'running', 'finishing', 'suspended', 'lost'] as const).flatMap(
    (state): Row[] => [
      {
        name: `row 10: could not ask, ${state}: unchanged`,
        job: job(state),
        evidence: evidence(['none']),
        observation: COULD_NOT_ASK,
        expect: { state },
      },
      { name: `nobody asked, ${state}: unchanged`, job: job(state), evidence: evidence(['none']), expect: { state } },
    ],
  ),
  {
    name: 'row 10: could not ask long after the grace began: unchanged, and no timer for a moment that has passed',
    ...graceOver,
    evidence: evidence(['none'], since),
    observation: COULD_NOT_ASK,
    expect: { state: 'finishing', finishingSince: NOW, wakeAt: undefined },
  },
  ...(['created', 'staging', 'submitting'] as const).map(
    (state): Row => ({
      name: `${state} and missing: it was not submitted yet`,
      job: job(state),
      evidence: evidence(['none']),
      observation: MISSING,
      expect: { state },
    }),
  ),
  {
    name: 'an unreadable record of the driver keeps the state while ranks are open',
    evidence: evidence([OK, 'none'], { job: { kind: 'unreadable', why: 'torn' } }),
    observation: word('failed'),
    expect: { state: 'running', warnings: [expect.stringContaining('driver')] },
  },
  {
    name: 'an unreadable record of the driver is only a warning when all ranks have theirs',
    evidence: evidence([OK], { job: { kind: 'unreadable', why: 'torn' } }),
    expect: { state: 'succeeded', warnings: [expect.stringContaining('driver')] },
  },
  {
    name: 'a record of another rank in the place of one decides nothing',
    evidence: { ...evidence([OK]), ranks: [{ rank: 0, node: 'n', events: [], record: reading(1, OK) }] },
    expect: { state: 'running', warnings: [expect.stringContaining('rank 1')] },
  },
  {
    name: 'evidence of another attempt decides nothing',
    job: job('running', { attempt: 2 }),
    evidence: evidence([OK]),
    expect: { state: 'running', ranks: [], warnings: [expect.stringContaining('attempt 1')] },
  },
  { name: 'no ranks at all are no success', evidence: evidence([]), observation: word('running'), expect: { state: 'running' } },
  {
    name: 'the end of a duplicate (97) is not the end of the job',
    evidence: evidence(['none']),
    observation: word('failed', { exitCode: 97 }),
    expect: waiting,
  },
  {
    name: 'a script that ends with 97 by itself is believed',
    evidence: evidence([{ code: 97 }, 'none']),
    observation: word('failed', { exitCode: 97 }),
    expect: { state: 'failed', exitCode: 97 },
  },
  {
    name: 'an unknown word keeps the live state and shows itself',
    job: job('queued'),
    evidence: evidence(['none']),
    observation: { kind: 'state', word: 'RESV_DEL_HOLD', state: 'resv' as State },
    expect: { state: 'queued', nativeWord: 'RESV_DEL_HOLD', warnings: [expect.stringContaining('RESV_DEL_HOLD')] },
  },
]

function decide(row: Row) {
  return reconcile(row.job ?? job(), row.evidence, row.observation, row.now ?? NOW)
}

describe('the Proof table', () => {
  test.each(TABLE.map((row) => [row.name, row] as const))('%s', (_, row) => {
    const result = decide(row)
    const { cause, proof, ...rest } = row.expect as { cause?: object; proof?: object }
    const shown = Object.fromEntries(Object.keys(rest).map((key) => [key, result[key as keyof typeof result]]))
    expect(shown).toMatchObject(rest)
    if (cause !== undefined) expect({ by: undefined, ...result.cause }).toMatchObject(cause)
    if (proof !== undefined) expect(result.proof).toMatchObject(proof)
    expect(() => JSON.stringify(result.proof)).not.toThrow()
  })
})

describe('causes', () => {
  const cause = (of: Evidence, observation?: NativeObservation) => reconcile(job(), of, observation, NOW).cause

  test('the first failing rank in time is named, ties go to the one told nothing, then to the lowest rank', () => {
    expect(
      cause(
        evidence([
          { code: 1, endedAt: 300 },
          { code: 2, endedAt: 250 },
        ]),
      ),
    ).toMatchObject({ rank: 1, code: 2 })
    expect(
      cause(
        evidence([
          { told: 'timeout', code: 143, endedAt: 250 },
          { code: 2, endedAt: 250 },
        ]),
      ),
    ).toMatchObject({ rank: 1, kind: 'exit' })
    expect(cause(evidence([OK, { code: 5 }, { code: 4 }]))).toMatchObject({ rank: 1, code: 5 })
  })

  test('a rank told to stop because of a peer is never the cause, however early', () => {
    const result = reconcile(
      job(),
      evidence([
        { told: 'peer', code: 143, endedAt: 150 },
        { code: 5, endedAt: 200 },
      ]),
      undefined,
      NOW,
    )
    expect(result).toMatchObject({ state: 'failed', exitCode: 5, cause: { kind: 'exit', rank: 1 } })
    expect(result.ranks.map((rank) => rank.killedByPeer ?? false)).toEqual([true, false])
  })

  test('all ranks told to stop because of a peer, and no failing one: never a success', () => {
    expect(cause(evidence([OK, { told: 'peer', code: 0 }]))).toMatchObject({ kind: 'driver', rank: 1 })
  })

  test('a rank counts from when it was told to stop, not from when it gave in', () => {
    const both = evidence([
      { told: 'timeout', code: 137, endedAt: 210 },
      { code: 1, endedAt: 205 },
    ])
    expect(cause(both)).toMatchObject({ kind: 'exit', rank: 1 })
    expect(cause(withEvents(both, 0, [event('told', 200, { why: 'timeout' })]))).toMatchObject({ kind: 'timeout', rank: 0 })
  })

  test('told by the time limit: timeout, whatever the code and without waiting for a word', () => {
    const result = reconcile(job(), evidence([{ told: 'timeout', code: 0 }]), undefined, NOW)
    expect(result).toMatchObject({ state: 'failed', exitCode: 124, cause: { kind: 'timeout' } })
    expect(cause(evidence([{ told: 'timeout', code: 143 }], CANCEL))).toMatchObject({ kind: 'timeout' })
  })

  test('137 with the mark of the out-of-memory killer; without it a signal', () => {
    const killed = evidence([{ code: 137 }])
    expect(cause(withEvents(killed, 0, [event('script_end', 200, { code: '137', oom: '1' })]))).toMatchObject({
      kind: 'out_of_memory',
      code: 137,
    })
    expect(cause(withEvents(killed, 0, [event('script_end', 200, { code: '137', oom: '0' })]))).toMatchObject({ kind: 'signal', signal: 9 })
    expect(cause(withEvents(killed, 0, [event('script_end', 200, { code: '137', oom: '' })]))).toMatchObject({ kind: 'signal', signal: 9 })
    expect(cause(killed)).toMatchObject({ kind: 'signal', signal: 9 })
    const other = withEvents(evidence([{ code: 1 }]), 0, [event('script_end', 200, { code: '1', oom: '1' })])
    expect(cause(other)).toMatchObject({ kind: 'exit', code: 1, message: expect.stringContaining('lack of memory') })
  })

  test('setup: every code is told, and ranks whose run never began have not succeeded', () => {
    const result = reconcile(job('starting'), evidence([{ phase: 'setup' }, { phase: 'setup', code: 9 }]), undefined, NOW)
    expect(result).toMatchObject({ state: 'failed', exitCode: 9, cause: { kind: 'setup', rank: 1, code: 9 } })
    expect(result.cause?.message).toContain('0: 0, 1: 9')
    expect(result.ranks.map((rank) => rank.state)).toEqual(['cancelled', 'failed'])
    expect(cause(evidence([{ phase: 'setup' }]))).toMatchObject({ kind: 'driver' })
  })

  test('a runner that died without record fails the job once the driver has ended, and not before', () => {
    const lost = { driverEvents: [event('rank_lost', 180, { rank: '1', code: '137' })] }
    const ended = { ...lost, job: reading(-1, { code: 1 }) }
    expect(reconcile(job(), evidence([OK, 'none'], lost), word('running'), NOW).state).toBe('running')
    const result = reconcile(job(), evidence([{ told: 'peer', code: 143 }, 'none'], ended), word('running'), NOW)
    expect(result).toMatchObject({ state: 'failed', exitCode: 125, cause: { kind: 'driver', rank: 1 } })
    expect(result.cause?.code).toBeUndefined()
    expect(result.ranks[1]?.state).toBe('lost')
  })

  test('a rank that says itself that its code proves nothing makes a success unknown, and no failure', () => {
    const unproven = (of: Evidence): Evidence => withEvents(of, 0, [event('no_proof', 190)])
    const lost = reconcile(job(), unproven(evidence([{ code: 70 }, OK])), word('running'), NOW)
    expect(lost).toMatchObject({ state: 'lost', cause: { kind: 'unknown', rank: 0 }, proof: { rule: 'all records' } })
    expect(lost.ranks.map((rank) => [rank.state, rank.exitCode])).toEqual([
      ['lost', undefined],
      ['succeeded', 0],
    ])
    const failed = unproven(evidence([{ code: 70 }, { code: 3, endedAt: 999 }]))
    expect(cause(failed)).toMatchObject({ kind: 'exit', rank: 1, code: 3 })
    // Without a code, or told to stop, the event says nothing.
    expect(reconcile(job(), unproven(evidence([OK])), undefined, NOW).state).toBe('succeeded')
    expect(reconcile(job(), unproven(evidence([TERM], CANCEL)), undefined, NOW).state).toBe('cancelled')
  })

  test('an earlier failure of another rank is the cause, not the runner that was lost after it', () => {
    const ended = { driverEvents: [event('rank_lost', 180, { rank: '1' })], job: reading(-1, { code: 1 }) }
    expect(cause(evidence([{ code: 4, endedAt: 170 }, 'none'], ended))).toMatchObject({ kind: 'exit', rank: 0 })
    expect(cause(evidence([{ code: 4, endedAt: 190 }, 'none'], ended))).toMatchObject({ kind: 'driver', rank: 1 })
  })
})

describe("the driver's own record, where ranks have none", () => {
  test.each([
    ['its failure is proof after the grace', { code: 1 }, {}, { state: 'failed', cause: { kind: 'driver', rank: 1 } }],
    ['its 0 is not: the records it speaks of are gone', { code: 0 }, {}, { state: 'lost' }],
    ['its time limit', { code: 143, told: 'timeout' }, {}, { state: 'failed', cause: { kind: 'timeout' } }],
    ['TERM from somebody else', { code: 143, told: 'term' }, {}, { state: 'failed', cause: { kind: 'signal', signal: 15 } }],
    ['TERM by our cancel', { code: 143, told: 'term' }, CANCEL, { state: 'cancelled' }],
    ['our cancel that came too late', { code: 1 }, CANCEL, { state: 'failed', cause: { kind: 'driver' } }],
  ] as const)('%s', (_, driver, more, expected) => {
    const began = (of: Partial<Evidence>) =>
      withEvents(evidence([OK, 'none'], { ...of, ...more, job: reading(-1, driver) }), 1, [event('runner')])
    expect(reconcile(job(), began({}), MISSING, NOW)).toMatchObject(waiting)
    expect(reconcile(job('finishing'), began(since), MISSING, NOW + GRACE)).toMatchObject(expected)
  })

  test('0 and a target that cannot be asked: unchanged for ever, for lost needs an answer', () => {
    const of = evidence(['none'], { ...since, job: reading(-1, {}) })
    expect(reconcile(job('finishing'), of, COULD_NOT_ASK, NOW + 10 * GRACE).state).toBe('finishing')
  })

  test('cancelled before any rank began: at once', () => {
    const of = evidence(['none'], { ...CANCEL, job: reading(-1, { code: 143, told: 'term' }) })
    expect(reconcile(job('starting'), of, undefined, NOW)).toMatchObject({
      state: 'cancelled',
      proof: { rule: 'runner lost, driver ended' },
    })
  })

  test('a live word beside it: finishing, without a grace that could run out', () => {
    const of = evidence(['none'], { job: reading(-1, { code: 1 }) })
    const result = reconcile(job(), of, word('running'), NOW)
    expect(result.state).toBe('finishing')
    expect(result.wakeAt).toBeUndefined()
  })
})

test('an end never stands before its beginning', () => {
  const result = reconcile(job('running', { startedAt: 999_000_000 }), evidence([{ startedAt: 0, endedAt: 200 }]), undefined, NOW)
  expect(result).toMatchObject({ startedAt: 999_000_000, endedAt: 999_000_000 })
})
