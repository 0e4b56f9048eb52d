import { DroverError } from '../../errors.ts'
import { type OptionRefusal, optionPlaceText } from '../../targets/parse-config.ts'
import { DURATION_FORMS, parseDuration } from '../../task/durations.ts'
import { parseSshNode, refuseSshNode, type SshNode } from './ssh-node.ts'

/** Options of an `ssh` target. */
export interface SshOptions {
  /** In rank order; the first is the head. At least one. */
  readonly nodes: readonly SshNode[]
  /** True: all nodes see one home (the target's root). Undefined: found out when the target is opened. */
  readonly sharedHome?: boolean
  /** Path of an ssh configuration file read in place of the user's (`ssh -F`), absolute or `~/…`. */
  readonly sshConfig?: string
  /** Further settings, each as `ssh -o` takes it: `ServerAliveInterval=5`. */
  readonly sshOptions: readonly string[]
  /** Most sessions at one time over one connection (sshd's `MaxSessions`, 10 by default there), at least 2; absent: 4. */
  readonly maxSessions?: number
  /** How long a job waits in line for nodes that do not answer at its start, ms; absent: it fails at once. */
  readonly waitForNodesMs?: number
}

/** The options as a configuration file names them. */
export const sshOptionNames = ['nodes', 'shared_home', 'ssh_config', 'ssh_options', 'max_sessions', 'wait_for_nodes'] as const

/** Options without which there is no target. */
export const sshRequiredOptions = ['nodes'] as const

const SSH_OPTION = /^[A-Za-z][A-Za-z0-9]*[ =][^\0\n\r]+$/
/** Settings on which Drover's own way with ssh rests: no hidden prompt, one connection for all, unknown keys refused. */
const OWN_SETTINGS = [
  'BatchMode',
  'ControlMaster',
  'ControlPath',
  'ControlPersist',
  'ForkAfterAuthentication',
  'RemoteCommand',
  'RequestTTY',
  'SessionType',
  'StdinNull',
  'StrictHostKeyChecking',
]

const outer = (must: string): OptionRefusal => ({ path: [], must })

function refuseNodes(value: unknown): OptionRefusal | undefined {
  if (!Array.isArray(value) || value.length === 0) return outer('a list of hosts, at least one: [gpu1, {host: gpu2, gpus: 4}]')
  const entries: readonly unknown[] = value
  const seen = new Map<string, number>()
  for (const [index, entry] of entries.entries()) {
    const refused = refuseSshNode(entry)
    if (refused !== undefined) return { path: [index, ...refused.path], must: refused.must }
    const { name } = parseSshNode(entry)
    const before = seen.get(name)
    if (before !== undefined)
      return {
        path: [index],
        must: `another node: "${name}" is the ${before + 1}. already; where one machine is meant twice, give each a name`,
      }
    seen.set(name, index)
  }
  return undefined
}

function refuseSettings(value: unknown): OptionRefusal | undefined {
  if (!Array.isArray(value)) return outer('a list of settings as ssh -o takes them: ["ServerAliveInterval=5"]')
  for (const [index, entry] of (value as readonly unknown[]).entries()) {
    if (typeof entry !== 'string' || !SSH_OPTION.test(entry)) return { path: [index], must: 'a setting as ssh -o takes it: Key=value' }
    const own = OWN_SETTINGS.find((name) => name.toLowerCase() === entry.split(/[ =]/)[0]?.toLowerCase())
    if (own !== undefined) return { path: [index], must: `left out: Drover sets ${own} itself` }
  }
  return undefined
}

const durationOf = (value: unknown): number | undefined =>
  typeof value === 'number' || typeof value === 'string' ? parseDuration(value) : undefined

/** What is wrong with an option, and where inside it; undefined for a value that may be used. */
export function refuseSshOption(name: string, value: unknown): OptionRefusal | undefined {
  switch (name) {
    case 'nodes':
      return refuseNodes(value)
    case 'shared_home':
      return typeof value === 'boolean' ? undefined : outer('true or false')
    case 'ssh_config':
      return typeof value === 'string' && /^(\/|~\/)[^\0\n\r]*$/.test(value) ? undefined : outer('a path, absolute or beginning with ~/')
    case 'ssh_options':
      return refuseSettings(value)
    case 'max_sessions':
      return typeof value === 'number' && Number.isInteger(value) && value >= 2 && value <= 1000
        ? undefined
        : outer('a number from 2 to 1000: one session tells of changes, the others run what takes time')
    case 'wait_for_nodes':
      return durationOf(value) === undefined ? outer(`a duration: ${DURATION_FORMS}`) : undefined
    default:
      return outer(`one of the options ${sshOptionNames.join(', ')}`)
  }
}

/** Reads the options of a target; throws `invalid_config` naming the option, and that nodes are missing. */
export function parseSshOptions(options: Readonly<Record<string, unknown>>): SshOptions {
  for (const [name, value] of Object.entries({ nodes: undefined, ...options })) {
    const refused = refuseSshOption(name, value)
    if (refused !== undefined)
      throw new DroverError('invalid_config', `option ${optionPlaceText(name, refused.path)} must be ${refused.must}`, {
        level: 'config',
        ...(name === 'nodes' && value === undefined ? { hint: 'Name its hosts: drover target edit NAME --node user@host' } : {}),
      })
  }
  const { shared_home: sharedHome, ssh_config: sshConfig, max_sessions: maxSessions } = options
  const waitForNodesMs = durationOf(options['wait_for_nodes'])
  return {
    nodes: (options['nodes'] as readonly unknown[]).map(parseSshNode),
    ...(typeof sharedHome === 'boolean' ? { sharedHome } : {}),
    ...(typeof sshConfig === 'string' ? { sshConfig } : {}),
    sshOptions: (options['ssh_options'] as readonly string[] | undefined) ?? [],
    ...(typeof maxSessions === 'number' ? { maxSessions } : {}),
    ...(waitForNodesMs === undefined ? {} : { waitForNodesMs }),
  }
}
