import type { Capabilities } from '../capabilities.ts'
import { sshCapabilities } from '../ssh/ssh-capabilities.ts'

/** What the nodes of a held cluster can do: as machines without a scheduler, with one file system. */
export const clusterCapabilities: Capabilities = {
  ...sshCapabilities,
  gate: 'launch',
  strongFiles: false,
  staging: 'before',
  refusedKeys: {
    ...Object.fromEntries(
      Object.entries(sshCapabilities.refusedKeys).map(([key, reason]) => [
        key,
        reason.replaceAll('a machine reached by SSH', 'a held cluster'),
      ]),
    ),
    options: 'the nodes are held already; options belong to drover cluster up',
    remote_script: 'a script with directives is submitted to a scheduler: use --on; here, name its path in run',
  },
}
