import { type LocatedAfter, readAfter } from './after.ts'
import { readArray } from './array.ts'
import { readContainer } from './container.ts'
import { parseDuration } from './durations.ts'
import { resolveEnvironment, type TaskEnvironment } from './environment.ts'
import { readFileMounts } from './file-mounts.ts'
import { FOREIGN_SHAPES } from './foreign-shapes.ts'
import { interpolateTask } from './interpolation.ts'
import { launcherShapeOf, readLauncher } from './launcher.ts'
import { get, type Located, type LocatedMap, nodeText, refusal, toPlain } from './located.ts'
import { readResources } from './resources.ts'
import { checkShape } from './shape.ts'
import { FAILURE_KINDS } from './states.ts'
import type { TaskContext } from './task-context.ts'
import { taskShape } from './task-shape.ts'
import type { RetriesSpec, RetryCondition, RunSpec, TaskSpec, WorkdirSpec } from './task-spec.ts'
import { readWorkdir } from './workdir.ts'

/** TERM to KILL where the task names no `grace`: 10 s. */
const DEFAULT_GRACE_MS = 10_000

/** A task whose `after` still has to be checked against the whole file. */
export interface BuiltTask {
  readonly spec: TaskSpec
  readonly after: readonly LocatedAfter[]
  readonly node: LocatedMap
}

/** What a bare command gives instead of the keys `run` and `workdir`. */
export interface CommandParts {
  readonly run: RunSpec
  readonly workdir: WorkdirSpec
}

/**
 * Checks one document, with flags already put over it, and turns it into a TaskSpec (without `after`).
 *
 * @throws InputError at the first thing that is wrong
 */
export function buildTask(document: LocatedMap, context: TaskContext, command?: CommandParts): BuiltTask {
  const task: LocatedMap = {
    ...document,
    entries: document.entries.filter(({ value }) => value.kind !== 'scalar' || value.type !== 'null'),
  }
  checkShape(task, taskShape, '')
  const environment = resolveEnvironment(task, context)
  const filled = interpolateTask(task, { ...environment.envs, ...environment.secrets })
  checkShape(filled, taskShape, '')
  const launcher = get(filled, 'launcher')
  if (launcher) checkShape(launcher, launcherShapeOf(launcher), 'launcher')
  const shown = interpolateTask(task, environment.envs)
  return { spec: readTask(filled, shown, environment, context, command), after: readAfterOf(filled), node: filled }
}

const readAfterOf = (task: LocatedMap) => {
  const node = get(task, 'after')
  return node ? readAfter(node) : []
}

function readTask(
  task: LocatedMap,
  shown: LocatedMap,
  environment: TaskEnvironment,
  context: TaskContext,
  command: CommandParts | undefined,
): TaskSpec {
  const number = (key: string) => {
    const node = get(task, key)
    return node?.kind === 'scalar' ? Number(node.value) : undefined
  }
  const duration = (key: string) => {
    const node = get(task, key)
    return node?.kind === 'scalar' ? parseDuration(node.value as string | number) : undefined
  }
  const name = nodeText(get(task, 'name'))
  const setup = nodeText(get(task, 'setup'))
  const workdirNode = get(task, 'workdir')
  const workdir = workdirNode ? readWorkdir(workdirNode, context) : command?.workdir
  const mounts = get(task, 'file_mounts')
  const arrayNode = get(task, 'array')
  const timeoutMs = duration('timeout')
  const processesPerNode = number('processes_per_node')
  const cpusPerProcess = number('cpus_per_process')
  const launcher = readLauncher(get(task, 'launcher'))
  const resources = get(task, 'resources')
  const container = readContainer(task)
  return {
    ...(name === undefined ? {} : { name }),
    target: nodeText(get(task, 'target')) ?? 'local',
    numNodes: number('num_nodes') ?? 1,
    resources: readResources(resources?.kind === 'map' ? resources : undefined),
    envs: environment.envs,
    secrets: environment.secrets,
    ...(workdir === undefined ? {} : { workdir }),
    fileMounts: mounts?.kind === 'map' ? readFileMounts(mounts, workdir !== undefined, context) : [],
    ...(setup === undefined ? {} : { setup }),
    run: command?.run ?? readRun(task),
    ...(container === undefined ? {} : { container }),
    ...(arrayNode === undefined ? {} : { array: readArray(arrayNode, context) }),
    retries: readRetries(get(task, 'retries')),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    graceMs: duration('grace') ?? DEFAULT_GRACE_MS,
    after: [],
    collect: readTexts(get(task, 'collect')),
    ...(processesPerNode === undefined ? {} : { processesPerNode }),
    ...(cpusPerProcess === undefined ? {} : { cpusPerProcess }),
    ...(launcher === undefined ? {} : { launcher }),
    notify: readNotify(get(task, 'notify')),
    ...readOptions(get(task, 'options')),
    ...readRemoteScript(task),
    baseDirectory: context.baseDirectory,
    foreign: readForeign(task, environment),
    written: readWritten(shown, environment, command),
  }
}

