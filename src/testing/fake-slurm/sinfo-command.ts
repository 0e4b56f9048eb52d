import type { CommandCall } from '../fake-commands/command-call.ts'
import type { ClusterState } from './cluster-state.ts'
import { OptionError, optionTable, parseOptions } from './command-options.ts'
import { compressHostlist } from './hostlist.ts'
import { cpusPerNode, holdsNodes, partitionNodes } from './scheduling.ts'
import { type CommandContext, CommandFailure, SLURM_VERSION } from './slurm-command.ts'
import type { FakeNode, FakePartition } from './slurm-options.ts'
import { printSpan } from './slurm-times.ts'
import { parseFormat, printLine } from './squeue-command.ts'

const OPTIONS = optionTable(`
  noheader,h format=,o partition=,p Node,N nodes=,n states=,t summarize,s version,V clusters=,M all,a responding,r dead,d
  list-reasons,R exact,e json yaml Format=,O long,l
`)
const DEFAULT_FORMAT = '%9P %.5a %.10l %.6D %.6t %N'

interface Group {
  readonly partition: Required<FakePartition>
  readonly state: NodeState
  readonly nodes: readonly Required<FakeNode>[]
}

type NodeState = 'idle' | 'mix' | 'alloc' | 'comp' | 'down'
const LONG: Readonly<Record<NodeState, string>> = { idle: 'idle', mix: 'mixed', alloc: 'allocated', comp: 'completing', down: 'down' }

/** sinfo -o: one line per partition and kind of node, as the fields asked for tell them apart. */
export function sinfo({ state }: CommandContext, call: CommandCall): number {
  const last = new Map(readOptions(call).options.map(({ name, value }) => [name, value]))
  if (last.has('version')) {
    call.out(`slurm-wlm ${SLURM_VERSION}\n`)
    return 0
  }
  for (const name of ['json', 'yaml', 'Format', 'long', 'summarize', 'list-reasons'] as const) {
    if (last.has(name)) throw new CommandFailure(`fake-slurm: sinfo --${name} is not there`)
  }
  const format = last.get('format') ?? call.env['SINFO_FORMAT'] ?? DEFAULT_FORMAT
  const pieces = parseFormat(format)
  const keys = new Set(pieces.flatMap((piece) => (piece.key === undefined ? [] : [piece.key])))
  const partitions = last.get('partition')?.split(',')
  const lines = last.has('noheader') ? [] : [printLine(pieces, (key) => HEADERS[key] ?? '')]
  for (const partition of state.settings.partitions) {
    if (partitions && !partitions.includes(partition.name)) continue
    for (const group of groupNodes(state, partition, keys, last.has('Node'))) {
      lines.push(printLine(pieces, (key) => printField(state, group, key)))
    }
  }
  if (lines.length > 0) call.out(`${lines.join('\n')}\n`)
  return 0
}

function readOptions(call: CommandCall): ReturnType<typeof parseOptions> {
  try {
    return parseOptions(OPTIONS, call.argv, false)
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new CommandFailure(`sinfo: ${error.message}\nTry "sinfo --help" for more information`)
  }
}

/** State of a node, as sinfo's %t says it. */
export function nodeState(state: ClusterState, node: Required<FakeNode>): NodeState {
  if (state.down.has(node.name)) return 'down'
  const jobs = [...state.jobs.values()].filter((job) => holdsNodes(job) && job.nodes.includes(node.name))
  if (jobs.length === 0) return 'idle'
  if (jobs.every((job) => job.completing)) return 'comp'
  const cpus = jobs.reduce((sum, job) => sum + (job.request.exclusive ? node.cpus : cpusPerNode(job)), 0)
  return cpus >= node.cpus ? 'alloc' : 'mix'
}

function groupNodes(state: ClusterState, partition: Required<FakePartition>, keys: ReadonlySet<string>, each: boolean): readonly Group[] {
  const order: readonly NodeState[] = ['down', 'comp', 'mix', 'alloc', 'idle']
  const groups = new Map<string, { state: NodeState; nodes: Required<FakeNode>[] }>()
  const stateful = [...keys].some((key) => 'tTACF'.includes(key))
  for (const node of partitionNodes(state, partition)) {
    const word = nodeState(state, node)
    const parts = [stateful ? word : '', keys.has('c') ? node.cpus : '', keys.has('m') ? node.memoryMib : '']
    if (keys.has('G')) parts.push(node.gpus, node.gpuType)
    if (keys.has('f')) parts.push(node.features.join(','))
    if (each) parts.push(node.name)
    const group = groups.get(parts.join('\0')) ?? { state: word, nodes: [] }
    group.nodes.push(node)
    groups.set(parts.join('\0'), group)
  }
  return [...groups.values()].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state)).map((group) => ({ ...group, partition }))
}

const HEADERS: Readonly<Record<string, string>> = {
  P: 'PARTITION',
  R: 'PARTITION',
  a: 'AVAIL',
  l: 'TIMELIMIT',
  L: 'DEFAULTTIME',
  D: 'NODES',
  c: 'CPUS',
  m: 'MEMORY',
  G: 'GRES',
  t: 'STATE',
  T: 'STATE',
  N: 'NODELIST',
  f: 'AVAIL_FEATURES',
  A: 'NODES(A/I)',
  F: 'NODES(A/I/O/T)',
  C: 'CPUS(A/I/O/T)',
  E: 'REASON',
  p: 'PRIO_TIER',
  s: 'JOB_SIZE',
}

function printField(state: ClusterState, { partition, state: word, nodes }: Group, key: string): string {
  const [node] = nodes
  const busy = nodes.filter((one) => ['alloc', 'mix', 'comp'].includes(nodeState(state, one))).length
  const other = nodes.filter((one) => nodeState(state, one) === 'down').length
  switch (key) {
    case 'P':
      return `${partition.name}${partition.isDefault ? '*' : ''}`
    case 'R':
      return partition.name
    case 'a':
      return 'up'
    case 'l':
      return partition.maxMinutes === Number.POSITIVE_INFINITY ? 'infinite' : printSpan(partition.maxMinutes * 60_000)
    case 'L':
      return printSpan(partition.defaultMinutes * 60_000)
    case 'D':
      return String(nodes.length)
    case 'c':
      return String(node?.cpus ?? 0)
    case 'm':
      return String(node?.memoryMib ?? 0)
    case 'G':
      return node && node.gpus > 0 ? `gpu:${node.gpuType}:${node.gpus}` : '(null)'
    case 't':
      return word
    case 'T':
      return LONG[word]
    case 'N':
      return compressHostlist(nodes.map((one) => one.name))
    case 'f':
      return node?.features.join(',') || '(null)'
    case 'A':
      return `${busy}/${nodes.length - busy - other}`
    case 'F':
      return `${busy}/${nodes.length - busy - other}/${other}/${nodes.length}`
    case 'C':
      return printCpus(state, nodes)
    case 'E':
      return 'none'
    case 'p':
      return String(partition.tier)
    case 's':
      return '1-infinite'
    default:
      throw new CommandFailure(`fake-slurm: sinfo's field %${key} is not there`)
  }
}

function printCpus(state: ClusterState, nodes: readonly Required<FakeNode>[]): string {
  let [used, other, total] = [0, 0, 0]
  for (const node of nodes) {
    total += node.cpus
    if (state.down.has(node.name)) other += node.cpus
    for (const job of state.jobs.values()) {
      if (job.state === 'RUNNING' && !job.completing && job.nodes.includes(node.name))
        used += job.request.exclusive ? node.cpus : cpusPerNode(job)
    }
  }
  return `${used}/${total - used - other}/${other}/${total}`
}
