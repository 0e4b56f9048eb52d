import { quoteDirective, quoteShell } from '../../driver/quote.ts'
import { InputError } from '../../errors.ts'
import type { BatchHead, BatchRequest } from '../batch/scheduler.ts'
import { launchWords, nodeListScript, RANK_VARIABLE } from './pjm-launch.ts'
import { dashed, elapseText, type NativeValue, optionName, type PjmOptions } from './pjm-options.ts'
import { COMMAND_LINE_MARK } from './pjm-submit.ts'

type Request = BatchRequest<PjmOptions>
/** An option of pjsub with its value, or a flag. */
type Option = readonly [option: string, value?: string]

/** Time of the job's own around the user's: setup of the driver, last records. PJM ends all processes at the limit. */
const MARGIN_MS = 60_000
/** Longest name that pjsub takes, bytes. */
const MAX_NAME_BYTES = 63

function unsupported({ task }: Request, key: string, reason: string, hint: string): InputError {
  return new InputError('unsupported', `task ${task.name}: ${key} cannot be honoured on target "${task.target}": ${reason}`, { hint })
}

/** `-L node=12:torus`, `-L vnode=2`, `-L vnode-core=4`. */
function nodeOptions(request: Request): readonly Option[] {
  const { task, options } = request
  const { vnode, vnodeCore, nodeShape } = options
  const cores = vnodeCore ?? Math.max(1, Math.ceil(task.perNode.cpus))
  if (vnode)
    return [
      ['-L', `vnode=${task.numNodes}`],
      ['-L', `vnode-core=${cores}`],
    ]
  if (vnodeCore !== undefined) {
    if (task.numNodes > 1)
      throw unsupported(request, 'num_nodes', 'vnode_core alone asks for a part of one node', 'Set the option vnode: true.')
    return [['-L', `vnode-core=${vnodeCore}`]]
  }
  const [, shape = '', policy = ''] = /^([\dx]*)(.*)$/.exec(nodeShape ?? '') ?? []
  const product = shape === '' ? task.numNodes : shape.split('x').reduce((nodes, each) => nodes * Number(each), 1)
  if (product !== task.numNodes)
    throw unsupported(
      request,
      'the option node_shape',
      `${shape} are ${product} nodes and num_nodes is ${task.numNodes}`,
      'Make them the same.',
    )
  return [['-L', `node=${shape === '' ? task.numNodes : shape}${policy}`]]
}

/** The task's timeout holds for setup, and for each element of an array: a sub-job of several runs for as many of them. */
function elapseOf({ task, options }: Request): string | undefined {
  if (task.timeoutMs === undefined) return options.elapse
  const elements = task.array ? (task.array.positions?.length ?? task.array.size) : 1
  const chunk = task.array === undefined ? 1 : options.pack === 'all' ? elements : Math.min(options.pack ?? 1, elements)
  const rounds = Math.ceil(chunk / Math.max(1, options.packSlots)) + (task.array !== undefined && task.setup !== undefined ? 1 : 0)
  return elapseText(rounds * (task.timeoutMs + task.graceMs) + MARGIN_MS)
}

function nativeOptions(name: string, value: NativeValue): readonly Option[] {
  const option = dashed(optionName(name))
  if (value === null || value === false) return []
  if (value === true) return [[option]]
  return [value].flat().map((each): Option => [option, String(each)])
}

/** Options that the user chose, directly or by keys of the task; a script that is not ours gets them, too. */
function chosenOptions(request: Request): readonly Option[] {
  const { task, options } = request
  const { resources, group, priority, at, mail, mailList, checkDirectory, native } = options
  const elapse = elapseOf(request)
  const gpus = options.gpu ?? task.perNode.gpus
  return [
    ...Object.entries(resources).map(([name, value]): Option => ['-L', `${name}=${value}`]),
    ...(elapse === undefined ? [] : [['-L', `elapse=${elapse}`] as const]),
    ...(gpus === 0 ? [] : [['-L', `gpu=${gpus}`] as const]),
    ...(group === undefined ? [] : [['-g', group] as const]),
    ...(priority === undefined ? [] : [['-p', String(priority)] as const]),
    ...(at === undefined ? [] : [['--at', at] as const]),
    ...(mail.length === 0 ? [] : [['-m', mail.join(',')] as const]),
    ...(mailList === undefined ? [] : [['--mail-list', mailList] as const]),
    ...(checkDirectory ? [] : [['--no-check-directory'] as const]),
    ...Object.entries(native).flatMap(([name, value]) => nativeOptions(name, value)),
  ]
}

/** Processes of mpiexec on a node: one of ours on each of several; on a node alone those of the user's own mpiexec. */
function mpiOptions({ task, options }: Request): readonly Option[] {
  const most = task.numNodes > 1 ? 1 : task.processesPerNode
  const isAsked = options.machine === 'fx' && (task.numNodes > 1 || most > 1)
  return [...(isAsked ? [`max-proc-per-node=${most}`] : []), ...options.mpi].map((value): Option => ['--mpi', value])
}

