import type { OptionRefusal } from '../../targets/parse-config.ts'
import { parseDuration } from '../../task/durations.ts'
import { pjmWords, shortWord } from './pjm-states.ts'

/** Options of a PJM target and of a task on one (`options:`). */
export interface PjmOptions {
  /** `-L name=value` in this order: rscgrp, rscunit, jobenv, freq, eco_state, retention_state. */
  readonly resources: Readonly<Record<string, string>>
  /** As pjsub takes it; below the task's timeout. */
  readonly elapse?: string
  /** `2x3x2:torus`, or only `:noncont`. */
  readonly nodeShape?: string
  /** `fx`: whole nodes, processes on them by Fujitsu's mpiexec. `x86`: a list of hosts in PJM_O_NODEINF. */
  readonly machine: 'fx' | 'x86'
  readonly vnode: boolean
  readonly vnodeCore?: number
  /** GPUs per node as `-L gpu=` counts them, in place of resources.accelerators. */
  readonly gpu?: number
  readonly group?: string
  readonly priority?: number
  readonly at?: string
  readonly mail: readonly string[]
  readonly mailList?: string
  readonly checkDirectory: boolean
  /** A step job: a new one, or a sub-job of one. */
  readonly step?: { readonly sparam?: string }
  /** Further values of `--mpi`. */
  readonly mpi: readonly string[]
  readonly mpiexec: readonly string[]
  /** How one process per node is asked for on x86: `-npernode 1` (Open MPI, Fujitsu) or `-ppn 1` (Intel MPI). */
  readonly mpiexecPerNode: 'npernode' | 'ppn'
  /** Elements of an array in one sub-job, and how many of them at a time: for its elapse limit. */
  readonly pack?: number | 'all'
  readonly packSlots: number
  readonly native: Readonly<Record<string, NativeValue>>
}

/** `true`: a bare flag. A list: the option once for each. `false` and null: left out. */
export type NativeValue = boolean | null | string | number | readonly (string | number)[]

/** Options that become `-L name=value`, with what they take. */
const RESOURCES = {
  rscgrp: 'the name of a resource group',
  queue: 'the name of a resource group (the same as rscgrp)',
  rscunit: 'the name of a resource unit',
  jobenv: 'the name of a job environment',
  freq: 'a clock in MHz as the site allows it: 2000, 2200',
  eco_state: 'a number as -L eco_state= takes it',
  retention_state: 'a number as -L retention_state= takes it',
} as const

const OWN = ['elapse', 'node_shape', 'machine', 'vnode', 'vnode_core', 'gpu', 'group', 'priority', 'at', 'mail', 'mail_list']
const HOW = ['check_directory', 'step', 'mpi', 'mpiexec', 'mpiexec_per_node', 'native']
const SITE = ['pjstat', 'active_command', 'history_command', 'history', 'history_days', 'bulk_limit', 'states']

/** Names of all options. */
export const pjmOptionNames: readonly string[] = [...Object.keys(RESOURCES), ...OWN, ...HOW, ...SITE]

/** Options of pjsub that Drover writes itself, or that would break a job of its → what to use in their place. */
const RESERVED: Readonly<Record<string, string>> = {
  N: 'the name finds the job again after a submit without an answer; the task key name is what people see',
  name: 'the name finds the job again after a submit without an answer; the task key name is what people see',
  o: 'logs lie in the job directory; drover logs shows them',
  e: 'logs lie in the job directory; drover logs shows them',
  j: 'logs lie in the job directory; drover logs shows them',
  bulk: 'use array',
  step: 'use the option step',
  sparam: 'use array, or the option step',
  mswk: 'a master-worker job runs no driver',
  interact: 'a driver runs in a batch job',
  z: 'Drover reads what pjsub says',
  restart: 'PJM gives a job run anew the same id and no count: Drover retries by retries',
  norestart: 'Drover always writes it',
  x: 'use envs',
  X: 'use envs',
  g: 'use the option group',
  gname: 'use the option group',
  p: 'use the option priority',
  at: 'use the option at',
  m: 'use the option mail',
  'mail-list': 'use the option mail_list',
  C: 'the directives are read with #PJM',
  'dir-prefix': 'the directives are read with #PJM',
  'script-delimiter': 'a job has one script',
  'no-check-directory': 'use the option check_directory: false',
  w: 'Drover does not wait in pjsub',
  help: 'it submits nothing',
}

/** Values of `-L` and `--mpi` that are Drover's, in `native`. */
const RESERVED_RESOURCES: Readonly<Record<string, string>> = {
  node: 'use num_nodes and the option node_shape',
  vnode: 'use num_nodes and the option vnode',
  elapse: 'use timeout, or the option elapse',
  rscgrp: 'use the option rscgrp',
  'max-proc-per-node': 'one process of the driver runs on each node: use processes_per_node',
  proc: 'one process of the driver runs on each node: use processes_per_node',
}

