import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Target } from '../../targets/target.ts'
import type { SshOptions as SshAddress } from '../../transports/ssh-options.ts'
import type { SshNode } from './ssh-node.ts'
import { parseSshOptions } from './ssh-options.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** How each node of a target is reached, in rank order. Throws `invalid_config` as `parseSshOptions`. */
export function sshAddresses(
  target: Target,
  environment: Environment,
): readonly { readonly node: SshNode; readonly address: SshAddress }[] {
  const { nodes, sshConfig, sshOptions, maxSessions } = parseSshOptions(target.options)
  return nodes.map((node) => {
    const { host, user, port, identityFile, proxyJump } = node
    return {
      node,
      address: {
        host,
        target: target.name,
        options: sshOptions,
        ...(maxSessions === undefined ? {} : { maxSessions }),
        ...(user === undefined ? {} : { user }),
        ...(port === undefined ? {} : { port }),
        ...(identityFile === undefined ? {} : { identityFile: atHome(identityFile, environment) }),
        ...(proxyJump === undefined ? {} : { proxyJump }),
        ...(sshConfig === undefined ? {} : { configFile: atHome(sshConfig, environment) }),
      },
    }
  })
}

/** ssh expands `~/` in a key's path, but not after `-F`. */
function atHome(path: string, environment: Environment): string {
  return path.startsWith('~/') ? join(environment['HOME'] || homedir(), path.slice(2)) : path
}
