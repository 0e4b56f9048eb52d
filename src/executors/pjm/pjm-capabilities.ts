import { batchCapabilities } from '../batch/batch-capabilities.ts'
import type { Capabilities } from '../capabilities.ts'

/** What PJM can do. Arrays are bulk jobs; only sub-jobs of one step job know of each other. */
export const pjmCapabilities: Capabilities = { ...batchCapabilities('a PJM machine'), dependencies: 'supervisor' }
