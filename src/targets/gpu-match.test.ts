import { expect, test } from 'vitest'
import { describeGpus, matchesGpu } from './gpu-match.ts'

const gpu = (name: string, gibibytes = 80) => ({ index: 0, name, memoryBytes: gibibytes * 2 ** 30 })

test.each([
  ['H100', 'NVIDIA H100 80GB HBM3', true],
  ['h100', 'NVIDIA H100 NVL', true],
  ['A100-80GB', 'NVIDIA A100-SXM4-80GB', true],
  ['A100-80GB', 'NVIDIA A100-SXM4-40GB', false],
  ['A10', 'NVIDIA A100-SXM4-80GB', false],
  ['L4', 'NVIDIA L40S', false],
  ['RTX4090', 'NVIDIA GeForce RTX 4090', true],
  ['GTX1080Ti', 'NVIDIA GeForce GTX 1080 Ti', true],
  ['RTX6000-Ada', 'NVIDIA RTX 6000 Ada Generation', true],
  ['V100', 'Tesla V100-SXM2-16GB', true],
  ['nvidia', 'NVIDIA L4', true],
  ['*', 'anything', true],
  ['-', 'anything', false],
])('%s is %s: %s', (gpuType, name, matches) => {
  expect(matchesGpu(gpu(name), { gpuType })).toBe(matches)
})

test('by memory', () => {
  expect(matchesGpu(gpu('NVIDIA A100', 40), { gpuType: 'nvidia', gpuMemoryBytes: 40e9 })).toBe(true)
  expect(matchesGpu(gpu('NVIDIA A100', 40), { gpuMemoryBytes: 80e9 })).toBe(false)
})

test('for a person', () => {
  expect(describeGpus([gpu('A'), gpu('B'), gpu('A')])).toBe('2 × A and 1 × B')
  expect(describeGpus([])).toBe('no GPU')
})
