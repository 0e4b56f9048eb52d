import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createMemoryExecutor } from '../../src/workers/memory/memory-executor.ts'
import { int, worker } from '../../src/workers/sdk/index.ts'

const math = worker('math').task('half', { inputs: { n: int }, outputs: { value: int } }, ({ n }) => {
  if (n % 2 !== 0) throw new Error(`${n} is odd`)
  return { value: n / 2 }
})
const io = { signal: new AbortController().signal }
const call = { runId: 'r', loc: '-.N1', worker: 'math', task: 'half', attempt: 1 }

test('values in, values out; what a task throws is thrown', async () => {
  const executor = createMemoryExecutor({ workers: [math.inMemory()] })
  const inputs = (text: string) => new Map([['n', Buffer.from(text)]])
  expect(await executor.invoke({ ...call, inputs: inputs('8') }, io)).toEqual(new Map([['value', 4n]]))
  await expect(executor.invoke({ ...call, inputs: inputs('7') }, io)).rejects.toThrow('7 is odd')
})

test('check names what is missing, and the executor that could run an external worker', async () => {
  const registry = mkdtempSync(join(tmpdir(), 'drover-memory-'))
  try {
    mkdirSync(join(registry, 'qsim'))
    writeFileSync(join(registry, 'qsim/main.py'), '')
    writeFileSync(join(registry, 'tool'), '#!/bin/sh\n', { mode: 0o755 })
    const executor = createMemoryExecutor({ workers: [math.inMemory()], registries: [registry] })
    const half = { task: 'half', inputs: ['n'], outputs: ['value'] }
    expect(await executor.check('math', [half])).toBeUndefined()
    expect(await executor.check('math', [{ ...half, task: 'hafl' }])).toBe('worker "math" has no task "hafl". Did you mean "half"?')
    expect(await executor.check('math', [{ ...half, inputs: ['m'] }])).toBe('math.half has no input "m". It has: n.')
    expect(await executor.check('math', [{ ...half, outputs: ['x'] }])).toBe('math.half has no output "x". It has: value.')
    expect(await executor.check('qsim', [])).toMatch(/is a Python worker in .*qsim\. Assign it to a uv executor\.$/)
    expect(await executor.check('tool', [])).toMatch(/is the program .*tool\. Assign it to a shell executor\.$/)
    expect(await executor.check('maths', [])).toMatch(/no TypeScript worker of this run\. Did you mean "math"\?$/)
    expect(await executor.check('test', [])).toMatch(/There are: math\.$/)
    expect(() => createMemoryExecutor({ workers: [math.inMemory(), math.inMemory()] })).toThrow(/two workers/)
  } finally {
    rmSync(registry, { recursive: true })
  }
})
