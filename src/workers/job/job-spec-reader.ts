import { InputError } from '../../errors.ts'
import { nearestName } from '../../task/nearest-name.ts'

/** A `JobSpec` with pydantic's defaults put in; null is undefined. */
export interface JobSpec {
  readonly job_name: string
  readonly command: string
  readonly resource: {
    readonly nodes: number
    readonly cores_per_node: number | undefined
    readonly memory_gb: number | undefined
    readonly gpus_per_node: number | undefined
  }
  readonly account: string | undefined
  readonly mpi: { readonly max_proc_per_node: number | undefined; readonly proc: number | undefined } | undefined
  readonly user: { readonly mail: string | undefined } | undefined
  readonly container:
    | {
        readonly image: string
        readonly engine: string
        readonly name: string | undefined
        readonly extra_args: Readonly<Record<string, string | undefined>>
        readonly env_file: string | undefined
      }
    | undefined
  readonly walltime: string
  readonly queue: string | undefined
  readonly output_path: string | undefined
  readonly error_path: string | undefined
  readonly extra_scheduler_args: Readonly<Record<string, string | undefined>>
  readonly environment: Readonly<Record<string, string>>
  readonly include_no_check_directory_flag: boolean
}

/** Throws InputError `invalid_argument` naming the field that is unknown, missing or malformed. */
export function checkSpec(document: unknown): JobSpec {
  const spec = fields(document, '', SPEC)
  const mpi = optional(spec['mpi'], (value) => fields(value, 'mpi', ['max_proc_per_node', 'proc']))
  const user = optional(spec['user'], (value) => fields(value, 'user', ['mail']))
  const container = optional(spec['container'], (value) =>
    fields(value, 'container', ['image', 'engine', 'name', 'extra_args', 'env_file']),
  )
  const resource = fields(spec['resource'] ?? refuse('resource', 'is missing'), 'resource', RESOURCE)
  const proc = count(mpi, 'mpi', 'proc', undefined)
  return {
    job_name: text(spec, '', 'job_name') ?? refuse('job_name', 'is missing'),
    command: text(spec, '', 'command') ?? refuse('command', 'is missing'),
    resource: {
      nodes: count(resource, 'resource', 'nodes', 1) ?? refuse('resource.nodes', 'is null'),
      cores_per_node: count(resource, 'resource', 'cores_per_node', 1),
      memory_gb: count(resource, 'resource', 'memory_gb', 4),
      gpus_per_node: count(resource, 'resource', 'gpus_per_node', 0, 0),
    },
    account: text(spec, '', 'account'),
    // Its default of 1 would contradict a `proc` that says more.
    mpi: mpi && { proc, max_proc_per_node: count(mpi, 'mpi', 'max_proc_per_node', proc === undefined ? 1 : undefined) },
    user: user && { mail: text(user, 'user', 'mail') },
    container: container && {
      image: text(container, 'container', 'image') ?? refuse('container.image', 'is missing'),
      engine: text(container, 'container', 'engine') ?? refuse('container.engine', 'is missing'),
      name: text(container, 'container', 'name'),
      extra_args: texts(container['extra_args'], 'container.extra_args'),
      env_file: text(container, 'container', 'env_file'),
    },
    walltime: text(spec, '', 'walltime') ?? '01:00:00',
    queue: text(spec, '', 'queue'),
    output_path: text(spec, '', 'output_path'),
    error_path: text(spec, '', 'error_path'),
    extra_scheduler_args: texts(spec['extra_scheduler_args'], 'extra_scheduler_args'),
    environment: variables(spec['environment']),
    include_no_check_directory_flag: spec['include_no_check_directory_flag'] === true,
  }
}

const SPEC = [
  ...['job_name', 'command', 'resource', 'account', 'mpi', 'user', 'container', 'walltime', 'queue', 'output_path', 'error_path'],
  ...['extra_scheduler_args', 'environment', 'include_no_check_directory_flag'],
]
const RESOURCE = ['nodes', 'cores_per_node', 'memory_gb', 'gpus_per_node']

function refuse(field: string, what: string, hint?: string): never {
  throw new InputError('invalid_argument', `JobSpec: ${field} ${what}`, hint === undefined ? {} : { hint })
}

type Fields = Readonly<Record<string, unknown>>

function fields(value: unknown, path: string, known: readonly string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(path || 'the document', 'is no object')
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue
    const nearest = nearestName(key, known)
    refuse(
      path === '' ? key : `${path}.${key}`,
      'is no field of it',
      nearest === undefined ? `It has ${known.join(', ')}.` : `Did you mean "${nearest}"?`,
    )
  }
  return value as Fields
}

function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined || value === null ? undefined : read(value)
}

function text(of: Fields, path: string, key: string): string | undefined {
  const value = of[key]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string' || value === '' || value.includes('\0')) refuse(path === '' ? key : `${path}.${key}`, 'must be a text')
  return value
}

/** A whole number; absent: the default, null: undefined. */
function count(of: Fields | undefined, path: string, key: string, otherwise: number | undefined, least = 1): number | undefined {
  const value = of?.[key]
  if (value === undefined) return otherwise
  if (value === null) return undefined
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least)
    refuse(`${path}.${key}`, `must be a whole number of at least ${least}`)
  return value
}

function texts(value: unknown, path: string): Readonly<Record<string, string | undefined>> {
  if (value === undefined || value === null) return {}
  const read = fields(value, path, Object.keys(value))
  return Object.fromEntries(Object.keys(read).map((key) => [key, text(read, path, key)]))
}

function variables(value: unknown): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {}
  const read = fields(value, 'environment', Object.keys(value))
  return Object.fromEntries(
    Object.entries(read).map(([name, each]) => [name, typeof each === 'string' ? each : refuse(`environment.${name}`, 'must be a text')]),
  )
}