const outer = (must: string): OptionRefusal => ({ path: [], must })
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '' && !/[\0\n\r"'`\\$]/.test(value)
const isPlain = (value: unknown): value is string | number => isText(value) || (typeof value === 'number' && Number.isFinite(value))
const isBare = (value: unknown): boolean => isPlain(value) && !/[\s,=]/.test(String(value))
const isCount = (value: unknown, least = 1): boolean => typeof value === 'number' && Number.isInteger(value) && value >= least
const isWordList = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(isText)

function refuseNative(value: unknown): OptionRefusal | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return outer('a mapping of pjsub options: {P: vn-policy=abs-unpack, llio: localtmp-size=10Gi, S: true}')
  for (const [name, inner] of Object.entries(value)) {
    const option = optionName(name)
    if (!/^(?:[A-Za-z]|[a-z][a-z0-9-]+)$/.test(option)) return { path: [name], must: 'an option of pjsub, without dashes before it' }
    const own = RESERVED[option]
    if (own !== undefined)
      return { path: [name], must: `left out: Drover writes ${dashed(option)} itself, or it would break the job (${own})` }
    const fine = inner === null || typeof inner === 'boolean' || isPlain(inner) || (Array.isArray(inner) && inner.every(isPlain))
    if (!fine) return { path: [name], must: 'true for a bare flag, a text without quotes or a number, or a list of them' }
    if (!['L', 'rsc-list', 'mpi'].includes(option) || inner === null || typeof inner === 'boolean') continue
    for (const pair of [inner].flat().flatMap((each) => String(each).split(','))) {
      const resource = pair.split('=')[0]?.trim() ?? ''
      if (/\s/.test(pair)) return { path: [name], must: 'written without blanks around =' }
      const reason = RESERVED_RESOURCES[resource]
      if (reason !== undefined) return { path: [name], must: `without ${resource}, which Drover writes itself (${reason})` }
    }
  }
  return undefined
}

/** `net_route` and `--net-route` are `net-route`. */
export function optionName(name: string): string {
  return name.replace(/^-{1,2}/, '').replaceAll('_', '-')
}

/** `P` → `-P`, `net-route` → `--net-route`. */
export function dashed(option: string): string {
  return option.length === 1 ? `-${option}` : `--${option}`
}

const SHAPE = /^(?:\d+(?:x\d+){0,2})?((?::(?:torus|mesh|noncont|strict|strict-io))*)$/
const CLOCK = /^\d+(?::\d+){0,2}(?:-\d+(?::\d+){0,2})?$/
const STEP_PART = /^(?:jid|sn|sd|jnam)=[\w.!=<>:,-]+$/

function refuseStep(value: unknown): OptionRefusal | undefined {
  const must = 'true for a new step job, or what --sparam takes: "jid=240,sn=1,sd=ec!=0:all:0"'
  return typeof value === 'boolean' || (isText(value) && value.split(/,(?=[a-z]+=)/).every((part) => STEP_PART.test(part)))
    ? undefined
    : outer(must)
}

function refuseStates(value: unknown): OptionRefusal | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return outer("the site's state words with PJM's: {END: EXT}")
  for (const [word, meaning] of Object.entries(value)) {
    if (typeof meaning !== 'string' || shortWord(meaning) === undefined)
      return { path: [word], must: `a state word of PJM: ${pjmWords.join(', ')}` }
  }
  return undefined
}

