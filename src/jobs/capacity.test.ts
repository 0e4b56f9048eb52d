import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Capacity } from './capacity.ts'
import type { Demand, WaitingJob } from './job-queue.ts'

const machine = { cpus: 8, memoryBytes: 100, gpus: [0, 1, 2, 5] }
const waiting = (id: string, demand: Partial<Demand>, more: Partial<WaitingJob> = {}): WaitingJob => ({
  id,
  priority: 0,
  createdAt: 0,
  demand: { cpus: 1, memoryBytes: 0, gpus: 0, ...demand },
  ...more,
})
function chosen(capacity: Capacity, now = 0): string[] {
  return capacity.choose(now).map((start) => start.id)
}

describe('order', () => {
  test('priority, then age, then arrival', () => {
    const capacity = new Capacity(machine)
    capacity.enqueue(waiting('young', {}, { createdAt: 5 }))
    capacity.enqueue(waiting('old', {}, { createdAt: 1 }))
    capacity.enqueue(waiting('old too', { memoryBytes: 1 }, { createdAt: 1 }))
    capacity.enqueue(waiting('urgent', { gpus: 1 }, { createdAt: 9, priority: 1 }))
    expect(chosen(capacity)).toEqual(['urgent', 'old', 'old too', 'young'])
    expect(chosen(capacity)).toEqual([])
  })

  test('nobody passes a head that waits for CPUs', () => {
    const capacity = new Capacity(machine)
    capacity.take('running', { cpus: 4, memoryBytes: 0, gpus: 0 }, [])
    capacity.enqueue(waiting('big', { cpus: 8 }))
    capacity.enqueue(waiting('small', { cpus: 1 }, { createdAt: 1 }))
    expect(chosen(capacity)).toEqual([])
    capacity.release('running')
    expect(chosen(capacity)).toEqual(['big'])
    capacity.release('big')
    expect(chosen(capacity)).toEqual(['small'])
  })

  test('a head that waits for GPUs is passed by jobs that need none and leave it its CPUs', () => {
    const capacity = new Capacity(machine)
    capacity.take('running', { cpus: 1, memoryBytes: 0, gpus: 4 }, [0, 1, 2, 5])
    capacity.enqueue(waiting('head', { cpus: 4, gpus: 2 }))
    capacity.enqueue(waiting('gpu', { gpus: 1 }, { createdAt: 1 }))
    for (const id of ['a', 'b', 'c', 'd']) capacity.enqueue(waiting(id, {}, { createdAt: 2 }))
    // 7 CPUs are free, 4 are set aside.
    expect(chosen(capacity)).toEqual(['a', 'b', 'c'])
    capacity.release('running')
    expect(chosen(capacity)).toEqual(['head', 'gpu'])
  })

  test('backoff: not before its time, and it holds nobody up', () => {
    const capacity = new Capacity(machine)
    capacity.enqueue(waiting('later', { cpus: 8 }, { notBefore: 1000, priority: 9 }))
    capacity.enqueue(waiting('now', {}))
    expect(capacity.nextWakeAt(0)).toBe(1000)
    expect(chosen(capacity, 999)).toEqual(['now'])
    capacity.release('now')
    expect(chosen(capacity, 1000)).toEqual(['later'])
    expect(capacity.nextWakeAt(1000)).toBeUndefined()
  })

  test('out of line, in line anew, and never twice', () => {
    const capacity = new Capacity(machine)
    capacity.enqueue(waiting('x', {}))
    capacity.dequeue('x')
    expect(chosen(capacity)).toEqual([])
    capacity.enqueue(waiting('x', {}))
    capacity.enqueue(waiting('x', { cpus: 2 }))
    expect(capacity.waiting).toBe(1)
    expect(chosen(capacity)).toEqual(['x'])
    expect(capacity.free.cpus).toBe(6)
    expect(capacity.enqueue(waiting('x', {}))).toBe(false)
    capacity.release('x')
    capacity.release('x')
    expect(capacity.free.cpus).toBe(8)
  })
})

describe('arrays', () => {
  test('as many elements as there is room for, at least one, at most the width', () => {
    const capacity = new Capacity(machine)
    capacity.enqueue(waiting('array', { cpus: 3, gpus: 1 }, { width: 10 }))
    expect(capacity.choose(0)).toEqual([{ id: 'array', width: 2, gpus: [0, 1] }])
    expect(capacity.free).toEqual({ cpus: 2, memoryBytes: 100, gpus: 2 })
    capacity.enqueue(waiting('narrow', { cpus: 1 }, { width: 1 }))
    expect(capacity.choose(0)).toEqual([{ id: 'narrow', width: 1, gpus: [] }])
    capacity.enqueue(waiting('no room', { cpus: 3 }, { width: 5 }))
    expect(capacity.choose(0)).toEqual([])
  })
})

