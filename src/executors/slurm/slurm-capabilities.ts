import { batchCapabilities } from '../batch/batch-capabilities.ts'
import type { Capabilities } from '../capabilities.ts'

/** What Slurm can do. */
export const slurmCapabilities: Capabilities = { ...batchCapabilities('a Slurm cluster'), launchesContainers: true }
