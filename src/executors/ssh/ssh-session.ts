import { existsSync } from 'node:fs'
import { InputError } from '../../errors.ts'
import type { Target } from '../../targets/target.ts'
import { compileAddress, loginSocket } from '../../transports/ssh-options.ts'
import { sshAddresses } from './ssh-addresses.ts'

/**
 * Arguments of ssh up to the host, for a session of a person's own on a node: questions are allowed, an unknown host key is
 * refused as everywhere. The connection that `target login` left is used while it is there.
 * Throws `unknown_target` for a node that the target does not have.
 */
export function sshSessionArguments(
  target: Target,
  node: string,
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const found = sshAddresses(target, environment).find((each) => each.node.name === node)
  if (found === undefined) throw new InputError('unknown_target', `target "${target.name}" has no node "${node}"`)
  const { address } = found
  const socket = loginSocket(address)
  const manners = [
    'StrictHostKeyChecking=yes',
    'ConnectTimeout=15',
    'ServerAliveInterval=5',
    'ServerAliveCountMax=6',
    'RemoteCommand=none',
    'PermitLocalCommand=no',
  ]
  return [
    ...manners.flatMap((option) => ['-o', option]),
    ...(existsSync(socket) ? ['-o', 'ControlMaster=no', '-o', `ControlPath=${socket.replaceAll('%', '%%')}`] : []),
    ...compileAddress(address),
    '--',
    address.host,
  ]
}
