import { batchCapabilities } from '../batch/batch-capabilities.ts'
import type { Capabilities } from '../capabilities.ts'

const common = batchCapabilities('a PBS cluster')

/** What PBS can do. */
export const pbsCapabilities: Capabilities = {
  ...common,
  refusedKeys: { ...common.refusedKeys, args: 'qsub hands no arguments to a script; write them into it' },
}
