import { imageOverride } from './container.ts'
import type { Assignments } from './environment.ts'
import { launcherOverride } from './launcher-override.ts'
import {
  get,
  type Located,
  type LocatedEntry,
  type LocatedMap,
  type LocatedScalar,
  type Origin,
  refusal,
  set,
  textNode,
  without,
} from './located.ts'
import { resolvePlainScalar } from './python-scalars.ts'

/** What flags of the command line (or a caller) put over a file's keys, each checked by the same rules as the key. */
export interface TaskOverrides {
  readonly name?: string
  readonly target?: string
  readonly numNodes?: string | number
  readonly cpus?: string | number
  readonly memory?: string | number
  /** `H100:8`; replaces `accelerators`. */
  readonly gpus?: string
  readonly diskSize?: string | number
  readonly priority?: string | number
  readonly envs?: Assignments
  /** Path of a file with `NAME=VALUE` lines; under `envs`. */
  readonly envFile?: string
  readonly secrets?: Assignments
  readonly workdir?: string
  readonly setup?: string
  /** Replaces the file's `run`. */
  readonly run?: string
  /** One of the array forms; replaces the file's `array`, but keeps its `max_parallel` unless that is given too. */
  readonly arrayCount?: string | number
  /** `0-9`, `0-99:10` (ends included). */
  readonly arrayRange?: string
  readonly arrayValues?: readonly string[]
  readonly arrayFile?: string
  /** `NAME=a,b,c` each, or an object of lists. */
  readonly arrayMatrix?: readonly string[] | Readonly<Record<string, readonly string[]>>
  readonly maxParallel?: string | number
  readonly retries?: string | number
  readonly retryWhen?: readonly string[]
  readonly backoff?: string | number
  readonly timeout?: string | number
  readonly grace?: string | number
  /** `NAME`, `NAME=any`, `NAME=failed`; a name that no task of the file has is taken as a job's id. */
  readonly after?: readonly string[]
  readonly collect?: readonly string[]
  readonly processesPerNode?: string | number
  readonly cpusPerProcess?: string | number
  /** Image of the container; the rest of the file's `container` stays. */
  readonly image?: string
  readonly launcher?: string
  /** `NAME=VALUE` each, of the launcher of the flag or the file. */
  readonly launcherOptions?: readonly string[]
  /** `NAME=VALUE`, for the target's own kind; `native.NAME=VALUE` for one of its own options. */
  readonly options?: readonly string[]
  readonly notifyOnStart?: string
  readonly notifyOnEnd?: string
}

function listNode(items: readonly Located[], origin: Origin): Located {
  return { kind: 'list', items, origin }
}

function mapNode(pairs: readonly (readonly [string, Located])[], origin: Origin): LocatedMap {
  return { kind: 'map', entries: pairs.map(([key, value]): LocatedEntry => ({ key, keyOrigin: origin, value })), origin }
}

/** A flag's value where the key takes numbers: `2` becomes a number as in YAML. */
function plain(value: string | number, flag: string): LocatedScalar {
  return resolvePlainScalar(String(value), { flag })
}

function child(task: LocatedMap, key: string): LocatedMap {
  const value = get(task, key)
  return value?.kind === 'map' ? value : { kind: 'map', entries: [], origin: value?.origin ?? task.origin }
}

/** Puts flags over the keys of one task's document. `after` is handled with the whole file, envs and secrets with the environment. */
export function applyOverrides(task: LocatedMap, overrides: TaskOverrides): LocatedMap {
  let result = task
  const put = (key: string, value: Located | undefined) => {
    if (value) result = set(result, key, value)
  }
  const string = (value: string | undefined, flag: string) => (value === undefined ? undefined : textNode(value, { flag }))
  const number = (value: string | number | undefined, flag: string) => (value === undefined ? undefined : plain(value, flag))

  put('name', string(overrides.name, '--name'))
  put('target', string(overrides.target, '--target'))
  put('num_nodes', number(overrides.numNodes, '--num-nodes'))
  put('workdir', string(overrides.workdir, '--workdir'))
  put('setup', string(overrides.setup, '--setup'))
  put('run', string(overrides.run, 'run'))
  put('timeout', number(overrides.timeout, '--timeout'))
  put('grace', number(overrides.grace, '--grace'))
  put('processes_per_node', number(overrides.processesPerNode, '--processes-per-node'))
  put('cpus_per_process', number(overrides.cpusPerProcess, '--cpus-per-process'))
  if (overrides.collect) {
    const origin = { flag: '--collect' }
    put(
      'collect',
      listNode(
        overrides.collect.map((glob) => textNode(glob, origin)),
        origin,
      ),
    )
  }
  if (overrides.image !== undefined) result = imageOverride(result, overrides.image)
  put('launcher', launcherOverride(get(result, 'launcher'), overrides))
  put('array', arrayOverride(result, overrides))
  put('retries', retriesOverride(result, overrides))

  for (const option of overrides.options ?? []) put('options', optionOverride(child(result, 'options'), option))

  const notify: [string, Located][] = []
  if (overrides.notifyOnStart !== undefined) notify.push(['on_start', textNode(overrides.notifyOnStart, { flag: '--notify-on-start' })])
  if (overrides.notifyOnEnd !== undefined) notify.push(['on_end', textNode(overrides.notifyOnEnd, { flag: '--notify-on-end' })])
  if (notify.length > 0)
    put(
      'notify',
      notify.reduce((map, [key, value]) => set(map, key, value), child(result, 'notify')),
    )

  const resources: [string, LocatedScalar][] = []
  if (overrides.cpus !== undefined) resources.push(['cpus', plain(overrides.cpus, '--cpus')])
  if (overrides.memory !== undefined) resources.push(['memory', plain(overrides.memory, '--memory')])
  if (overrides.gpus !== undefined) resources.push(['accelerators', textNode(overrides.gpus, { flag: '--gpus' })])
  if (overrides.diskSize !== undefined) resources.push(['disk_size', plain(overrides.diskSize, '--disk-size')])
  if (overrides.priority !== undefined) resources.push(['priority', plain(overrides.priority, '--priority')])
  if (resources.length > 0) put('resources', resourcesOverride(result, resources))
  return result
}