function readTexts(node: Located | undefined): readonly string[] {
  if (node?.kind === 'list') return node.items.map((item) => nodeText(item) ?? '')
  const text = nodeText(node)
  return text === undefined ? [] : [text]
}

function readRun(task: LocatedMap): RunSpec {
  const node = get(task, 'run')
  if (node?.kind === 'list') {
    const argv = readTexts(node)
    if (argv[0] === '') throw refusal('run', node.origin, 'the program has no name')
    return { kind: 'argv', argv }
  }
  const text = nodeText(node)
  // A SkyPilot pool or a set-up cluster has nothing to run; the job then ends after setup.
  if (text === undefined && !get(task, 'remote_script') && !get(task, 'setup') && !get(task, 'pool') && !get(task, 'service')) {
    throw refusal('', task.origin, 'the task has nothing to run', 'Add the key run: a script, or a list of a command and its arguments.')
  }
  return { kind: 'script', text: text ?? '' }
}

function readRetries(node: Located | undefined): RetriesSpec {
  const max = node?.kind === 'map' ? get(node, 'max') : node
  const when = node?.kind === 'map' ? readTexts(get(node, 'when')) : []
  const backoff = node?.kind === 'map' ? get(node, 'backoff') : undefined
  const conditions = when.map((text): RetryCondition => (text.startsWith('exit:') ? { exitCode: Number(text.slice(5)) } : { kind: text }))
  const all = FAILURE_KINDS.filter((kind) => kind !== 'dependency' && kind !== 'rejected').map((kind) => ({ kind }))
  return {
    max: max?.kind === 'scalar' ? Number(max.value) : 0,
    when: conditions.length > 0 ? conditions : all,
    backoffMs: backoff?.kind === 'scalar' ? (parseDuration(backoff.value as string | number) ?? 0) : 0,
  }
}

function readNotify(node: Located | undefined): TaskSpec['notify'] {
  const onStart = node?.kind === 'map' ? nodeText(get(node, 'on_start')) : undefined
  const onEnd = node?.kind === 'map' ? nodeText(get(node, 'on_end')) : undefined
  return { ...(onStart === undefined ? {} : { onStart }), ...(onEnd === undefined ? {} : { onEnd }) }
}

function readOptions(node: Located | undefined): Pick<TaskSpec, 'options'> {
  return node?.kind === 'map' ? { options: Object.fromEntries(node.entries.map(({ key, value }) => [key, toPlain(value)])) } : {}
}

function readRemoteScript(task: LocatedMap): Pick<TaskSpec, 'remoteScript'> {
  const node = get(task, 'remote_script')
  const args = get(task, 'args')
  const path = nodeText(node)
  if (node === undefined || path === undefined) {
    if (args)
      throw refusal('args', args.origin, 'args belong to remote_script', 'Write arguments into run: a list of a command and its arguments.')
    return {}
  }
  const beside = ['run', 'setup', 'launcher', 'image', 'container'].find((key) => get(task, key))
  if (beside !== undefined)
    throw refusal(
      'remote_script',
      node.origin,
      `remote_script and ${beside} exclude each other: the script on the target is submitted as it is`,
    )
  if (!/^(\/|~\/)/.test(path))
    throw refusal('remote_script', node.origin, 'the script must be named by an absolute path, or one below the home there: ~/job.sh')
  return { remoteScript: { path, args: readTexts(args) } }
}

function readForeign(task: LocatedMap, environment: TaskEnvironment): Readonly<Record<string, unknown>> {
  const entries = task.entries
    .filter(({ key }) => Object.hasOwn(FOREIGN_SHAPES, key))
    .map(({ key, value }) => [key, toPlain(value)] as const)
  const managed = environment.managedSecrets.length > 0 ? [['secrets', environment.managedSecrets] as const] : []
  return Object.fromEntries([...entries, ...managed])
}

/** The keys as written, flags and `--env` included; of secrets only the names. */
function readWritten(task: LocatedMap, environment: TaskEnvironment, command: CommandParts | undefined): Readonly<Record<string, unknown>> {
  const written = new Map(task.entries.map(({ key, value }) => [key, toPlain(value)]))
  if (Object.keys(environment.envs).length > 0) written.set('envs', environment.envs)
  else written.delete('envs')
  if (command?.run.kind === 'argv') written.set('run', command.run.argv)
  const names = [...Object.keys(environment.secrets), ...environment.managedSecrets]
  if (names.length > 0) written.set('secrets', names)
  return Object.fromEntries(written)
}
