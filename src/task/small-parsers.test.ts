import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseAccelerator, parseCpus, parseMemory } from './amounts.ts'
import { formatDuration, parseDuration } from './durations.ts'
import { isName, nameFromProgram } from './names.ts'
import { nearestName } from './nearest-name.ts'
import { parseSize } from './sizes.ts'

const GB = 1024 ** 3

test.each([
  ['10m', 600_000],
  ['2h', 7_200_000],
  ['1h30m', 5_400_000],
  ['45s', 45_000],
  ['500ms', 500],
  ['1.5h', 5_400_000],
  ['1d', 86_400_000],
  ['1w', 604_800_000],
  ['2H', 7_200_000],
  [90, 90_000],
  ['90', 90_000],
  [0, 0],
  [0.25, 250],
  ['', undefined],
  ['10', 10_000],
  ['-1', undefined],
  [-1, undefined],
  ['1h 30m', undefined],
  ['h', undefined],
  ['10x', undefined],
  [Number.NaN, undefined],
  [Number.POSITIVE_INFINITY, undefined],
  ['99999999999999999999w', undefined],
])('duration %j is %s ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test('a bare number counts another unit where the key says so', () => {
  expect(parseDuration('10', 60_000)).toBe(600_000)
  expect(parseDuration('10s', 60_000)).toBe(10_000)
})

test('formatted durations read back', () => {
  expect(formatDuration(5_400_000)).toBe('1h30m')
  expect(formatDuration(0)).toBe('0s')
  fc.assert(fc.property(fc.nat(), (ms) => parseDuration(formatDuration(ms)) === ms))
})

test.each([
  [4, 4 * GB],
  ['4', 4 * GB],
  ['4GB', 4 * GB],
  ['4GiB', 4 * GB],
  ['4G', 4 * GB],
  ['4gb', 4 * GB],
  ['4Gi', 4 * GB],
  ['512MB', 512 * 1024 ** 2],
  ['1.5T', 1.5 * 1024 * GB],
  ['4XB', undefined],
  ['-4', undefined],
  ['GB', undefined],
  ['', undefined],
  ['99999999P', undefined],
])('size %j is %s bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes)
})

test.each([
  ['4', { value: 4, atLeast: false }],
  ['4+', { value: 4, atLeast: true }],
  [0.5, { value: 0.5, atLeast: false }],
  ['0', undefined],
  ['+4', undefined],
  ['4++', undefined],
  ['-1', undefined],
])('cpus %j', (text, amount) => {
  expect(parseCpus(text)).toEqual(amount)
})

test.each([
  [32, { value: 32 * GB, atLeast: false }],
  ['32+', { value: 32 * GB, atLeast: true }],
  ['64GB+', { value: 64 * GB, atLeast: true }],
  ['0', undefined],
  ['32+GB', undefined],
])('memory %j', (text, amount) => {
  expect(parseMemory(text)).toEqual(amount)
})

test.each([
  ['H100', { type: 'H100', count: 1 }],
  ['H100:8', { type: 'H100', count: 8 }],
  ['V100:0.5', { type: 'V100', count: 0.5 }],
  ['A100-80GB:4', { type: 'A100-80GB', count: 4 }],
  ['tpu-v5p-8', { type: 'tpu-v5p-8', count: 1 }],
  ['80GB+', { type: '*', count: 1, minMemoryBytes: 80 * GB }],
  ['80GB+:2', { type: '*', count: 2, minMemoryBytes: 80 * GB }],
  ['NVIDIA:80GB+:2', { type: 'NVIDIA', count: 2, minMemoryBytes: 80 * GB }],
  ['H100:0', undefined],
  ['H100:x', undefined],
  ['H100:-1', undefined],
  ['H100:1:2', undefined],
  [':8', undefined],
  ['', undefined],
])('accelerator %j', (text, choice) => {
  expect(parseAccelerator(text)).toEqual(choice)
})

test.each([
  ['train', true],
  ['a.b-c_d', true],
  ['a--b', true],
  ['a---b', false],
  ['-a', false],
  ['a-', false],
  ['a b', false],
  ['', false],
  ['ä', false],
  ['a'.repeat(201), false],
])('name %j: %s', (name, valid) => {
  expect(isName(name)).toBe(valid)
})

test.each([
  ['python', 'python'],
  ['/usr/bin/my  script.sh', 'my-script.sh'],
  ['./run.sh', 'run.sh'],
  ['[', 'task'],
  ['../', 'task'],
  ['a---b', 'a-b'],
])('the name from program %j is %s', (program, name) => {
  expect(nameFromProgram(program)).toBe(name)
})

test('the name from any program is valid', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (program) => isName(nameFromProgram(program))))
})

test.each([
  ['resorces', 'resources'],
  ['num-nodes', 'num_nodes'],
  ['NAME', 'name'],
  ['nmae', 'name'],
  ['cpu', 'cpus'],
  ['zzzz', undefined],
  ['x'.repeat(100_000), undefined],
])('nearest to %s', (word, name) => {
  expect(nearestName(word, ['name', 'resources', 'num_nodes', 'cpus'])).toBe(name)
})
