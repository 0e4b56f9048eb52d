import type { Capabilities } from '../capabilities.ts'
import { localCapabilities } from '../local/local-capabilities.ts'

const { remote_script: _, args: __, options: ___, ...refusedByAll } = localCapabilities.refusedKeys

/** What PJM can do. Arrays are bulk jobs; longer ones than the site's largest are split. */
export const pjmCapabilities: Capabilities = {
  maxNodes: Number.POSITIVE_INFINITY,
  arrays: 'native',
  maxArraySize: 1_000_000,
  // Only sub-jobs of one step job know of each other.
  dependencies: 'supervisor',
  gate: 'launch',
  timeLimit: 'runner',
  capacity: 'scheduler',
  strongFiles: false,
  staging: 'submit',
  queries: { perMinute: 4, burst: 4 },
  containers: true,
  gpus: true,
  refusedKeys: Object.fromEntries(
    Object.entries(refusedByAll).map(([key, reason]) => [key, reason.replaceAll('this machine', 'a PJM machine')]),
  ),
}