/** What the others take; undefined: this value. */
const TAKES: Readonly<Record<string, (value: unknown) => string | OptionRefusal | undefined>> = {
  elapse: (value) =>
    (isText(value) && (CLOCK.test(value) || (parseDuration(value) ?? 0) > 0)) || isCount(value)
      ? undefined
      : 'a time limit as -L elapse= takes it (1:00:00, 30:00-1:00:00), or 90m',
  node_shape: (value) => (isText(value) && SHAPE.test(value) ? undefined : 'a shape and a policy of nodes: 2x3x2, 2x3x2:torus, :noncont'),
  machine: (value) => (value === 'fx' || value === 'x86' ? undefined : 'fx or x86'),
  vnode: (value) => (typeof value === 'boolean' ? undefined : 'true or false'),
  vnode_core: (value) => (isCount(value) ? undefined : 'a number of cores'),
  gpu: (value) => (isCount(value, 0) ? undefined : 'a number of GPUs, as -L gpu= counts them'),
  group: (value) => (isBare(value) ? undefined : 'the name of a group'),
  priority: (value) => (isCount(value, 0) && Number(value) <= 255 ? undefined : 'a number from 0 to 255'),
  at: (value) => (/^\d{12}$/.test(String(value)) ? undefined : 'a time as CCYYMMDDhhmm, in quotes: "202612010800"'),
  mail: (value) =>
    [value].flat().every((each) => each === 'begin' || each === 'end' || each === 'rerun') ? undefined : 'a list of begin, end, rerun',
  mail_list: (value) => (isText(value) && value.length <= 255 ? undefined : 'addresses joined by commas, at most 255 characters'),
  check_directory: (value) => (typeof value === 'boolean' ? undefined : 'true or false'),
  step: refuseStep,
  mpi: (value) =>
    isWordList(value) &&
    ![value].flat().some((each) => RESERVED_RESOURCES[String(each).split('=')[0] ?? ''] !== undefined || /\s/.test(String(each)))
      ? undefined
      : 'a list of values of --mpi without proc and max-proc-per-node: [rank-map-bynode]',
  mpiexec: (value) => (isWordList(value) ? undefined : 'a command with its options as a list: [/opt/local/mpiexec]'),
  mpiexec_per_node: (value) => (value === 'npernode' || value === 'ppn' ? undefined : 'npernode (Open MPI, Fujitsu) or ppn (Intel MPI)'),
  native: refuseNative,
  pjstat: (value) => (value === 'csv' || value === 'blocks' || value === 'table' ? undefined : 'csv, blocks or table'),
  active_command: (value) => (isWordList(value) ? undefined : 'a command as a list: [pjstat]'),
  history_command: (value) => (isWordList(value) ? undefined : 'a command as a list: [pjstat, -H]'),
  history: (value) => (typeof value === 'boolean' ? undefined : 'true or false'),
  history_days: (value) => (isCount(value) && Number(value) <= 365 ? undefined : 'a number of days from 1 to 365'),
  bulk_limit: (value) => (isCount(value) && Number(value) <= 1_000_000 ? undefined : 'a number of sub-jobs from 1 to 1000000'),
  states: refuseStates,
}

/** What is wrong with an option; undefined for a value that may be used. */
export function refusePjmOption(name: string, value: unknown): string | OptionRefusal | undefined {
  if (Object.hasOwn(RESOURCES, name)) return isBare(value) ? undefined : RESOURCES[name as keyof typeof RESOURCES]
  const takes = TAKES[name]
  return takes === undefined ? `one of ${pjmOptionNames.join(', ')}` : takes(value)
}

/** Seconds as PJM writes them: 5400 → `01:30:00`. */
export function elapseText(ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1000))
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
}

function elapseOf(value: unknown): string | undefined {
  if (typeof value === 'number') return elapseText(value * 1000)
  if (typeof value !== 'string') return undefined
  return CLOCK.test(value) ? value : elapseText(parseDuration(value) ?? 0)
}

const listOf = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : [])

/** Reads options that `refusePjmOption` lets pass; the task's over the target's. */
export function parsePjmOptions(options: Readonly<Record<string, unknown>>): PjmOptions {
  const group = options['rscgrp'] ?? options['queue']
  const resources = Object.entries({ ...options, rscgrp: group }).filter(
    ([name, value]) => name !== 'queue' && Object.hasOwn(RESOURCES, name) && isPlain(value),
  )
  const order = Object.keys(RESOURCES)
  const elapse = elapseOf(options['elapse'])
  const { step, pack, mail_list: mailList, at, priority, vnode_core: vnodeCore, gpu, node_shape: nodeShape } = options
  return {
    resources: Object.fromEntries(
      resources.toSorted(([a], [b]) => order.indexOf(a) - order.indexOf(b)).map(([name, value]) => [name, String(value)]),
    ),
    ...(elapse === undefined ? {} : { elapse }),
    ...(typeof nodeShape === 'string' ? { nodeShape } : {}),
    machine: options['machine'] === 'x86' ? 'x86' : 'fx',
    vnode: options['vnode'] === true,
    ...(typeof vnodeCore === 'number' ? { vnodeCore } : {}),
    ...(typeof gpu === 'number' ? { gpu } : {}),
    ...(options['group'] === undefined ? {} : { group: String(options['group']) }),
    ...(typeof priority === 'number' ? { priority } : {}),
    ...(at === undefined ? {} : { at: String(at) }),
    mail: options['mail'] === undefined ? [] : [options['mail']].flat().map((each) => String(each).slice(0, 1)),
    ...(typeof mailList === 'string' ? { mailList } : {}),
    checkDirectory: options['check_directory'] !== false,
    ...(step === true ? { step: {} } : typeof step === 'string' ? { step: { sparam: step } } : {}),
    mpi: listOf(options['mpi']),
    mpiexec: options['mpiexec'] === undefined ? ['mpiexec'] : listOf(options['mpiexec']),
    mpiexecPerNode: options['mpiexec_per_node'] === 'ppn' ? 'ppn' : 'npernode',
    ...(pack === 'all' || typeof pack === 'number' ? { pack } : {}),
    packSlots: typeof options['pack_slots'] === 'number' ? options['pack_slots'] : 1,
    native: (options['native'] as Readonly<Record<string, NativeValue>> | undefined) ?? {},
  }
}
