import { isIPv6 } from 'node:net'
import type { OptionRefusal } from '../../targets/parse-config.ts'
import { nearestName } from '../../task/nearest-name.ts'
import { parseSize, SIZE_FORMS } from '../../task/sizes.ts'

/** One machine of an `ssh` target. What is absent is left to the user's ssh configuration, or to what is found there. */
export interface SshNode {
  /** Unique in the target; default: `host`. */
  readonly name: string
  /** What ssh is given: a name, an alias of the ssh configuration, an IPv4 or IPv6 address (without brackets). */
  readonly host: string
  readonly user?: string
  readonly port?: number
  /** Path of the private key, absolute or `~/…`. */
  readonly identityFile?: string
  /** As `ssh -J` takes it: `[user@]host[:port]`, several joined by commas; `none`: no jump. */
  readonly proxyJump?: string
  /** How many GPUs jobs may take, or which (device indices); absent: all that are found. */
  readonly gpus?: number | readonly number[]
  /** What they are, as tasks ask for them (`H100`), where `nvidia-smi` does not say so; absent: as it names them. */
  readonly gpuType?: string
  /** Cores jobs may take; absent: all that are found. */
  readonly cpus?: number
  /** Bytes; absent: all of the machine. */
  readonly memoryBytes?: number
  /** Address at which the other nodes reach it; absent: `host`. */
  readonly privateIp?: string
}

/** Keys of a node, as a configuration file names them. */
export const sshNodeKeys = ['host', 'name', 'user', 'port', 'identity_file', 'proxy_jump', 'gpus', 'cpus', 'memory', 'private_ip'] as const

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
const isIndices = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every(isCount) && new Set(value).size === value.length
/** `H100:4`, or `{H100: 4}`: a kind of device, and how many. */
function typedGpus(value: unknown): { readonly gpuType: string; readonly gpus: number } | undefined {
  const [, named, number] = typeof value === 'string' ? (/^([A-Za-z][\w. -]*):(\d+)$/.exec(value) ?? []) : []
  const [entry, ...more] = isRecord(value) ? Object.entries(value) : []
  const [gpuType, gpus] = entry !== undefined && more.length === 0 ? entry : [named, Number(number)]
  return gpuType !== undefined && /^[A-Za-z][\w. -]*$/.test(gpuType) && isCount(gpus) ? { gpuType, gpus } : undefined
}
/** No word of ours may be an option or a second word to ssh, nor hold what ssh expands (`%`) or a shell reads. */
const HOST = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$/
const USER = /^[A-Za-z0-9_][A-Za-z0-9_.@\\+$-]{0,254}$/
const NODE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$/
const ADDRESS = /^[A-Za-z0-9_:][A-Za-z0-9_.:%-]{0,254}$/
const PATH = /^(\/|~\/)[^\0\n\r]*$/

const isHost = (value: unknown): value is string => typeof value === 'string' && (HOST.test(value) || isIPv6(value))

function memoryOf(value: unknown): number | undefined {
  const bytes = typeof value === 'number' || typeof value === 'string' ? parseSize(value) : undefined
  return bytes === undefined || bytes <= 0 ? undefined : bytes
}

/** `[user@]host[:port]`, `[2001:db8::1]:22` or a URI `ssh://…`; several joined by commas. */
const JUMP = /^(?:ssh:\/\/)?(?:[A-Za-z0-9_][\w.@+-]*@)?(?:[A-Za-z0-9_][\w.-]*|\[[0-9A-Fa-f:.]+(?:%\w+)?\])(?::\d{1,5})?\/?$/

const KEYS: Readonly<Record<(typeof sshNodeKeys)[number], readonly [must: string, holds: (value: unknown) => boolean]>> = {
  host: ['a host name, an alias of your ssh configuration or an IP address', isHost],
  name: ['a name of letters, digits, "_", "." and "-", at most 63', (value) => typeof value === 'string' && NODE_NAME.test(value)],
  user: ['the name of an account there', (value) => typeof value === 'string' && USER.test(value)],
  port: ['a port from 1 to 65535', (value) => isCount(value) && value >= 1 && value <= 65_535],
  identity_file: ['the path of a private key, absolute or beginning with ~/', (value) => typeof value === 'string' && PATH.test(value)],
  proxy_jump: [
    'hosts as ssh -J takes them: [user@]host[:port], joined by commas',
    (value) => typeof value === 'string' && value.split(',').every((jump) => JUMP.test(jump)),
  ],
  gpus: [
    'a number of GPUs, a list of device indices, or one kind and its number: H100:4',
    (value) => isCount(value) || isIndices(value) || typedGpus(value) !== undefined,
  ],
  cpus: ['a number above 0', (value) => typeof value === 'number' && Number.isFinite(value) && value > 0],
  memory: [`above 0: ${SIZE_FORMS}`, (value) => memoryOf(value) !== undefined],
  private_ip: ['the address (or name) at which the other nodes reach it', (value) => typeof value === 'string' && ADDRESS.test(value)],
}

/** What is wrong with one entry of `nodes`; undefined for one that may be used. */
export function refuseSshNode(value: unknown): OptionRefusal | undefined {
  if (typeof value === 'string') return isHost(value) ? undefined : { path: [], must: KEYS.host[0] }
  if (!isRecord(value)) return { path: [], must: 'a host name, or a mapping with host' }
  for (const [key, inner] of Object.entries(value)) {
    const known = sshNodeKeys.find((name) => name === key)
    if (known === undefined) {
      const near = nearestName(key, sshNodeKeys)
      return { path: [key], must: near === undefined ? `left out: keys of a node are ${sshNodeKeys.join(', ')}` : `written "${near}"` }
    }
    const [must, holds] = KEYS[known]
    if (!holds(inner)) return { path: [key], must }
  }
  return value['host'] === undefined ? { path: [], must: 'a mapping with host' } : undefined
}

/** Reads one entry of `nodes` that `refuseSshNode` lets pass. */
export function parseSshNode(value: unknown): SshNode {
  const written: Readonly<Record<string, unknown>> = isRecord(value) ? value : { host: value }
  const text = (key: string): string | undefined => (typeof written[key] === 'string' ? written[key] : undefined)
  const host = text('host') ?? ''
  const [user, identityFile, proxyJump, privateIp] = [text('user'), text('identity_file'), text('proxy_jump'), text('private_ip')]
  const { port, gpus, cpus } = written
  const memoryBytes = memoryOf(written['memory'])
  return {
    name: text('name') ?? host,
    host,
    ...(user === undefined ? {} : { user }),
    ...(isCount(port) ? { port } : {}),
    ...(identityFile === undefined ? {} : { identityFile }),
    ...(proxyJump === undefined ? {} : { proxyJump }),
    ...(isCount(gpus) || isIndices(gpus) ? { gpus } : typedGpus(gpus)),
    ...(typeof cpus === 'number' ? { cpus } : {}),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(privateIp === undefined ? {} : { privateIp }),
  }
}