function memoryOption({ task, options }: Request): { readonly options: readonly Option[]; readonly warning?: string } {
  const { memoryBytes } = task.perNode
  if (memoryBytes === undefined) return { options: [] }
  const mebibytes = Math.ceil(memoryBytes / 1024 ** 2)
  if (options.vnodeCore === undefined && !options.vnode) return { options: [['-L', `node-mem=${mebibytes}`]] }
  return {
    options: [],
    warning: `memory is not asked for: how virtual nodes of a site take it is not public; give it as native: {L: "vnode-mem=${mebibytes}Mi"} where yours does`,
  }
}

function refuse(request: Request): void {
  const { task, options, array, nativeName, after } = request
  const elements = task.array ? (task.array.positions?.length ?? task.array.size) : 0
  const most = task.array?.maxParallel
  if (array?.atOnce !== undefined && array.atOnce <= array.last - array.first && (most ?? 0) < elements)
    throw unsupported(
      request,
      'max_parallel',
      'PJM starts as many sub-jobs of a bulk job as there is room for',
      `Set the options pack: all and pack_slots: ${most}: one job runs the elements, that many at a time. Or leave max_parallel out.`,
    )
  if (array !== undefined && options.step !== undefined)
    throw unsupported(request, 'the option step', 'a bulk job is no step job', 'Leave step out, or set pack: all.')
  if (after.length > 0)
    throw unsupported(
      request,
      'after',
      'PJM has no dependencies between jobs',
      'Drover releases the job itself when the others have ended.',
    )
  if (options.machine === 'fx' && task.perNode.gpus > 0)
    throw unsupported(request, 'resources.accelerators', 'its machine is of type fx, which has no GPUs', 'Set the option machine: x86.')
  if (Buffer.byteLength(nativeName) > MAX_NAME_BYTES)
    throw new InputError('unsupported', `task ${task.name}: the job's name ${nativeName} is longer than ${MAX_NAME_BYTES} bytes`)
}

/** One directive; each stands on a line of its own, without a comment behind it. */
function directive([option, value]: Option): string {
  return `#PJM ${option}${value === undefined ? '' : ` ${quoteDirective(value)}`}`
}

/** What stands on pjsub's command line: kinds of jobs, which guides show nowhere else. */
function commandLine({ array, options: { step } }: Request): readonly string[] {
  if (array !== undefined) return [`${COMMAND_LINE_MARK} --bulk --sparam ${array.first}-${array.last}`]
  if (step === undefined) return []
  return [`${COMMAND_LINE_MARK} --step${step.sparam === undefined ? '' : ` --sparam ${step.sparam}`}`]
}

/**
 * The directives of a task, and how it runs in its allocation (pjsub of Technical Computing Suite V4, as public guides and
 * scripts show it): two nodes for ten minutes become `#PJM -L node=2`, `#PJM -L elapse=00:11:10`, `#PJM --mpi max-proc-per-node=1`.
 */
export function compilePjm(request: Request): BatchHead {
  refuse(request)
  const { task, options, nativeName, attemptDir, workDir, array } = request
  const log = `${attemptDir}/logs/driver.log`
  // Which patterns of -o name a sub-job, and how a value is quoted, is not public: those redirect themselves.
  const isPlain = array === undefined && /^[\w./:@+-]+$/.test(log)
  const nodes = nodeOptions(request)
  const memory = memoryOption(request)
  const chosen = chosenOptions(request)
  const own: readonly Option[] = [
    ['-N', nativeName],
    ...nodes,
    ...memory.options,
    ...mpiOptions(request),
    ...(isPlain ? [['-o', log] as const] : []),
    ['-j'],
    ['--norestart'],
  ]
  const written = task.spec.written['num_nodes'] === undefined ? [] : nodes
  const ownLog = array === undefined ? quoteShell(log) : `${quoteShell(`${attemptDir}/tasks/${nativeName}-`)}"$PJM_BULKNUM".log`
  const redirect = `exec >>${ownLog} 2>&1`
  const said = (list: readonly Option[]): string => list.map((words) => words.join(' ')).join(' ')
  return {
    directives: [...[...own, ...chosen].map(directive), ...commandLine(request), ...(isPlain ? [] : [redirect])],
    foreignOptions: [...written, ...memory.options, ...chosen].flatMap(([option, value]) =>
      value === undefined ? [option] : [option, value],
    ),
    allocation: {
      nodes: task.numNodes,
      workDir,
      nodeList: nodeListScript(options, task.numNodes, attemptDir),
      launch: launchWords(options, task.numNodes),
      rankVariable: RANK_VARIABLE,
      ...(array === undefined ? {} : { task: { variable: 'PJM_BULKNUM', offset: 0, count: array.last - array.first + 1, chunk: 1 } }),
    },
    keys: [
      { key: 'num_nodes', became: `${said(nodes)}, one driver process on each` },
      {
        key: 'resources',
        became: [
          options.machine === 'fx' && !options.vnode ? 'whole nodes' : '',
          said(memory.options),
          said(chosen.filter(([, value]) => value?.startsWith('gpu='))),
        ]
          .filter((each) => each !== '')
          .join(', '),
      },
      {
        key: 'timeout',
        became: `${(task.timeoutMs ?? 0) / 1000} s by the node runner; -L elapse=${elapseOf(request) ?? ''} for PJM`,
      },
      ...(array === undefined ? [] : [{ key: 'array', became: `--bulk --sparam ${array.first}-${array.last}` }]),
      { key: 'options', became: said(chosen) },
    ],
    warnings: memory.warning === undefined ? [] : [memory.warning],
  }
}
