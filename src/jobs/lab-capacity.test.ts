import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Demand, WaitingJob } from './job-queue.ts'
import { LabCapacity } from './lab-capacity.ts'

const gpu = (index: number, name = 'NVIDIA H100 80GB HBM3') => ({ index, name, memoryBytes: 80e9 })
const machines = [
  { node: 'a', cpus: 4, memoryBytes: 8, gpus: [gpu(0), gpu(1)] },
  { node: 'b', cpus: 4, memoryBytes: 8, gpus: [gpu(0), gpu(1)] },
  { node: 'c', cpus: 2, memoryBytes: 8, gpus: [] },
]
const job = (id: string, demand: Partial<Demand>, rest: Partial<WaitingJob> = {}): WaitingJob => ({
  id,
  priority: 0,
  createdAt: 0,
  demand: { cpus: 1, memoryBytes: 0, gpus: 0, ...demand },
  ...rest,
})
const shares = (lab: LabCapacity) =>
  lab.choose(0).map(({ id, shares: given }) => [id, given?.map(({ node, gpus, width }) => [node, gpus, width])])

describe('several machines', () => {
  test('a job of n nodes takes n machines, the first that have room', () => {
    const lab = new LabCapacity(machines)
    lab.enqueue(job('x', { nodes: 2, gpus: 1 }))
    lab.enqueue(job('y', { nodes: 2, gpus: 1 }))
    lab.enqueue(job('z', { cpus: 3 }))
    expect(shares(lab)).toEqual([
      [
        'x',
        [
          ['a', [0], 1],
          ['b', [0], 1],
        ],
      ],
      [
        'y',
        [
          ['a', [1], 1],
          ['b', [1], 1],
        ],
      ],
    ])
    lab.release('x')
    expect(shares(lab)).toEqual([['z', [['a', [], 1]]]])
    expect(lab.free).toEqual({ cpus: 5, memoryBytes: 24, gpus: 2 })
  })

  test('GPUs of the kind that is asked for alone; the others are for whoever asks for any', () => {
    const lab = new LabCapacity([
      { node: 'old', cpus: 8, memoryBytes: 8, gpus: [gpu(0, 'NVIDIA A100-SXM4-40GB'), gpu(1, 'NVIDIA A100-SXM4-40GB')] },
      { node: 'both', cpus: 8, memoryBytes: 8, gpus: [gpu(0, 'NVIDIA A100-SXM4-40GB'), gpu(1)] },
      { node: 'new', cpus: 8, memoryBytes: 8, gpus: [gpu(0), gpu(1)] },
    ])
    lab.enqueue(job('two', { gpus: 1, nodes: 2, gpuType: 'H100' }))
    lab.enqueue(job('pair', { gpus: 2, gpuType: 'H100' }))
    lab.enqueue(job('array', { cpus: 0, gpus: 1, gpuType: 'A100' }, { width: 9 }))
    expect(shares(lab)).toEqual([
      [
        'two',
        [
          ['both', [1], 1],
          ['new', [0], 1],
        ],
      ],
      [
        'array',
        [
          ['old', [0, 1], 2],
          ['both', [0], 1],
        ],
      ],
    ])
    expect(lab.explain('pair')).toMatchObject({ lacking: ['gpus'], free: { gpus: 1 } })
    lab.release('array')
    lab.enqueue(job('any', { gpus: 1 }))
    expect(shares(lab)).toEqual([['any', [['old', [0], 1]]]])
    lab.release('two')
    expect(shares(lab)).toEqual([['pair', [['new', [0, 1], 1]]]])
  })

  test('a machine that is left alone is passed over; a job that needs it waits beside the line', () => {
    const lab = new LabCapacity(machines)
    lab.leave('a', 50)
    lab.enqueue(job('three', { nodes: 3 }))
    lab.enqueue(job('one', { cpus: 3 }))
    expect(shares(lab)).toEqual([['one', [['b', [], 1]]]])
    lab.enqueue(job('two', { cpus: 4 }))
    expect(lab.nextWakeAt(0)).toBe(50)
    expect(lab.choose(49)).toEqual([])
    expect(lab.choose(50).map(({ id }) => id)).toEqual(['three'])
    lab.release('three')
    expect(lab.choose(51).map(({ id }) => id)).toEqual(['two'])
    expect(lab.nextWakeAt(60)).toBeUndefined()
  })

  test('an array is spread in turn, and is given as much as there is room for', () => {
    const lab = new LabCapacity(machines)
    lab.enqueue(job('arr', { cpus: 1 }, { width: 5 }))
    expect(shares(lab)).toEqual([
      [
        'arr',
        [
          ['a', [], 2],
          ['b', [], 2],
          ['c', [], 1],
        ],
      ],
    ])
    lab.enqueue(job('gpus', { cpus: 1, gpus: 1 }, { width: 9 }))
    expect(shares(lab)).toEqual([
      [
        'gpus',
        [
          ['a', [0, 1], 2],
          ['b', [0, 1], 2],
        ],
      ],
    ])
  })

  test('a large job is not kept waiting by small ones; they pass where it does not stand', () => {
    const lab = new LabCapacity(machines)
    lab.enqueue(job('first', { cpus: 2 }))
    expect(shares(lab)).toEqual([['first', [['a', [], 1]]]])
    lab.enqueue(job('large', { cpus: 4, nodes: 2 }))
    lab.enqueue(job('small-1', { cpus: 2 }))
    lab.enqueue(job('small-2', { cpus: 2 }))
    expect(shares(lab)).toEqual([['small-1', [['c', [], 1]]]])
    expect(lab.explain('large')).toMatchObject({ before: 0, lacking: ['cpus'] })
    lab.release('first')
    expect(shares(lab)).toEqual([
      [
        'large',
        [
          ['a', [], 1],
          ['b', [], 1],
        ],
      ],
    ])
  })

  test('what an adopted job holds is given back whole', () => {
    const lab = new LabCapacity(machines)
    const before = lab.free
    lab.take(
      'old',
      { cpus: 4, memoryBytes: 0, gpus: 4 },
      [0, 1, 0, 1],
      [
        { node: 'a', gpus: [0, 1], width: 2 },
        { node: 'b', gpus: [0, 1], width: 2 },
      ],
    )
    expect(lab.free).toEqual({ cpus: 6, memoryBytes: 24, gpus: 0 })
    lab.release('old')
    lab.release('old')
    expect(lab.free).toEqual(before)
  })

  test('no machine is ever overdrawn, and everything comes back', () => {
    const demand = fc.record({
      cpus: fc.integer({ min: 1, max: 4 }),
      gpus: fc.integer({ min: 0, max: 2 }),
      nodes: fc.integer({ min: 1, max: 2 }),
      width: fc.integer({ min: 1, max: 6 }),
    })
    fc.assert(
      fc.property(fc.array(fc.record({ demand, release: fc.boolean() }), { maxLength: 30 }), (steps) => {
        const lab = new LabCapacity(machines)
        const running: string[] = []
        for (const [
          index,
          {
            demand: { width, ...asked },
            release,
          },
        ] of steps.entries()) {
          lab.enqueue(job(`j${index}`, { memoryBytes: 0, ...asked }, { width: asked.nodes > 1 ? 1 : width, createdAt: index }))
          running.push(...lab.choose(0).map((start) => start.id))
          expect(lab.free.cpus).toBeGreaterThanOrEqual(0)
          const first = release ? running.shift() : undefined
          if (first !== undefined) lab.release(first)
        }
        for (const id of running) lab.release(id)
        for (let index = 0; index < steps.length; index++) lab.dequeue(`j${index}`)
        expect(lab.free).toEqual({ cpus: 10, memoryBytes: 24, gpus: 4 })
      }),
    )
  })
})
