import type { Capabilities } from '../capabilities.ts'
import { localCapabilities } from '../local/local-capabilities.ts'

const foreign = (reason: string): string => reason.replaceAll('this machine', 'a machine reached by SSH')

/** What machines without a scheduler can do together. What one of them refuses, all refuse. */
export const sshCapabilities: Capabilities = {
  ...localCapabilities,
  maxNodes: Number.POSITIVE_INFINITY,
  gate: 'supervisor',
  strongFiles: false,
  refusedKeys: Object.fromEntries(Object.entries(localCapabilities.refusedKeys).map(([key, reason]) => [key, foreign(reason)])),
}
