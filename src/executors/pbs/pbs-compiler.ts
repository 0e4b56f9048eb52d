import { quoteShell } from '../../driver/quote.ts'
import { InputError } from '../../errors.ts'
import type { BatchHead, BatchRequest } from '../batch/scheduler.ts'
import { launchWords, NODE_LIST, RANK_VARIABLE } from './pbs-launch.ts'
import type { PbsOptions } from './pbs-options.ts'
import { walltime } from './pbs-times.ts'

type Option = readonly [string, string?]

/** PBS takes longer names from version 13 on. */
const LONG_NAMES_SINCE = 13
/** `-J 0-9%2` is understood from version 20 on (2020, 2021, 22, 23). */
const ARRAY_LIMIT_SINCE = 20

/**
 * A word of a `#PBS` line: qsub splits it at blanks and takes off one pair of quotes, either kind; nothing escapes.
 *
 * @throws InputError `invalid_argument` on what no such line can carry
 */
export function quotePbsWord(value: string): string {
  if (/[\0\n\r]/.test(value) || (value.includes('"') && value.includes("'")))
    throw new InputError(
      'invalid_argument',
      `an option for qsub holds a line break, or both kinds of quotes: ${JSON.stringify(value.slice(0, 60))}`,
    )
  if (value.includes('"')) return `'${value}'`
  return /[\s']/.test(value) || value === '' ? `"${value}"` : value
}

/** `2:ncpus=4:mpiprocs=1:mem=8192mb:ngpus=1`. */
function selectOf({ task, options }: BatchRequest<PbsOptions>): { readonly select: string; readonly warnings: readonly string[] } {
  const { perNode, numNodes, processesPerNode } = task
  const { gpus, gpuType } = perNode
  const typed = gpus > 0 && gpuType !== undefined && gpuType !== '*'
  const parts = [
    String(numNodes),
    `ncpus=${Math.max(1, Math.ceil(perNode.cpus))}`,
    `mpiprocs=${Math.max(1, processesPerNode)}`,
    ...(perNode.memoryBytes === undefined ? [] : [`mem=${Math.ceil(perNode.memoryBytes / 1024 ** 2)}mb`]),
    ...(gpus > 0 ? [`${options.gpuResource}=${gpus}`] : []),
    ...(typed && options.gpuTypeResource !== undefined ? [`${options.gpuTypeResource}=${gpuType}`] : []),
    ...options.chunk,
  ]
  const untold = typed && options.gpuTypeResource === undefined
  return {
    select: parts.join(':'),
    warnings: untold
      ? [`that the GPUs are ${gpuType} is not asked for: PBS has no common name for kinds; option gpu_type_resource tells the site's`]
      : [],
  }
}

/** Several nodes are several hosts only where chunks are scattered. */
function placeOf({ task, options }: BatchRequest<PbsOptions>): string | undefined {
  const place = options.place ?? (task.numNodes > 1 ? 'scatter' : undefined)
  if (task.numNodes > 1 && !place?.startsWith('scatter'))
    throw new InputError('unsupported', `task ${task.name}: place ${place} may put several of its ${task.numNodes} nodes on one host`, {
      hint: 'Use scatter, scatter:excl, or leave place out.',
    })
  if (!options.exclusive || place?.includes('excl')) return place
  return place === undefined ? 'excl' : `${place}:excl`
}

/** `afterok:1.server:2.server,afterany:3.server`. */
function dependOf({ options, after }: BatchRequest<PbsOptions>): string | undefined {
  const words = { ok: 'afterok', any: 'afterany', failed: 'afternotok' } as const
  const conditions = (['ok', 'any', 'failed'] as const).flatMap((condition) => {
    const ids = after.filter((each) => each.condition === condition).map(({ id }) => id)
    return ids.length === 0 ? [] : [[words[condition], ...ids].join(':')]
  })
  const all = [...conditions, ...(options.dependency === undefined ? [] : [options.dependency])]
  return all.length === 0 ? undefined : all.join(',')
}

/** Lines of the script that are no directives: the driver's output goes to the job directory as it is written. */
function lines({ attemptDir, array }: BatchRequest<PbsOptions>): readonly string[] {
  const log =
    array === undefined
      ? quoteShell(`${attemptDir}/logs/driver.log`)
      : `${quoteShell(`${attemptDir}/tasks/`)}"$PBS_JOBNAME-$PBS_ARRAY_INDEX.log"`
  return [
    // An array of one is none to PBS, which says "illegal -J value".
    ...(array !== undefined && array.first === array.last ? [`PBS_ARRAY_INDEX=${array.first}`] : []),
    `{ true >>${log}; } 2>/dev/null && exec >>${log} 2>&1`,
  ]
}

/**
 * The directives of a task, and how it runs on its hosts (qsub of OpenPBS 23.06, PBS Pro 14 to 2022).
 *
 * PBS's own copy of the output is left to the end (`-j oe -o logs/pbs.log` without `-k`): written directly into a directory
 * that a host does not see yet, it would fail 21 starts and leave the job held.
 */
export function compilePbs(request: BatchRequest<PbsOptions>): BatchHead {
  const { task, options, facts, nativeName, attemptDir, workDir, array } = request
  const major = Number.parseInt(facts.version, 10)
  if (nativeName.length > 15 && major < LONG_NAMES_SINCE)
    throw new InputError(
      'unsupported',
      `task ${task.name}: PBS ${facts.version} takes names of 15 characters, and this part of an array has more`,
      {
        hint: 'Use pack, so that the array fits into one of the scheduler.',
      },
    )
  const { select, warnings } = selectOf(request)
  const [place, depend] = [placeOf(request), dependOf(request)]
  const limit = task.timeoutMs === undefined ? options.walltime : walltime(task.timeoutMs + task.graceMs)
  const isArray = array !== undefined && array.last > array.first
  const atOnce = isArray && array.atOnce !== undefined && array.atOnce <= array.last ? array.atOnce : undefined
  const limitsArray = atOnce !== undefined && major >= ARRAY_LIMIT_SINCE
  const given = (name: string, value: string | undefined): readonly Option[] => (value === undefined ? [] : [[name, value]])
  const chosen: readonly Option[] = [
    ...given('-q', options.queue),
    ...given('-A', options.account),
    ...given('-P', options.project),
    ...given('-p', options.priority),
    ...given('-a', options.begin),
    ...(options.hold ? [['-h'] as const] : []),
    ...given('-M', options.mailUser),
    ...(depend === undefined ? [] : [['-W', `depend=${depend}`] as const]),
    ...options.attributes.map((pair) => ['-W', pair] as const),
    ...options.native,
  ]
  const resources: readonly Option[] = [
    ['-l', `select=${select}`],
    ...(place === undefined ? [] : [['-l', `place=${place}`] as const]),
    ...(limit === undefined ? [] : [['-l', `walltime=${limit}`] as const]),
  ]
  const own: readonly Option[] = [
    ['-N', nativeName],
    ['-S', '/bin/sh'],
    ['-j', 'oe'],
    // Relative: a colon in an absolute path would end a host name.
    ['-o', array === undefined ? 'logs/pbs.log' : isArray ? 'tasks/^array_index^.pbs.log' : 'tasks/0.pbs.log'],
    ['-r', 'n'],
    ['-m', options.mail ?? 'n'],
    ...resources,
    ...(isArray ? [['-J', `${array.first}-${array.last}${limitsArray ? `%${atOnce}` : ''}`] as const] : []),
  ]
  const written = (option: Option): string => option.map((word) => (word === undefined ? '' : quotePbsWord(word))).join(' ')
  const asked = task.spec.written['num_nodes'] !== undefined || task.spec.written['resources'] !== undefined
  return {
    directives: [...[...own, ...chosen].map((option) => `#PBS ${written(option)}`), ...lines(request)],
    foreignOptions: [...(asked ? resources : resources.filter(([, value]) => value?.startsWith('walltime='))), ...chosen].flatMap(
      (option) => option.filter((word) => word !== undefined),
    ),
    allocation: {
      nodes: task.numNodes,
      workDir,
      nodeList: NODE_LIST,
      launch: launchWords(attemptDir),
      rankVariable: RANK_VARIABLE,
      ...(array === undefined ? {} : { task: { variable: 'PBS_ARRAY_INDEX', offset: 0, count: array.last - array.first + 1, chunk: 1 } }),
    },
    keys: [
      { key: 'num_nodes', became: `${task.numNodes} of select${place === undefined ? '' : `, place=${place}`}` },
      { key: 'resources', became: `select=${select}` },
      {
        key: 'timeout',
        became: `${(task.timeoutMs ?? 0) / 1000} s by the node runner${limit === undefined ? '' : `; walltime=${limit} for PBS`}`,
      },
      ...(isArray
        ? [
            {
              key: 'array',
              became: own
                .filter(([name]) => name === '-J')
                .map(written)
                .join(''),
            },
          ]
        : []),
      { key: 'options', became: chosen.map(written).join(' ') },
    ],
    warnings: [
      ...warnings,
      ...(atOnce !== undefined && !limitsArray
        ? [`PBS ${facts.version} has no limit for elements at one time: max_parallel is not kept`]
        : []),
    ],
  }
}
