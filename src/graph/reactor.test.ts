import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findCycle } from './find-cycle.ts'
import { type EdgeCondition, type GraphAction, GraphReactor, type NodeOutcome, type NodeRecord } from './reactor.ts'

const CONDITIONS = ['ok', 'any', 'failed'] as const
const OUTCOMES = ['ok', 'failed', 'cancelled'] as const

/** Compact form: `+a` released, `-a<b` skipped because of b, `xa` cancelled. */
function brief(actions: readonly GraphAction[]): string[] {
  return actions.map((action) =>
    action.type === 'release' ? `+${action.node}` : action.reason === 'cancelled' ? `x${action.node}` : `-${action.node}<${action.because}`,
  )
}

const waitsFor = (upstream: string, condition: EdgeCondition = 'ok') => ({ upstream, condition })
const ended = (node: string, outcome: NodeOutcome = 'ok') => ({ type: 'node_ended', node, outcome }) as const

describe('one edge', () => {
  test.each([
    ['ok', 'ok', '+b'],
    ['ok', 'failed', '-b<a'],
    ['ok', 'cancelled', '-b<a'],
    ['any', 'ok', '+b'],
    ['any', 'failed', '+b'],
    ['any', 'cancelled', '+b'],
    ['failed', 'ok', '-b<a'],
    ['failed', 'failed', '+b'],
    ['failed', 'cancelled', '-b<a'],
  ] as const)('%s, upstream ended %s: %s', (condition, outcome, expected) => {
    const reactor = new GraphReactor()
    expect(brief(reactor.addNode('a', []))).toEqual(['+a'])
    expect(reactor.addNode('b', [waitsFor('a', condition)])).toEqual([])
    expect(brief(reactor.apply(ended('a', outcome)))).toEqual([expected])
    expect(brief(reactor.addNode('late', [waitsFor('a', condition)]))).toEqual([expected.replace('b', 'late')])
  })
})

test('a skip counts as a failure further down', () => {
  const reactor = new GraphReactor()
  reactor.addNode('a', [])
  reactor.addNode('b', [waitsFor('a')])
  reactor.addNode('c', [waitsFor('b')])
  reactor.addNode('d', [waitsFor('b', 'failed')])
  reactor.addNode('e', [waitsFor('b', 'any'), waitsFor('a', 'any')])
  expect(brief(reactor.apply(ended('a', 'failed')))).toEqual(['-b<a', '-c<b', '+d', '+e'])
})

test('a condition that cannot hold skips without waiting for the others', () => {
  const reactor = new GraphReactor()
  for (const id of ['a', 'b']) reactor.addNode(id, [])
  reactor.addNode('c', [waitsFor('a'), waitsFor('b')])
  expect(brief(reactor.apply(ended('b', 'failed')))).toEqual(['-c<b'])
  expect(reactor.apply(ended('a'))).toEqual([])
})

test('lost opens nothing; evidence later does', () => {
  const reactor = new GraphReactor()
  reactor.addNode('a', [])
  reactor.addNode('b', [waitsFor('a', 'any')])
  expect(reactor.apply({ type: 'node_lost', node: 'a' })).toEqual([])
  expect(reactor.status('a')).toBe('lost')
  expect(brief(reactor.apply(ended('a', 'failed')))).toEqual(['+b'])
})

test('an end told twice acts once, and the first outcome stays', () => {
  const reactor = new GraphReactor()
  reactor.addNode('a', [])
  reactor.addNode('b', [waitsFor('a')])
  expect(brief(reactor.apply(ended('a', 'ok')))).toEqual(['+b'])
  expect(reactor.apply(ended('a', 'failed'))).toEqual([])
  expect(reactor.apply({ type: 'node_lost', node: 'a' })).toEqual([])
  expect(reactor.status('a')).toBe('ok')
})

test('an upstream may come later than the node that waits for it', () => {
  const reactor = new GraphReactor()
  expect(reactor.apply({ type: 'node_added', node: 'b', upstreams: [waitsFor('a')] })).toEqual([])
  expect(reactor.has('a')).toBe(false)
  expect(brief(reactor.addNode('a', []))).toEqual(['+a'])
  expect(brief(reactor.apply(ended('a')))).toEqual(['+b'])
})

