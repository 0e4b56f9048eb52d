import type { OptionRefusal } from '../../targets/parse-config.ts'
import type { Target } from '../../targets/target.ts'
import type { SshOptions } from '../../transports/ssh-options.ts'
import { sshAddresses } from '../ssh/ssh-addresses.ts'
import { refuseSshOption } from '../ssh/ssh-options.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Options that say how the login node is reached: `login` as one of the nodes of an ssh target, absent where it is this machine. */
export const loginOptionNames = ['login', 'ssh_config', 'ssh_options', 'max_sessions'] as const

/** What is wrong with an option of the login node; undefined for a value that may be used. */
export function refuseLoginOption(name: string, value: unknown): string | OptionRefusal | undefined {
  if (name !== 'login') return refuseSshOption(name, value)
  const refused = refuseSshOption('nodes', [value])
  return refused === undefined ? undefined : { path: refused.path.slice(1), must: refused.must }
}

/** The target as an ssh target of its login node alone; undefined: it is this machine. */
export function loginTarget(target: Target): Target | undefined {
  const { login, ssh_config, ssh_options, max_sessions } = target.options
  if (login === undefined) return undefined
  const written = { nodes: [login], ssh_config, ssh_options, max_sessions }
  return { ...target, options: Object.fromEntries(Object.entries(written).filter(([, value]) => value !== undefined)) }
}

/** How the login node is reached; undefined: it is this machine. */
export function loginNode(target: Target, environment: Environment): SshOptions | undefined {
  const login = loginTarget(target)
  return login === undefined ? undefined : sshAddresses(login, environment)[0]?.address
}
