import { DroverError } from '../../errors.ts'
import type { SchedulerFacts } from '../../targets/site-facts.ts'
import type { CommandOutcome } from '../batch/scheduler.ts'

/** What is read of a server when a target is opened. Where qmgr is not for users, qstat says the same. */
export const PBS_FACTS_SCRIPT = `(command -v qsub >/dev/null || { echo 'drover: there is no qsub' >&2; exit 2; }
echo 'drover-server'
qmgr -c 'list server' 2>/dev/null || qstat -B -f || exit
echo 'drover-queues'
qstat -Q -f || exit
echo 'drover-nodes'
pbsnodes -a 2>/dev/null || :)`

/** From TERM to KILL, unless the queue says otherwise (kill_delay). */
const KILL_DELAY_MS = 10_000
const DEFAULT_ARRAY_SIZE = 10_000

const UNITS: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3, tb: 1024 ** 4 }

/** `16gb` → bytes; undefined where it is none. */
function bytes(text: string | undefined): number | undefined {
  const [, digits, unit = 'b'] = /^(\d+)([kmgt]?b)?$/i.exec(text ?? '') ?? []
  return digits === undefined ? undefined : Number(digits) * (UNITS[unit.toLowerCase()] ?? 1)
}

/** `24:00:00` → ms. */
function duration(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+(:\d\d){0,2}$/.test(text)) return undefined
  return text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) * 1000
}

/** `    name = value` below a heading. */
function attributesOf(stanza: string): ReadonlyMap<string, string> {
  return new Map([...stanza.matchAll(/^\s+([\w.]+) = (.*?)\s*$/gm)].map(([, name = '', value = '']) => [name, value]))
}

interface NodeTotals {
  readonly count: number
  readonly cpus: number
  readonly memoryBytes: number
  readonly gpus: number
}

/** Nodes that could run jobs of a queue: its own, where nodes are given to queues, else those of nobody. */
function totals(nodes: readonly ReadonlyMap<string, string>[], queue: string): NodeTotals {
  const usable = nodes.filter((node) => !/down|offline|unknown/.test(node.get('state') ?? ''))
  const own = usable.filter((node) => node.get('queue') === queue)
  const chosen = own.length > 0 ? own : usable.filter((node) => !node.has('queue'))
  const largest = (name: string): number => Math.max(0, ...chosen.map((node) => Number(node.get(name) ?? 0) || 0))
  return {
    count: chosen.length,
    cpus: largest('resources_available.ncpus'),
    memoryBytes: Math.max(0, ...chosen.map((node) => bytes(node.get('resources_available.mem')) ?? 0)),
    gpus: largest('resources_available.ngpus'),
  }
}

/** Reads version, history, limits and queues. Throws `transport_failed` when PBS's commands are missing or its server is silent. */
export function parsePbsFacts({ code, stdout, stderr }: CommandOutcome): SchedulerFacts {
  const [, serverText = ''] = /drover-server\n([\s\S]*?)(?:drover-queues\n|$)/.exec(stdout) ?? []
  const server = attributesOf(serverText)
  const version = server.get('pbs_version')
  if (version === undefined || code !== 0) {
    const missing = /there is no qsub/.test(stderr)
    throw new DroverError('transport_failed', `PBS cannot be used there: ${(stderr.trim() || 'the server says no version').slice(-300)}`, {
      level: 'scheduler',
      transient: !missing,
      hint: missing
        ? 'The login node must have qsub, qstat and qdel on the PATH of a non-interactive shell; else set login to one that has.'
        : 'The server does not answer: try again, or ask the administrators.',
    })
  }
  const [, queuesText = '', nodesText = ''] = /drover-queues\n([\s\S]*?)(?:drover-nodes\n([\s\S]*))?$/.exec(stdout) ?? []
  const nodes = nodesText
    .split(/\n\s*\n/)
    .map(attributesOf)
    .filter((node) => node.has('ntype') || node.has('state'))
  const cluster = /^Server:? (\S+)/m.exec(serverText)?.[1]
  const partitions = queuesText.split(/^Queue: /m).flatMap((stanza): SchedulerFacts['partitions'] => {
    const name = /^(\S+)\n/.exec(stanza)?.[1]
    const queue = attributesOf(stanza)
    if (name === undefined || (queue.get('queue_type') ?? 'Execution') !== 'Execution') return []
    const found = totals(nodes, name)
    const maxTimeMs = duration(queue.get('resources_max.walltime'))
    return [
      {
        name,
        isDefault: server.get('default_queue') === name,
        up: queue.get('enabled') === 'True' && queue.get('started') === 'True',
        nodes: found.count,
        ...(found.cpus > 0 ? { cpus: found.cpus } : {}),
        ...(found.memoryBytes > 0 ? { memoryBytes: found.memoryBytes } : {}),
        ...(maxTimeMs === undefined ? {} : { maxTimeMs }),
        ...(found.gpus > 0 ? { gres: `gpu:${found.gpus}` } : {}),
      },
    ]
  })
  return {
    version,
    ...(cluster === undefined ? {} : { cluster }),
    accounting: server.get('job_history_enable') === 'True',
    maxArraySize: Math.max(1, Number(server.get('max_array_size') ?? DEFAULT_ARRAY_SIZE) || DEFAULT_ARRAY_SIZE),
    killWaitMs: KILL_DELAY_MS,
    partitions,
  }
}