test('a removed node is forgotten; who waited for it waits until it is there again', () => {
  const reactor = new GraphReactor()
  reactor.addNode('a', [])
  reactor.addNode('b', [waitsFor('a')])
  reactor.removeNode('a')
  expect(reactor.has('a')).toBe(false)
  expect(() => reactor.apply(ended('a'))).toThrow('not in the graph')
  expect(brief(reactor.addNode('a', []))).toEqual(['+a'])
  expect(() => reactor.addNode('a', [])).toThrow('already')
  expect(brief(reactor.apply(ended('a')))).toEqual(['+b'])
  for (const id of ['a', 'b']) reactor.removeNode(id)
  expect(reactor.records()).toEqual([])
})

test("cancel skips what has not been released, once; the released ones are the caller's", () => {
  const reactor = new GraphReactor({ maxRunning: { k: 1 } })
  reactor.addNode('a', [], { key: 'k' })
  reactor.addNode('queued', [], { key: 'k' })
  reactor.addNode('b', [waitsFor('a')])
  reactor.addNode('c', [waitsFor('b', 'any')])
  reactor.addNode('d', [waitsFor('b', 'any')])
  expect(brief(reactor.apply({ type: 'cancel', nodes: ['b', 'c', 'b'] }))).toEqual(['xb', 'xc', '+d'])
  expect(brief(reactor.apply({ type: 'cancel' }))).toEqual(['xqueued'])
  expect(reactor.apply(ended('a', 'cancelled'))).toEqual([])
})

test('a limit holds by key, first come first served; a lost node gives its place back', () => {
  const reactor = new GraphReactor({ maxRunning: { k: 2 } })
  const added = ['a', 'b', 'c', 'd', 'e'].flatMap((id) => brief(reactor.addNode(id, [], { key: 'k' })))
  expect(added).toEqual(['+a', '+b'])
  expect(brief(reactor.addNode('free', []))).toEqual(['+free'])
  expect(reactor.status('c')).toBe('ready')
  expect(reactor.apply(ended('c', 'cancelled'))).toEqual([])
  expect(brief(reactor.apply({ type: 'node_lost', node: 'a' }))).toEqual(['+d'])
  expect(reactor.apply(ended('a'))).toEqual([])
  expect(brief(reactor.removeNode('b'))).toEqual(['+e'])
  expect(() => new GraphReactor({ maxRunning: { k: 0 } })).toThrow(RangeError)
})

test('restored after a crash between an end and the release it opened', () => {
  const records: NodeRecord[] = [
    { node: 'a', upstreams: [], status: 'ok' },
    { node: 'b', upstreams: [waitsFor('a')], status: 'waiting' },
    { node: 'c', upstreams: [waitsFor('a', 'failed')], status: 'waiting' },
    { node: 'd', upstreams: [waitsFor('c')], status: 'waiting' },
    { node: 'e', upstreams: [waitsFor('f')], status: 'waiting' },
    { node: 'f', upstreams: [waitsFor('a')], status: 'released' },
  ]
  const { reactor, actions } = GraphReactor.restore(records)
  expect(brief(actions)).toEqual(['+b', '-c<a', '-d<c'])
  expect(brief(reactor.apply(ended('f')))).toEqual(['+e'])
})

interface PlannedNode {
  readonly id: string
  readonly upstreams: readonly { upstream: string; condition: EdgeCondition }[]
  readonly key: string | undefined
}

/** Acyclic graphs, their nodes in any order. */
const graphs: fc.Arbitrary<readonly PlannedNode[]> = fc.integer({ min: 1, max: 12 }).chain((size) => {
  const nodes = Array.from({ length: size }, (_, n) =>
    fc.record({
      id: fc.constant(`n${n}`),
      key: fc.constantFrom('k', 'm', undefined),
      upstreams: fc.array(
        fc.record({ upstream: fc.nat(Math.max(0, n - 1)).map((m) => `n${m}`), condition: fc.constantFrom(...CONDITIONS) }),
        { maxLength: n === 0 ? 0 : 4 },
      ),
    }),
  )
  return fc.tuple(...nodes).chain((made) => fc.shuffledSubarray(made, { minLength: size, maxLength: size }))
})

