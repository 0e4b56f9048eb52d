import type { OptionRefusal } from '../../targets/parse-config.ts'
import { nativeOptions, refuseNative } from './pbs-native.ts'
import { beginTime } from './pbs-times.ts'

/** Options of a PBS target and of a task on one (`options:`). */
export interface PbsOptions {
  readonly queue?: string
  readonly account?: string
  readonly project?: string
  readonly priority?: string
  /** As qsub -a takes it: `202612010800.00`. */
  readonly begin?: string
  readonly hold: boolean
  readonly place?: string
  readonly exclusive: boolean
  /** Further resources of every chunk, as written between colons: `arch=linux:host=node2`. */
  readonly chunk: readonly string[]
  /** `-l walltime`, where the task has no timeout. */
  readonly walltime?: string
  /** Pairs of `-W`. */
  readonly attributes: readonly string[]
  /** Conditions beside those of `after`: `afterany:12.server`. */
  readonly dependency?: string
  readonly mail?: string
  readonly mailUser?: string
  /** The site's name of the resource that counts GPUs. */
  readonly gpuResource: string
  /** The site's name of the chunk resource that tells kinds of GPUs apart. */
  readonly gpuTypeResource?: string
  /** Options by their own letters, as words. */
  readonly native: readonly (readonly [string, string?])[]
}

/** What a text option takes, and how it looks. */
const TEXTS: Readonly<Record<string, readonly [must: string, pattern: RegExp]>> = {
  queue: ['the name of a queue or reservation: workq, R123, workq@server', /^[^\s,]+$/],
  account: ['an account as -A takes it', /./],
  project: ['a project as -P takes it', /^[^[\]#/:|<>+;,?*\s]+$/],
  group_list: ['groups as -W group_list takes them: physics,chem@host', /^[^\s]+$/],
  place: ['a placement as -l place takes it: scatter:excl, pack, free:shared', /^[a-z]+(:[\w=]+)*$/],
  walltime: ['a time limit as -l walltime takes it: 02:00:00 (timeout of the task stands above it)', /^\d+(:\d\d){0,2}$/],
  dependency: ['as -W depend takes it: afterany:12.server', /^[a-z]+:[^\s"']+$/],
  mail: ['events as -m takes them: n, or letters of abe', /^(n|[abej]+)$/],
  mail_user: ['addresses as -M takes them', /^[^\s]+$/],
  umask: ['as -W umask takes it: 022', /^[0-7]{1,4}$/],
  gpu_resource: ['the name of the resource that counts GPUs: ngpus', /^[A-Za-z]\w*$/],
  gpu_type_resource: ['the name of the chunk resource that tells kinds of GPUs apart: gpu_type', /^[A-Za-z]\w*$/],
}

/** Names of all options. */
export const pbsOptionNames: readonly string[] = [...Object.keys(TEXTS), 'priority', 'begin', 'hold', 'exclusive', 'select', 'native']

/** Resources of a chunk that Drover writes → what to use in their place. */
const RESERVED_CHUNK: Readonly<Record<string, string>> = {
  ncpus: 'use resources.cpus',
  mem: 'use resources.memory',
  ngpus: 'use resources.accelerators',
  mpiprocs: 'use processes_per_node',
}

const outer = (must: string): OptionRefusal => ({ path: [], must })
const isPlain = (value: unknown): value is string | number => typeof value === 'number' || (typeof value === 'string' && value !== '')

function refuseChunk(value: unknown): OptionRefusal | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return outer('further resources of each chunk: {arch: linux, host: node2}')
  for (const [name, inner] of Object.entries(value)) {
    if (!/^[A-Za-z]\w*$/.test(name)) return { path: [name], must: 'the name of a resource' }
    const own = RESERVED_CHUNK[name]
    if (own !== undefined) return { path: [name], must: `left out: Drover writes ${name} itself (${own})` }
    const fine = typeof inner === 'boolean' || (isPlain(inner) && /^[^\s:+"']+$/.test(String(inner)))
    if (!fine) return { path: [name], must: 'a value without blanks, quotes, ":" and "+"' }
  }
  return undefined
}

/** What is wrong with an option; undefined for a value that may be used. */
export function refusePbsOption(name: string, value: unknown): string | OptionRefusal | undefined {
  const text = TEXTS[name]
  if (text !== undefined) {
    const [must, pattern] = text
    const written = String(value)
    return isPlain(value) && pattern.test(written) && !/[\0\n\r]/.test(written) && !(/"/.test(written) && /'/.test(written))
      ? undefined
      : must
  }
  switch (name) {
    case 'priority':
      return typeof value === 'number' && Number.isInteger(value) && value >= -1024 && value <= 1023
        ? undefined
        : 'a number from -1024 to 1023'
    case 'begin':
      return beginTime(value) === undefined ? 'a time: 2026-12-01T08:00, or as -a takes it (202612010800)' : undefined
    case 'hold':
    case 'exclusive':
      return typeof value === 'boolean' ? undefined : 'true or false'
    case 'select':
      return refuseChunk(value)
    default:
      return name === 'native' ? refuseNative(value) : `one of ${pbsOptionNames.join(', ')}`
  }
}

/** PBS's word for a value. */
const word = (value: unknown): string => (typeof value === 'boolean' ? (value ? 'True' : 'False') : String(value))

/** Reads options that `refusePbsOption` lets pass; the task's over the target's. */
export function parsePbsOptions(options: Readonly<Record<string, unknown>>): PbsOptions {
  const text = (name: string): string | undefined => (isPlain(options[name]) ? String(options[name]) : undefined)
  const [queue, account, project, place] = [text('queue'), text('account'), text('project'), text('place')]
  const [priority, walltime, dependency, mail] = [text('priority'), text('walltime'), text('dependency'), text('mail')]
  const [mailUser, gpuTypeResource, begin] = [text('mail_user'), text('gpu_type_resource'), beginTime(options['begin'])]
  const chunk = typeof options['select'] === 'object' && options['select'] !== null ? Object.entries(options['select']) : []
  const given = (name: string): readonly string[] => (text(name) === undefined ? [] : [`${name}=${text(name)}`])
  return {
    ...(queue === undefined ? {} : { queue }),
    ...(account === undefined ? {} : { account }),
    ...(project === undefined ? {} : { project }),
    ...(priority === undefined ? {} : { priority }),
    ...(begin === undefined ? {} : { begin }),
    ...(place === undefined ? {} : { place }),
    ...(walltime === undefined ? {} : { walltime }),
    ...(dependency === undefined ? {} : { dependency }),
    ...(mail === undefined ? {} : { mail }),
    ...(mailUser === undefined ? {} : { mailUser }),
    ...(gpuTypeResource === undefined ? {} : { gpuTypeResource }),
    hold: options['hold'] === true,
    exclusive: options['exclusive'] === true,
    chunk: chunk.map(([name, value]) => `${name}=${word(value)}`),
    attributes: [...given('group_list'), ...given('umask')],
    gpuResource: text('gpu_resource') ?? 'ngpus',
    native: nativeOptions(options['native']),
  }
}
