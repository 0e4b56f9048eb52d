import { expect, test } from 'vitest'
import { type Cause, FAILURE_KINDS, STATES, type State } from '../task/states.ts'
import { exitCodeOf, jobExit, signalOfCode } from './exit-code.ts'

const cause = (kind: Cause['kind'], more: Partial<Cause> = {}): Cause => ({ kind, message: 'm', ...more })

test.each([
  ['succeeded', undefined, 0, 'task'],
  ['failed', cause('exit', { code: 3 }), 3, 'task'],
  ['failed', cause('exit', { code: 125 }), 125, 'task'],
  ['failed', cause('exit'), 1, 'task'],
  ['failed', cause('setup', { code: 9 }), 9, 'task'],
  ['failed', cause('signal', { code: 139, signal: 11 }), 139, 'task'],
  ['failed', cause('signal', { signal: 9 }), 137, 'task'],
  ['failed', cause('signal', { code: 0, signal: 15 }), 143, 'task'],
  ['failed', cause('signal'), 143, 'task'],
  ['failed', cause('out_of_memory', { code: 137 }), 137, 'task'],
  ['failed', cause('out_of_memory'), 137, 'task'],
  ['failed', cause('timeout', { code: 0 }), 124, 'drover'],
  ['failed', cause('timeout', { code: 143 }), 124, 'drover'],
  ['failed', cause('node_failure'), 125, 'drover'],
  ['failed', cause('preempted', { code: 143 }), 143, 'task'],
  ['failed', cause('rejected'), 125, 'drover'],
  ['failed', cause('dependency'), 125, 'drover'],
  ['failed', cause('image'), 125, 'drover'],
  ['failed', cause('staging'), 125, 'drover'],
  ['failed', cause('driver', { code: 7 }), 125, 'drover'],
  ['failed', undefined, 125, 'drover'],
  ['cancelled', cause('cancelled', { by: 'user' }), 143, 'task'],
  ['cancelled', cause('cancelled', { code: 0 }), 143, 'task'],
  ['cancelled', cause('cancelled', { code: 9 }), 9, 'task'],
  ['lost', cause('unknown'), 125, 'drover'],
] as const)('%s %o exits with %i, of %s', (state, why, code, whose) => {
  expect(jobExit(state, why)).toEqual({ code, whose })
  expect(exitCodeOf(state, why)).toBe(code)
})

test('only a success exits with 0, and only a settled job exits', () => {
  const settled: readonly State[] = ['succeeded', 'failed', 'cancelled', 'lost']
  for (const state of STATES) {
    for (const kind of [...FAILURE_KINDS, 'cancelled', 'unknown'] as const) {
      for (const code of [undefined, 0, 1, 256, -1]) {
        const exit = exitCodeOf(state, cause(kind, code === undefined ? {} : { code }))
        expect(exit !== undefined).toBe(settled.includes(state))
        expect(exit === 0).toBe(state === 'succeeded')
        if (exit !== undefined) expect(exit >= 0 && exit <= 255).toBe(true)
      }
    }
  }
})

test('codes that stand for a signal', () => {
  expect([128, 129, 143, 192, 193].map(signalOfCode)).toEqual([undefined, 1, 15, 64, undefined])
})
