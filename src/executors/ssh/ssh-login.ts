import type { LoginStep } from '../../targets/login-step.ts'
import type { Target } from '../../targets/target.ts'
import { compileControl, compileLogin, controlDirectory, loginSocket } from '../../transports/ssh-options.ts'
import { sshAddresses } from './ssh-addresses.ts'

/** One step per connection: nodes that are reached in the same way share it. */
export function sshLoginSteps(target: Target, environment: Readonly<Record<string, string | undefined>>): readonly LoginStep[] {
  const steps = new Map<string, LoginStep>()
  for (const { node, address } of sshAddresses(target, environment)) {
    const socket = loginSocket(address)
    if (steps.has(socket)) continue
    steps.set(socket, {
      node: node.name,
      directory: controlDirectory(address),
      socket,
      open: ['ssh', ...compileLogin(address)],
      check: ['ssh', ...compileControl(address, socket, 'check')],
      close: ['ssh', ...compileControl(address, socket, 'exit')],
    })
  }
  return [...steps.values()]
}