/** A value is read as YAML reads it; a dot leads into a mapping. */
function optionOverride(options: LocatedMap, option: string): LocatedMap {
  const origin = { flag: '--option' }
  const equals = option.indexOf('=')
  if (equals < 1) throw refusal('', origin, `${JSON.stringify(option.slice(0, 60))} is not NAME=VALUE`)
  const [name = '', ...inner] = option.slice(0, equals).split('.')
  const value = resolvePlainScalar(option.slice(equals + 1), origin)
  return set({ ...options, origin }, name, inner.length === 0 ? value : set(child(options, name), inner.join('.'), value))
}

/** A flag holds for every candidate: it is set once, and the candidates of `any_of` and `ordered` lose their own. */
function resourcesOverride(task: LocatedMap, values: readonly (readonly [string, LocatedScalar])[]): LocatedMap {
  const keys = values.flatMap(([key]) => (key === 'accelerators' ? ['accelerators', 'gpus'] : [key]))
  let resources = without(child(task, 'resources'), keys)
  for (const alternatives of ['any_of', 'ordered']) {
    const list = get(resources, alternatives)
    if (list?.kind !== 'list') continue
    const items = list.items.map((item) => (item.kind === 'map' ? without(item, keys) : item))
    resources = set(resources, alternatives, { ...list, items })
  }
  for (const [key, value] of values) resources = set(resources, key, value)
  return resources
}

function arrayOverride(task: LocatedMap, overrides: TaskOverrides): Located | undefined {
  const { arrayCount, arrayRange, arrayValues, arrayFile, arrayMatrix, maxParallel } = overrides
  const forms: [string, Located][] = []
  if (arrayCount !== undefined) forms.push(['count', plain(arrayCount, '--array')])
  if (arrayRange !== undefined) forms.push(['range', textNode(arrayRange, { flag: '--array-range' })])
  if (arrayValues !== undefined) {
    const origin = { flag: '--array-values' }
    forms.push([
      'values',
      listNode(
        arrayValues.map((one) => textNode(one, origin)),
        origin,
      ),
    ])
  }
  if (arrayFile !== undefined) forms.push(['file', textNode(arrayFile, { flag: '--array-file' })])
  if (arrayMatrix !== undefined) forms.push(['matrix', matrixNode(arrayMatrix)])
  if (forms.length > 1) throw refusal('', {}, `${forms.map(([, value]) => value.origin.flag).join(' and ')} exclude each other`)
  const written = get(task, 'array')
  if (forms.length === 0 && maxParallel === undefined) return undefined
  const origin = forms[0]?.[1].origin ?? written?.origin ?? { flag: '--max-parallel' }
  const old: LocatedMap = written?.kind === 'map' ? written : mapNode(written ? [['count', written]] : [], origin)
  let array = forms.length > 0 ? without(old, ['count', 'range', 'values', 'file', 'matrix']) : old
  for (const [key, value] of forms) array = set({ ...array, origin }, key, value)
  return maxParallel === undefined ? array : set(array, 'max_parallel', plain(maxParallel, '--max-parallel'))
}

function matrixNode(given: readonly string[] | Readonly<Record<string, readonly string[]>>): LocatedMap {
  const origin = { flag: '--array-matrix' }
  const pairs = Array.isArray(given)
    ? (given as readonly string[]).map((text): readonly [string, readonly string[]] => {
        const equals = text.indexOf('=')
        if (equals < 1) throw refusal('', origin, `"${text.slice(0, 60)}" is not NAME=VALUE,VALUE`)
        return [text.slice(0, equals), text.slice(equals + 1).split(',')]
      })
    : Object.entries(given as Readonly<Record<string, readonly string[]>>)
  return mapNode(
    pairs.map(
      ([name, values]) =>
        [
          name,
          listNode(
            values.map((value) => textNode(value, origin)),
            origin,
          ),
        ] as const,
    ),
    origin,
  )
}

function retriesOverride(task: LocatedMap, overrides: TaskOverrides): Located | undefined {
  const { retries, retryWhen, backoff } = overrides
  if (retries === undefined && retryWhen === undefined && backoff === undefined) return undefined
  const written = get(task, 'retries')
  const origin = written?.origin ?? { flag: retries === undefined ? (retryWhen === undefined ? '--backoff' : '--retry-when') : '--retries' }
  let result: LocatedMap = written?.kind === 'map' ? written : mapNode(written ? [['max', written]] : [], origin)
  if (retries !== undefined) result = set(result, 'max', plain(retries, '--retries'))
  if (retryWhen !== undefined) {
    const flag = { flag: '--retry-when' }
    result = set(
      result,
      'when',
      listNode(
        retryWhen.map((one) => textNode(one, flag)),
        flag,
      ),
    )
  }
  if (backoff !== undefined) result = set(result, 'backoff', plain(backoff, '--backoff'))
  return result
}
