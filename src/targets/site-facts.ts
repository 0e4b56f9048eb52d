import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DroverError } from '../errors.ts'

/** Facts about a target, read once and cached with their age. */
export interface SiteFacts {
  readonly readAt: number
  readonly hostname: string
  readonly bootId: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly gpus: readonly { readonly index: number; readonly name: string; readonly memoryBytes: number }[]
  /** Absolute paths of tools found on the target: sh, bash, setsid, perl, nvidia-smi, rsync… */
  readonly tools: Readonly<Record<string, string>>
  /** How process groups are made there. */
  readonly processGroups: 'setsid' | 'perl' | 'bash' | 'none'
  /** Target directory of bundles and jobs; absolute. */
  readonly root: string
  readonly user: string
  /** Of a target of several nodes: the facts of each, in order of rank. Those above are the head's then. */
  readonly nodes?: readonly NodeFacts[]
  /** True when all nodes see one file system below `root`. */
  readonly sharedHome?: boolean
  /** Of a target with a scheduler. Those above are the login node's then. */
  readonly scheduler?: SchedulerFacts
}

/** What a scheduler told of itself. Its executor reads it. */
export interface SchedulerFacts {
  readonly version: string
  /** Its name for itself, where it has one: the cluster's. */
  readonly cluster?: string
  /** Whether what has ended is remembered and can be asked for. */
  readonly accounting: boolean
  /** Most elements of one native array. */
  readonly maxArraySize: number
  /** How long the queue remembers what has ended, ms; undefined: not known. */
  readonly forgetsAfterMs?: number
  /** From TERM to KILL when it ends a job itself, ms. */
  readonly killWaitMs?: number
  readonly partitions: readonly {
    readonly name: string
    readonly isDefault: boolean
    readonly up: boolean
    readonly nodes: number
    /** Per node, the largest; undefined: not known. */
    readonly cpus?: number
    readonly memoryBytes?: number
    /** Undefined: none, or not known. */
    readonly maxTimeMs?: number
    /** Generic resources as it writes them: `gpu:h100:4`. */
    readonly gres?: string
  }[]
}

/** Facts of one node of a target. */
export interface NodeFacts extends Omit<SiteFacts, 'nodes'> {
  /** Its name in the inventory. */
  readonly node: string
  /** Address at which the other nodes reach it. */
  readonly ip: string
}

/** The facts of a node; of the machine itself on a target of one. */
export function factsOf(site: SiteFacts, node: string): SiteFacts | NodeFacts {
  return site.nodes?.find((facts) => facts.node === node) ?? site
}

const MIB = 1024 ** 2

/**
 * Reads the probe's output. Cores: the smallest of affinity and every cgroup's quota (a part of a core counts as one);
 * memory: the smallest of the machine's and every cgroup's limit. Lines that mean nothing here (a login banner) are skipped.
 *
 * @throws DroverError `transport_failed` when the output was cut off or lacks host, boot id, root, cores or memory
 */
export function parseProbe(text: string, readAt: number): SiteFacts {
  const begin = text.lastIndexOf('drover-probe begin\n')
  const end = text.indexOf('\ndrover-probe end', begin)
  const unusable = (why: string): DroverError =>
    new DroverError('transport_failed', `cannot read the facts of the target: ${why}`, {
      level: 'transport',
      transient: true,
      outputTail: text.slice(-500),
    })
  if (begin < 0 || end < 0) throw unusable('the probe was cut off')
  const single = new Map<string, string>()
  const cores: number[] = []
  const memory: number[] = []
  const tools: Record<string, string> = {}
  const gpus: SiteFacts['gpus'][number][] = []
  for (const line of text.slice(begin, end).split('\n').slice(1)) {
    const [, word = '', value = ''] = /^(\S+) (.*)$/.exec(line) ?? []
    if (word === 'cpus') addPositive(cores, Number(value))
    else if (word === 'quota') {
      const [quota, period] = value.split(' ').map(Number)
      addPositive(cores, Math.ceil((quota ?? 0) / (period ?? 0)))
    } else if (word === 'memory') addPositive(memory, Number(value))
    else if (word === 'tool') {
      const at = value.indexOf(' ')
      if (at > 0 && value[at + 1] === '/') tools[value.slice(0, at)] = value.slice(at + 1)
    } else if (word === 'gpu') {
      // nvidia-smi --format=csv,noheader,nounits: "0, NVIDIA H100 80GB HBM3, 81559"
      const [, index, name, size] = /^(\d+), (.*), (\d+)$/.exec(value.trim()) ?? []
      if (index !== undefined && name !== undefined) gpus.push({ index: Number(index), name, memoryBytes: Number(size) * MIB })
    } else if (word !== '') single.set(word, value)
  }
  const [hostname, bootId, root] = [single.get('host'), single.get('boot'), single.get('root')]
  if (!hostname || !bootId || !root?.startsWith('/')) throw unusable('host name, boot id or root is missing')
  if (cores.length === 0 || memory.length === 0) throw unusable('the number of cores or the memory is missing')
  const processGroups = (['setsid', 'perl', 'bash'] as const).find((tool) => tools[tool] !== undefined) ?? 'none'
  return {
    readAt,
    hostname,
    bootId,
    cpus: Math.min(...cores),
    memoryBytes: Math.min(...memory),
    gpus,
    tools,
    processGroups,
    root,
    user: single.get('user') ?? '',
  }
}

/** Keeps finite values above 0; a "max" and the huge number of "no limit" in cgroup v1 (above 2^60) are no limits. */
function addPositive(list: number[], value: number): void {
  if (Number.isFinite(value) && value > 0 && value < 2 ** 60) list.push(value)
}

/** Keeps the facts of a target in `<home>/sites/<target>.json`. */
export function cacheSite(home: string, target: string, facts: SiteFacts): void {
  const path = cachePath(home, target)
  mkdirSync(join(home, 'sites'), { recursive: true, mode: 0o700 })
  writeFileSync(`${path}.${process.pid}`, JSON.stringify(facts), { mode: 0o600 })
  renameSync(`${path}.${process.pid}`, path)
}

/** The facts as they were cached, with their age in ms; undefined when there are none, or none that can be read. */
export function readCachedSite(
  home: string,
  target: string,
  now: number,
): { readonly facts: SiteFacts; readonly ageMs: number } | undefined {
  let read: unknown
  try {
    read = JSON.parse(readFileSync(cachePath(home, target), 'utf8'))
  } catch {
    // A cache that is missing or torn is read anew from the target.
    return undefined
  }
  return isSiteFacts(read) ? { facts: read, ageMs: Math.max(0, now - read.readAt) } : undefined
}

function isSiteFacts(value: unknown): value is SiteFacts {
  if (typeof value !== 'object' || value === null) return false
  const facts: Partial<Record<keyof SiteFacts, unknown>> = value
  const texts = [facts.hostname, facts.bootId, facts.root, facts.user, facts.processGroups]
  const numbers = [facts.readAt, facts.cpus, facts.memoryBytes]
  return (
    texts.every((text) => typeof text === 'string') &&
    numbers.every((number) => typeof number === 'number') &&
    Array.isArray(facts.gpus) &&
    typeof facts.tools === 'object' &&
    facts.tools !== null
  )
}

function cachePath(home: string, target: string): string {
  return join(home, 'sites', `${encodeURIComponent(target)}.json`)
}