test('GPUs: given back, given again, and adopted', () => {
  const capacity = new Capacity(machine)
  capacity.take('adopted', { cpus: 1, memoryBytes: 0, gpus: 1 }, [1])
  capacity.take('adopted', { cpus: 1, memoryBytes: 0, gpus: 1 }, [1])
  capacity.enqueue(waiting('a', { gpus: 3 }))
  expect(capacity.choose(0)).toEqual([{ id: 'a', width: 1, gpus: [0, 2, 5] }])
  capacity.release('adopted')
  capacity.enqueue(waiting('b', { gpus: 1 }))
  expect(capacity.choose(0)).toEqual([{ id: 'b', width: 1, gpus: [1] }])
})

test('two adopted jobs with one device: it is free when both have ended', () => {
  const capacity = new Capacity({ ...machine, gpus: [0, 1] })
  for (const id of ['a', 'b']) capacity.take(id, { cpus: 1, memoryBytes: 0, gpus: 1 }, [0])
  capacity.release('a')
  capacity.enqueue(waiting('c', { gpus: 1 }))
  expect(capacity.choose(0)).toEqual([{ id: 'c', width: 1, gpus: [1] }])
  capacity.release('b')
  capacity.enqueue(waiting('d', { gpus: 1 }))
  expect(capacity.choose(0)).toEqual([{ id: 'd', width: 1, gpus: [0] }])
})

test('fractions of CPUs add up', () => {
  const capacity = new Capacity({ ...machine, cpus: 1 })
  for (let index = 0; index < 10; index++) capacity.enqueue(waiting(`j${index}`, { cpus: 0.1 }))
  expect(chosen(capacity)).toHaveLength(10)
  const three = new Capacity({ ...machine, cpus: 0.3 })
  for (let index = 0; index < 3; index++) three.enqueue(waiting(`j${index}`, { cpus: 0.1 }))
  expect(chosen(three)).toHaveLength(3)
  const array = new Capacity({ ...machine, cpus: 0.3 })
  array.enqueue(waiting('array', { cpus: 0.1 }, { width: 5 }))
  expect(array.choose(0)).toMatchObject([{ width: 3 }])
})

test('why it waits', () => {
  const capacity = new Capacity(machine)
  capacity.take('holder', { cpus: 6, memoryBytes: 0, gpus: 3 }, [0, 1, 2])
  capacity.enqueue(waiting('first', { cpus: 4 }))
  capacity.enqueue(waiting('second', { cpus: 1, gpus: 2 }, { createdAt: 1 }))
  expect(capacity.explain('second')).toMatchObject({ before: 1, lacking: ['gpus'], heldBy: [{ id: 'holder', gpus: [0, 1, 2] }] })
  expect(capacity.explain('first')).toMatchObject({ before: 0, lacking: ['cpus'] })
  expect(capacity.explain('holder')).toBeUndefined()
})

test('never gives out more than there is, never one device twice, and gives back all', () => {
  const demand = fc.record({ cpus: fc.integer({ min: 1, max: 8 }), memoryBytes: fc.nat(100), gpus: fc.nat(4) })
  const act = fc.oneof(
    fc.record({ act: fc.constant('enqueue' as const), demand, priority: fc.nat(2), width: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ act: fc.constant('release' as const), pick: fc.nat(20) }),
  )
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const capacity = new Capacity(machine)
      for (const [index, each] of acts.entries()) {
        if (each.act === 'enqueue')
          capacity.enqueue(waiting(`j${index}`, each.demand, { priority: each.priority, width: each.width, createdAt: index }))
        else capacity.release(capacity.holdings[each.pick % Math.max(1, capacity.holdings.length)]?.id ?? '')
        capacity.choose(0)
        const given = capacity.holdings.flatMap((holding) => holding.gpus)
        expect(new Set(given).size).toBe(given.length)
        for (const amount of Object.values(capacity.free)) expect(amount).toBeGreaterThanOrEqual(0)
      }
      // With everything given back again and again, everybody has had their turn.
      for (let round = 0; capacity.waiting > 0 || capacity.holdings.length > 0; round++) {
        expect(round).toBeLessThan(200)
        for (const { id } of capacity.holdings) capacity.release(id)
        capacity.choose(0)
      }
      expect(capacity.free).toEqual({ cpus: 8, memoryBytes: 100, gpus: 4 })
    }),
  )
})

test('10 000 waiting jobs: a start looks at demands, not at jobs', () => {
  const capacity = new Capacity(machine)
  let looked = 0
  const watched = (cpus: number): Demand => ({
    get cpus() {
      looked++
      return cpus
    },
    memoryBytes: 0,
    gpus: 0,
  })
  for (let index = 0; index < 10_000; index++)
    capacity.enqueue({ id: `j${index}`, priority: index % 3, createdAt: index, demand: watched(1 + (index % 2)) })
  looked = 0
  const starts = capacity.choose(0)
  expect(starts.length).toBeGreaterThan(3)
  expect(looked).toBeLessThan(200)
})