test('generated graphs: once each, never early, never above the limit, and all come to an outcome', () => {
  fc.assert(
    fc.property(graphs, fc.array(fc.nat(999), { minLength: 60, maxLength: 60 }), (plan, dice) => {
      const limits = { k: 1, m: 2 }
      let reactor = new GraphReactor({ maxRunning: limits })
      const byId = new Map(plan.map((node) => [node.id, node]))
      const outcome = new Map<string, NodeOutcome>()
      const running = new Set<string>()
      const holds = (id: string) =>
        byId
          .get(id)!
          .upstreams.every(
            ({ upstream, condition }) => outcome.has(upstream) && (condition === 'any' || condition === outcome.get(upstream)),
          )
      const take = (actions: readonly GraphAction[]) => {
        for (const action of actions) {
          const { node } = action
          expect(outcome.has(node) || running.has(node)).toBe(false)
          if (action.type === 'release') {
            expect(holds(node)).toBe(true)
            running.add(node)
          } else {
            const edges = byId.get(node)!.upstreams.filter((edge) => edge.upstream === action.because)
            expect(edges.some((edge) => edge.condition !== 'any' && edge.condition !== outcome.get(edge.upstream))).toBe(true)
            outcome.set(node, 'failed')
          }
        }
        for (const [key, limit] of Object.entries(limits)) {
          expect([...running].filter((id) => byId.get(id)!.key === key).length).toBeLessThanOrEqual(limit)
        }
      }
      for (const { id, upstreams, key } of plan) take(reactor.addNode(id, upstreams, key === undefined ? {} : { key }))
      for (let turn = 0; running.size > 0; turn++) {
        const die = dice[turn % dice.length]!
        if (die % 5 === 0) {
          const restored = GraphReactor.restore(JSON.parse(JSON.stringify(reactor.records())), { maxRunning: limits })
          expect(restored.actions).toEqual([])
          reactor = restored.reactor
        }
        const node = [...running][die % running.size]!
        running.delete(node)
        if (die % 7 === 0) take(reactor.apply({ type: 'node_lost', node }))
        const how = OUTCOMES[die % 3]!
        outcome.set(node, how)
        take(reactor.apply(ended(node, how)))
      }
      expect(outcome.size).toBe(plan.length)
    }),
    { numRuns: 500 },
  )
})

test('100,000 nodes: an event costs what its node has dependents', () => {
  const reactor = new GraphReactor()
  const size = 100_000
  reactor.addNode('n0', [])
  for (let n = 1; n < size; n++) reactor.addNode(`n${n}`, [waitsFor(`n${n - 1}`, 'any')])
  const start = performance.now()
  for (let n = 0; n < size - 1; n++) expect(reactor.apply(ended(`n${n}`)).length === 1).toBe(true)
  expect(performance.now() - start).toBeLessThan(5_000)
})

test('a chain of 100,000 is skipped at once, without overflowing the stack', () => {
  const reactor = new GraphReactor()
  reactor.addNode('n0', [])
  for (let n = 1; n < 100_000; n++) reactor.addNode(`n${n}`, [waitsFor(`n${n - 1}`)])
  expect(reactor.apply(ended('n0', 'failed'))).toHaveLength(99_999)
})

describe('findCycle', () => {
  const edges = (text: string) => text.split(' ').map((edge) => ({ node: edge[0]!, upstream: edge[1]! }))
  test.each([
    ['ab bc ac', undefined],
    ['ab bc ca', ['a', 'b', 'c']],
    ['aa', ['a']],
    ['ab bd cd dc', ['d', 'c']],
    ['ab ac bd cd', undefined],
  ])('%s', (text, expected) => {
    expect(findCycle(edges(text))).toEqual(expected)
  })

  test('long chains and their closing edge', () => {
    const chain = Array.from({ length: 50_000 }, (_, n) => ({ node: `n${n}`, upstream: `n${n + 1}` }))
    expect(findCycle(chain)).toBeUndefined()
    expect(findCycle([...chain, { node: 'n50000', upstream: 'n0' }])).toHaveLength(50_001)
  })
})
