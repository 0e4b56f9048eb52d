import { expect, test } from 'vitest'
import { makeCheckpoints, UNDISTURBED } from '../../../test/workers/call-fixture.ts'
import { DroverError } from '../../errors.ts'
import type { Drover } from '../../jobs/drover.ts'
import { createJobExecutor } from './job-executor.ts'

test.each([
  ['a call', ['-.N1']],
  ['calls of a map', ['-.N1.M0', '-.N1.M1']],
])('%s that waits for its job when the executor is closed rejects', async (_, locs) => {
  using checkpoints = makeCheckpoints()
  const asked = Promise.withResolvers<void>()
  const drover = {
    targets: async () => [{ name: 'there', kind: 'local', site: {}, capabilities: { arrays: 'native' } }],
    submit: async () => {
      asked.resolve()
      throw new DroverError('supervisor_unreachable', 'nobody is there', { level: 'transport', transient: true })
    },
  } as unknown as Drover
  const executor = createJobExecutor({ drover, target: 'there', command: ['true'], files: 'shared' })
  const ends = Promise.allSettled(locs.map((loc) => executor.run(checkpoints.call({ loc }), UNDISTURBED)))
  await asked.promise
  await executor.close()
  expect(await ends).toMatchObject(locs.map(() => ({ status: 'rejected', reason: { code: 'aborted' } })))
})
