import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ExitRecord, JobEventLine, RecordReading } from '../driver/protocol.ts'
import type { NativeObservation } from '../executors/executor.ts'
import { isEndState, STATES, type State } from '../task/states.ts'
import type { Evidence } from './evidence.ts'
import { reconcile } from './reconcile.ts'

const told = fc.constantFrom('0', '0', 'term', 'timeout', 'peer')
const code = fc.constantFrom(0, 0, 1, 97, 137, 143)

const reading = (rank: number): fc.Arbitrary<RecordReading> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant<RecordReading>({ kind: 'none' }) },
    { weight: 1, arbitrary: fc.constant<RecordReading>({ kind: 'unreadable', why: 'torn' }) },
    {
      weight: 4,
      arbitrary: fc
        .record({ code, told, phase: fc.constantFrom('run', 'run', 'setup'), startedAt: fc.nat(300), endedAt: fc.nat(300) })
        .map((fields) => ({ kind: 'record', record: { rank, signal: 0, ...fields } as ExitRecord }) as const),
    },
  )

const eventLine: fc.Arbitrary<JobEventLine> = fc.record({
  atSeconds: fc.nat(300),
  word: fc.constantFrom('runner', 'setup', 'script', 'told', 'script_end', 'rank_lost', 'gate', 'nonsense'),
  detail: fc.dictionary(fc.constantFrom('rank', 'pid', 'oom', 'code'), fc.constantFrom('0', '1', '', 'x', '137')),
})

const element = fc.record({ claimed: fc.boolean(), result: fc.record({ code, told, endedCs: fc.nat(3) }) }, { requiredKeys: ['claimed'] })

const evidence: fc.Arbitrary<Evidence> = fc
  .record(
    {
      driver: fc.constantFrom('ours', 'ours', 'ours', 'foreign'),
      hasSetup: fc.boolean(),
      ranks: fc
        .integer({ min: 0, max: 3 })
        .chain((count) =>
          fc.tuple(
            ...Array.from({ length: count }, (_, rank) =>
              fc
                .record({ record: reading(rank), events: fc.array(eventLine, { maxLength: 3 }) })
                .map((fields) => ({ rank, node: `n${rank}`, ...fields })),
            ),
          ),
        ),
      job: reading(-1),
      driverEvents: fc.array(eventLine, { maxLength: 3 }),
      elements: fc.array(element, { maxLength: 3 }).map((all) => all.map((each, position) => ({ position, ...each }))),
      cancelRequestedAt: fc.nat(1000),
    },
    { requiredKeys: ['driver', 'hasSetup', 'ranks', 'job', 'driverEvents'] },
  )
  .map((fields) => ({ attempt: 1, graceMs: 100, ...fields }) as Evidence)

const observation: fc.Arbitrary<NativeObservation | undefined> = fc.oneof(
  fc.constantFrom(undefined, { kind: 'missing' } as const, { kind: 'could_not_ask', reason: 'x' } as const),
  fc.record(
    {
      kind: fc.constant('state' as const),
      word: fc.string(),
      state: fc.oneof(fc.constantFrom(...STATES), fc.string() as fc.Arbitrary<State>),
      cause: fc.constantFrom('exit', 'timeout', 'nonsense'),
      exitCode: code,
    },
    { requiredKeys: ['kind', 'word', 'state'] },
  ),
)
const step = fc.record({ evidence, observation, wait: fc.constantFrom(0, 1, 50, 100, 1000) })

/** Something that can prove an end: a record of a rank, of the driver, of an element; or an end word of the target. */
function hasProof(of: Evidence, seen: NativeObservation | undefined): boolean {
  const endWord = seen?.kind === 'state' && isEndState(seen.state)
  const record = of.job.kind === 'record' || of.ranks.some((rank) => rank.record.kind === 'record')
  return endWord || record || (of.elements ?? []).some((each) => each.result !== undefined)
}

function provesSuccess(of: Evidence, seen: NativeObservation | undefined): boolean {
  if (of.elements) return of.elements.length > 0 && of.elements.every((each) => each.result?.code === 0 && each.result.told === '0')
  const ran = ({ record }: Evidence['ranks'][number]) =>
    record.kind === 'record' && record.record.code === 0 && record.record.told === '0' && record.record.phase === 'run'
  if (of.ranks.length > 0 && of.ranks.every(ran)) return true
  return of.driver === 'foreign' && seen?.kind === 'state' && seen.state === 'succeeded' && !seen.exitCode
}

describe('reconcile, on any sequence of evidence and answers', () => {
  test('never leaves an end state, never makes one without proof, never a success without every 0, and is idempotent', () => {
    const reached = new Set<State>()
    fc.assert(
      fc.property(fc.constantFrom(...STATES), fc.array(step, { maxLength: 8 }), (from, steps) => {
        let state: State = from
        let now = 1_000_000
        let finishingSince: number | undefined
        for (const { evidence: read, observation: seen, wait } of steps) {
          now += wait
          const of = finishingSince === undefined ? read : { ...read, finishingSince }
          const result = reconcile({ state, attempt: 1 }, of, seen, now)
          if (isEndState(state)) expect(result.state).toBe(state)
          else if (isEndState(result.state)) {
            expect(hasProof(of, seen)).toBe(true)
            expect(result.exitCode).toBeTypeOf('number')
            expect(result.exitCode === 0).toBe(result.state === 'succeeded')
            if (result.state !== 'succeeded') expect(result.cause?.message).toBeTruthy()
          }
          if (result.state === 'succeeded' && state !== 'succeeded') expect(provesSuccess(of, seen)).toBe(true)
          if (result.state === 'lost' && state !== 'lost') expect(seen?.kind === 'missing' || seen?.kind === 'state').toBe(true)
          if (result.wakeAt !== undefined) expect(result.wakeAt).toBeGreaterThan(now)
          expect(STATES).toContain(result.state)

          const { finishingSince: since, ...rest } = result
          const { finishingSince: _, ...without } = of
          const again = reconcile(
            { state: result.state, attempt: 1, ...(result.cause ? { cause: result.cause } : {}) },
            since === undefined ? without : { ...without, finishingSince: since },
            seen,
            now,
          )
          expect(again.state).toBe(rest.state)
          if (!isEndState(result.state)) expect(again.wakeAt).toBe(result.wakeAt)
          reached.add(result.state)
          state = result.state
          finishingSince = since
        }
      }),
      { numRuns: 3000 },
    )
    // Else the property would have looked at nothing.
    for (const state of ['succeeded', 'failed', 'cancelled', 'lost', 'finishing', 'running'] as const) expect(reached).toContain(state)
  })

  test('silence alone never ends a job, however long', () => {
    const silence = fc.constantFrom(undefined, { kind: 'missing' } as const, { kind: 'could_not_ask', reason: 'x' } as const)
    fc.assert(
      fc.property(fc.array(silence, { minLength: 1, maxLength: 20 }), fc.constantFrom(...STATES), (answers, from) => {
        let state: State = from
        let since: number | undefined
        const base = { attempt: 1, driver: 'ours', hasSetup: false, job: { kind: 'none' }, driverEvents: [], cancelRequestedAt: 1 } as const
        const none = { ...base, ranks: [{ rank: 0, node: 'n', record: { kind: 'none' }, events: [] }] } as const
        for (const [index, answer] of answers.entries()) {
          const result = reconcile(
            { state, attempt: 1 },
            since === undefined ? none : { ...none, finishingSince: since },
            answer,
            index * 1_000_000,
          )
          if (!isEndState(from)) expect(isEndState(result.state)).toBe(false)
          state = result.state
          since = result.finishingSince
        }
      }),
    )
  })
})
