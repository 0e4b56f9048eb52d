import type { Capabilities } from '../capabilities.ts'
import { localCapabilities } from '../local/local-capabilities.ts'

const { remote_script: _, args: __, options: ___, ...refusedByAll } = localCapabilities.refusedKeys

/**
 * What every batch system can do together with our driver. `place`: how a refusal calls it (`a Slurm cluster`). Longer arrays
 * than the site's largest are split.
 */
export function batchCapabilities(place: string): Capabilities {
  return {
    maxNodes: Number.POSITIVE_INFINITY,
    arrays: 'native',
    maxArraySize: 1_000_000,
    dependencies: 'native',
    gate: 'launch',
    timeLimit: 'runner',
    capacity: 'scheduler',
    strongFiles: false,
    staging: 'submit',
    queries: { perMinute: 4, burst: 4 },
    containers: true,
    gpus: true,
    refusedKeys: Object.fromEntries(Object.entries(refusedByAll).map(([key, reason]) => [key, reason.replaceAll('this machine', place)])),
  }
}
