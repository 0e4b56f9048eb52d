import { CONTAINER_SHAPES } from './container.ts'
import { DURATION_FORMS, parseDuration } from './durations.ts'
import { FOREIGN_SHAPES, fileMountsShape } from './foreign-shapes.ts'
import { launcherShape } from './launcher.ts'
import { ENVIRONMENT_NAME_FORMS, isEnvironmentName, isName, NAME_FORMS } from './names.ts'
import { resourcesShape } from './resource-shapes.ts'
import { anything, dict, either, list, parsed, record, type Shape, text, whole } from './shape.ts'
import { FAILURE_KINDS } from './states.ts'
import { workdirShape } from './workdir.ts'

/** Largest array; beyond it the bookkeeping of elements alone would fill the store. */
export const MAX_ARRAY_SIZE = 10_000_000

const noNul = (node: { readonly text: string }) => !node.text.includes('\0')
const name = text({ accept: (node) => isName(node.text), allowed: NAME_FORMS })
const line = text({ accept: (node) => node.text !== '' && noNul(node), allowed: 'a string that is not empty' })
const duration = parsed('a duration', DURATION_FORMS, parseDuration)
const positiveDuration = parsed('a duration', `${DURATION_FORMS}; above 0`, (value) => parseDuration(value) || undefined)
const anyScalar = (rule: { secret?: true } = {}): Shape => ({
  is: 'scalar',
  types: ['string', 'integer', 'float', 'boolean', 'timestamp', 'null'],
  noun: 'a plain value',
  accept: noNul,
  allowed: 'text without NUL characters',
  ...rule,
})
const environmentKeys = { key: isEnvironmentName, keyForms: ENVIRONMENT_NAME_FORMS }
const MANAGED_SECRET = /^secrets:(?:(?:personal|workspace|global)\.)?[A-Za-z0-9_.-]+$/

/** True for one entry of `retries.when`: a failure kind, or `exit:CODE`. */
export function isRetryCondition(condition: string): boolean {
  const code = /^exit:(\d{1,3})$/.exec(condition)
  return code ? Number(code[1]) >= 1 && Number(code[1]) <= 255 : (FAILURE_KINDS as readonly string[]).includes(condition)
}
const retryCondition = text({ accept: (node) => isRetryCondition(node.text), allowed: `${FAILURE_KINDS.join(', ')}, exit:CODE (1 to 255)` })

const element: Shape = {
  is: 'scalar',
  types: ['string', 'integer', 'float', 'boolean', 'timestamp'],
  noun: 'a string, a number or a boolean',
  accept: noNul,
  allowed: 'text without NUL characters',
}
const arrayShape = either(
  'a number of elements, or a mapping with one of count, range, values, file, matrix',
  whole(1, MAX_ARRAY_SIZE),
  record({
    count: whole(1, MAX_ARRAY_SIZE),
    range: either(
      'a text as "0-9" or "0-99:10" (ends included), a list [start, stop] or [start, stop, step] (stop excluded), or a mapping of them',
      whole(1, MAX_ARRAY_SIZE),
      text(),
      list(whole(), { min: 1, max: 3 }),
      record({ start: whole(), stop: whole(), step: whole() }, { required: ['stop'] }),
    ),
    values: list(element, { min: 1 }),
    file: line,
    matrix: dict(list(element, { min: 1 }), environmentKeys),
    max_parallel: whole(1),
  }),
)

const condition = text({ accept: (node) => ['ok', 'any', 'failed'].includes(node.text), allowed: 'ok, any, failed' })
const upstreamMap = dict(condition)
const afterShape = either(
  'a list of task names, or a mapping of task name to ok, any or failed',
  line,
  list(either('a task name, {task: NAME, condition: ok|any|failed}, or {NAME: ok|any|failed}', line, dict(line))),
  upstreamMap,
)

const secretly = (allowed: string, ...of: Shape[]): Shape => ({ is: 'either', of, allowed, secret: true })

/** Keys of Drover's own. */
const DROVER_SHAPES: Readonly<Record<string, Shape>> = {
  target: name,
  ...CONTAINER_SHAPES,
  array: arrayShape,
  retries: either(
    'a number of retries, or a mapping with max, when, backoff',
    whole(0, 1000),
    record(
      {
        max: whole(0, 1000),
        when: either('a condition or a list of them', retryCondition, list(retryCondition, { min: 1 })),
        backoff: duration,
      },
      { required: ['max'] },
    ),
  ),
  timeout: positiveDuration,
  grace: duration,
  after: afterShape,
  collect: either('a glob, or a list of globs', line, list(line)),
  processes_per_node: whole(1, 100_000),
  cpus_per_process: whole(1, 100_000),
  launcher: launcherShape,
  notify: record({ on_start: line, on_end: line }),
  options: dict(anything),
  remote_script: line,
  args: list(text({ accept: noNul })),
}

/** A whole task: SkyPilot's keys and Drover's. */
export const taskShape: Shape = record({
  name,
  workdir: workdirShape,
  num_nodes: whole(1, 1_000_000),
  resources: resourcesShape,
  envs: dict(anyScalar(), environmentKeys),
  secrets: secretly(
    'a mapping of name to value, or a list of "secrets:NAME"',
    dict(anyScalar({ secret: true }), environmentKeys),
    list(
      text({
        secret: true,
        accept: (node) => MANAGED_SECRET.test(node.text),
        allowed: '"secrets:NAME", "secrets:personal.NAME" (workspace, global)',
      }),
    ),
  ),
  file_mounts: fileMountsShape,
  setup: text({ accept: noNul, allowed: 'text without NUL characters' }),
  run: either(
    'a script, or a list of one command and its arguments',
    text({ accept: noNul, allowed: 'text without NUL characters' }),
    list(text({ accept: noNul }), { min: 1 }),
  ),
  ...FOREIGN_SHAPES,
  ...DROVER_SHAPES,
})

/** First document of a pipeline or a parallel group. */
export const headerShape: Shape = record({
  name,
  execution: text({ accept: (node) => ['serial', 'parallel', 'graph'].includes(node.text), allowed: 'serial, parallel, graph' }),
  primary_tasks: list(line, { min: 1, unique: true }),
  termination_delay: either('a duration, or a mapping of task name (or default) to duration', duration, dict(duration)),
})
