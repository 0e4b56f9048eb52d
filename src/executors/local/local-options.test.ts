import { describe, expect, test } from 'vitest'
import { DroverError } from '../../errors.ts'
import { parseMemory } from '../../task/amounts.ts'
import type { SiteFacts } from '../executor.ts'
import { capSite, parseLocalOptions, refuseLocalOption } from './local-options.ts'

const GB = 1024 ** 3
const gpu = (index: number) => ({ index, name: `g${index}`, memoryBytes: GB })
const site: SiteFacts = {
  readAt: 0,
  hostname: 'n1',
  bootId: 'b',
  cpus: 8,
  memoryBytes: 64 * GB,
  gpus: [gpu(0), gpu(1), gpu(3)],
  tools: {},
  processGroups: 'setsid',
  root: '/r',
  user: 'u',
}

test.each([4, '4', '4GB', '4GiB', '4096MB', '0.5'])('memory %s means what it means in a task', (memory) => {
  expect(parseLocalOptions({ memory }).memoryBytes).toBe(parseMemory(memory)?.value)
})

test.each<[string, unknown]>([
  ['cpus', 0],
  ['cpus', '2'],
  ['cpus', null],
  ['cpus', Number.POSITIVE_INFINITY],
  ['memory', 0],
  ['memory', 'lots'],
  ['memory', -1],
  ['memory', true],
  ['gpus', -1],
  ['gpus', 1.5],
  ['gpus', ['0']],
  ['gpus', 'all'],
])('%s: %j is refused by name', (name, value) => {
  expect(refuseLocalOption(name, value)).toBeTypeOf('string')
  expect(() => parseLocalOptions({ [name]: value })).toThrow(DroverError)
  expect(() => parseLocalOptions({ [name]: value })).toThrow(`option ${name} must be`)
})

describe('what jobs may take', () => {
  const capped = (options: Readonly<Record<string, unknown>>, limits = {}) => {
    const { cpus, memoryBytes, gpus } = capSite(site, parseLocalOptions(options), limits)
    return [cpus, memoryBytes / GB, gpus.map(({ index }) => index)]
  }
  test.each([
    ['all of the machine', {}, {}, [8, 64, [0, 1, 3]]],
    ['what the options say', { cpus: 2, memory: '4GB', gpus: [1, 3, 9] }, {}, [2, 4, [1, 3]]],
    ['a number of GPUs', { gpus: 2 }, {}, [8, 64, [0, 1]]],
    ['no GPU', { gpus: 0 }, {}, [8, 64, []]],
    ['more cores than there are, shared', { cpus: 16 }, {}, [16, 64, [0, 1, 3]]],
    ['the limits', {}, { cpus: 4, memory: 8 * GB, gpus: 1 }, [4, 8, [0]]],
    ['the limits over the options', { cpus: 16, memory: '32GB', gpus: [1, 3] }, { cpus: 4, memory: 8 * GB, gpus: 1 }, [4, 8, [1]]],
    ['the options below the limits', { cpus: 1, memory: 1, gpus: [] }, { cpus: 4, memory: 8 * GB, gpus: 1 }, [1, 1, []]],
  ])('%s', (_name, options, limits, expected) => {
    expect(capped(options, limits)).toEqual(expected)
  })
})
