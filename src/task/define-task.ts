import { InputError } from '../errors.ts'
import { localFileAccess } from './file-access.ts'
import type { Located, LocatedEntry, Origin } from './located.ts'
import { refusal } from './located.ts'
import type { TaskContext } from './task-context.ts'
import { buildTaskFile } from './task-file.ts'
import type { GroupInput, TaskInput } from './task-input.ts'
import type { TaskFile } from './task-spec.ts'

const SOURCE = '<typescript>'
const MAX_DEPTH = 100

/**
 * One task, written in TypeScript: the same keys and the same checks as in YAML.
 *
 * @param context where relative paths start and where secrets come from; default: this process's directory and environment
 * @throws InputError as `parseTaskFile`, without places
 * @example
 * defineTask({ name: 'train', run: 'python train.py', resources: { memory: '4GB' }, timeout: '2h' })
 */
export function defineTask(input: TaskInput, context: Partial<TaskContext> = {}): TaskFile {
  return buildTaskFile([locate(input, {})], SOURCE, withDefaults(context))
}

/**
 * Several tasks: a graph where a task has `after`, else one after another; a parallel group with `execution: 'parallel'`.
 *
 * @throws InputError as `parseTaskFile`; messages name the task
 * @example
 * defineTasks([{ name: 'prepare', run: './prepare.sh' }, { name: 'train', run: './train.sh', after: 'prepare' }])
 */
export function defineTasks(
  inputs: readonly (TaskInput & { readonly name: string })[],
  group: GroupInput = {},
  context: Partial<TaskContext> = {},
): TaskFile {
  if (inputs.length === 0) throw new InputError('invalid_task', 'there is no task')
  const documents = inputs.map((input, index) => locate(input, { task: typeof input?.name === 'string' ? input.name : `#${index + 1}` }))
  const { name, execution, ...rest } = group
  // A header document needs `execution` to be told from a task; without it the rules of a file without header hold.
  const graph = inputs.some((input) => input?.after !== undefined) || inputs.length === 1
  const header = Object.values(group).some((value) => value !== undefined)
    ? [locate({ ...rest, name, execution: execution ?? (graph ? 'graph' : 'serial') }, {})]
    : []
  return buildTaskFile([...header, ...documents], SOURCE, withDefaults(context))
}

function withDefaults(context: Partial<TaskContext>): TaskContext {
  return {
    ...context,
    baseDirectory: context.baseDirectory ?? process.cwd(),
    environment: context.environment ?? process.env,
    overrides: context.overrides ?? {},
    files: context.files ?? localFileAccess(),
  }
}

/** JavaScript data as a located value. Numbers in envs become JavaScript's text (`0.5`, `1`), not Python's. */
function locate(value: unknown, origin: Origin, path = '', depth = 0): Located {
  if (depth > MAX_DEPTH) throw refusal(path.slice(0, 60), origin, 'is nested too deeply, or contains itself')
  if (value === null || value === undefined) return { kind: 'scalar', type: 'null', value: null, text: 'None', source: '', origin }
  if (typeof value === 'string') return { kind: 'scalar', type: 'string', value, text: value, source: value, origin }
  if (typeof value === 'boolean') return { kind: 'scalar', type: 'boolean', value, text: String(value), source: String(value), origin }
  if (typeof value === 'number') {
    const type = Number.isInteger(value) ? 'integer' : 'float'
    return { kind: 'scalar', type, value, text: String(value), source: String(value), origin }
  }
  if (Array.isArray(value)) {
    return { kind: 'list', items: value.map((item, index) => locate(item, origin, `${path}[${index}]`, depth + 1)), origin }
  }
  if (typeof value === 'object' && (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null)) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined)
    return {
      kind: 'map',
      entries: entries.map(([key, item]): LocatedEntry => {
        return { key, keyOrigin: origin, value: locate(item, origin, path === '' ? key : `${path}.${key}`, depth + 1) }
      }),
      origin,
    }
  }
  throw refusal(path, origin, `a ${typeof value === 'object' ? 'class instance' : typeof value} is not task data`)
}
