import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createStdInOutExecutor } from '../../src/workers/stdinout/stdinout-executor.ts'
import type { FileExecutor } from '../../src/workflow/calls/worker-call.ts'
import { type Checkpoints, makeCheckpoints, UNDISTURBED } from './call-fixture.ts'

let place: Checkpoints
let executor: FileExecutor

beforeEach(() => {
  place = makeCheckpoints()
  mkdirSync(join(place.root, 'registry'))
  executor = createStdInOutExecutor({ registries: [join(place.root, 'registry')] })
})
afterEach(async () => {
  await executor.close()
  place[Symbol.dispose]()
})

function script(name: string, text: string): void {
  const path = join(place.root, 'registry', name)
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o755)
}

test('stdin is the input, stdout the output, to the byte', async () => {
  script('upper', 'tr a-z A-Z')
  const call = place.call({ worker: 'upper', inputs: { text: 'no line break at the end' } })
  expect(await executor.run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
  expect(readFileSync(join(call.directory, 'outputs/value'), 'utf8')).toBe('NO LINE BREAK AT THE END')
  expect(existsSync(join(call.directory, '_done'))).toBe(true)
  expect(existsSync(join(place.root, 'run-1/logs'))).toBe(false)
})

test('a failed program leaves no half output', async () => {
  script('half', 'echo half; echo broken >&2; exit 1')
  const call = place.call({ worker: 'half', inputs: { text: '' } })
  expect(await executor.run(call, UNDISTURBED)).toMatchObject({ outcome: 'failed', message: 'broken' })
  expect(existsSync(join(call.directory, 'outputs/value'))).toBe(false)
})

test('nothing to read: stdin is empty; an input that is not there fails the call', async () => {
  script('count', 'wc -c | tr -d " "')
  const call = place.call({ worker: 'count' })
  expect(await executor.run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
  expect(readFileSync(join(call.directory, 'outputs/value'), 'utf8')).toBe('0\n')
  const missing = { ...call, args: { ...call.args, inputs: { text: 'run-1/-.N9/outputs/text' } } }
  expect(await executor.run(missing, UNDISTURBED)).toMatchObject({ cause: 'start', message: expect.stringContaining('input file') })
})

test('more ports are refused by name', async () => {
  script('upper', '')
  expect(await executor.check('upper', [{ task: 'run', inputs: ['a'], outputs: ['value'] }])).toBeUndefined()
  expect(await executor.check('upper', [{ task: 'run', inputs: ['a', 'b'], outputs: ['value'] }])).toBe(
    'upper.run can\'t be run by the stdinout executor: one input port can be its stdin, and it has 2: "a", "b". Assign it to a shell executor.',
  )
  expect(await executor.check('upper', [{ task: 'run', inputs: [], outputs: ['x', 'y'] }])).toMatch(/takes its stdout, and it has "x", "y"/)
  expect(await executor.run(place.call({ worker: 'upper', outputs: ['x', 'y'] }), UNDISTURBED)).toMatchObject({ cause: 'start' })
})
