import { InputError } from '../errors.ts'
import type { ResolvedTask } from '../executors/executor.ts'
import { resolveTask } from '../executors/resolve-task.ts'
import { packageCodeAt, packageMounts } from '../packaging/package-code.ts'
import type { NewJob } from '../store/store.ts'
import { factsOf } from '../targets/site-facts.ts'
import { COMMAND_SOURCE, type TaskFile, type TaskSpec } from '../task/task-spec.ts'
import { type Transport, transportAt } from '../transports/transport.ts'
import { newJobId } from './job-ids.ts'
import { launcherSecrets } from './launcher-secrets.ts'
import { hideSecrets } from './secret-texts.ts'
import type { NamedTarget, OpenTarget } from './target-set.ts'

/** One task on its way into the store. */
export interface Submission {
  readonly job: NewJob
  readonly task: ResolvedTask
  readonly secrets: Readonly<Record<string, string>>
}

export interface SubmissionContext {
  /** Opens the target on first use. Throws `unknown_target`. */
  target(place: NamedTarget): Promise<OpenTarget>
  /** All targets that are open or can be, for refusals. */
  others(except: NamedTarget): readonly { readonly name: string; readonly capabilities: OpenTarget['executor']['capabilities'] }[]
  /** An upstream that is no task of the file: the id of the earlier job it means, if there is one. */
  findJob(selector: string): Promise<string | undefined>
  /** The address of a registered database. */
  databaseUri(name: string): Promise<string>
  readonly clientDirectory: string | undefined
  now(): number
}

/** Resolves every task of a file, gives ids, packages code. Nothing is stored: any refusal refuses the whole file. */
export async function prepareSubmission(file: TaskFile, context: SubmissionContext): Promise<readonly Submission[]> {
  const ids = file.tasks.map(() => newJobId())
  const idOf = (name: string): string | undefined => ids[file.tasks.findIndex((task) => task.name === name)]
  const groupId = file.tasks.length > 1 ? newJobId() : undefined
  const submissions: Submission[] = []
  // Of all tasks of a file the same is asked once: a hundred of them mean one reading of the configuration, one package of the code.
  const packaged = once<ResolvedTask['code']>()
  const opened = once<OpenTarget>()
  const compiled = new Set<string>()
  const others = new Map<string, ReturnType<SubmissionContext['others']>>()
  for (const [index, written] of file.tasks.entries()) {
    const spec = { ...written, secrets: { ...(await launcherSecrets(written.launcher, context.databaseUri)), ...written.secrets } }
    const place = { target: spec.target, ...(context.clientDirectory === undefined ? {} : { clientDirectory: context.clientDirectory }) }
    const target = await opened(spec.target, () => context.target(place))
    if (!others.has(spec.target)) others.set(spec.target, context.others(place))
    const upstreams = await upstreamIds(spec, idOf, context)
    const base = {
      target: target.name,
      kind: target.executor.kind,
      capabilities: target.executor.capabilities,
      site: target.site,
      others: others.get(spec.target) ?? [],
      definition: target.definition,
      upstreams: Object.fromEntries(upstreams.map(({ name, id }) => [name, `${target.site.root}/jobs/${id}/work/0`])),
    }
    // Refusals come before the work of packaging.
    const example = resolveTask(spec, base)
    // A scheduler's own options are read by its compiler; of tasks that differ in their names alone it takes or refuses all.
    if (target.executor.capabilities.capacity === 'scheduler') {
      const shape = JSON.stringify({ ...example, name: '', spec: { ...example.spec, name: '' } })
      if (!compiled.has(shape)) target.executor.plan(example, target.site, { jobId: 'example', attempt: 1 })
      compiled.add(shape)
    }
    const nodes = nodePlaces(target)
    // Code for other machines is frozen here, and shipped to the nodes that a job gets.
    const keeper = nodes === undefined ? target : await opened('local of the supervisor', () => context.target({ target: 'local' }))
    const workdir = workdirFor(file, spec, nodes !== undefined)
    const code =
      workdir === undefined
        ? undefined
        : await packaged(`${target.name} ${JSON.stringify(workdir)}`, () =>
            packageCodeAt(workdir, workdir.kind === 'link' && nodes ? nodes : [{ root: keeper.site.root, transport: keeper.transport }]),
          )
    const resolved = code === undefined ? example : resolveTask(spec, { ...base, code })
    const mounts = await packageMounts(spec.fileMounts, keeper.site.root, keeper.transport)
    const companionOf = companionOfPrimaries(file, spec, idOf)
    const task: ResolvedTask = {
      ...resolved,
      mounts,
      ...(keeper === target ? {} : { bundlesFrom: keeper.site.root }),
      ...(companionOf === undefined ? {} : { companionOf }),
      ...(context.clientDirectory === undefined ? {} : { clientDirectory: context.clientDirectory }),
    }
    const id = ids[index] ?? newJobId()
    submissions.push({
      task,
      secrets: spec.secrets,
      job: {
        id,
        name: task.name,
        target: target.name,
        kind: target.executor.kind,
        ...(groupId === undefined ? {} : { groupId }),
        priority: task.priority,
        createdAt: context.now(),
        task: JSON.stringify(withoutSecrets(task, spec)),
        ...(task.array ? { elementCount: task.array.size } : {}),
        after: upstreams.map(({ id: upstream, condition }) => ({ upstream, condition })),
      },
    })
  }
  return submissions
}

/** Remembers what was made for a key. */
function once<Value>(): (key: string, make: () => Promise<Value>) => Promise<Value> {
  const made = new Map<string, Promise<Value>>()
  return (key, make) => {
    const before = made.get(key)
    if (before !== undefined) return before
    const value = make()
    made.set(key, value)
    return value
  }
}

/** The nodes of a target of several machines, or the one that is not this machine. */
function nodePlaces({ transport, site }: OpenTarget): readonly { readonly root: string; readonly transport: Transport }[] | undefined {
  if (transport.nodes === undefined && transport.remote) return [{ root: site.root, transport }]
  return transport.nodes?.map((node) => ({ root: factsOf(site, node).root, transport: transportAt(transport, node) }))
}

/** A bare command runs where it was typed; on other machines that directory is shipped. */
function workdirFor(file: TaskFile, { workdir }: TaskSpec, elsewhere: boolean): TaskSpec['workdir'] {
  if (!elsewhere || workdir?.kind !== 'link' || file.source !== COMMAND_SOURCE) return workdir
  return { kind: 'directory', path: workdir.path }
}

/** A task of a parallel group that names primary tasks and not this one ends with them. */
function companionOfPrimaries(
  { execution, primaryTasks, terminationDelayMs }: TaskFile,
  { name = '' }: TaskSpec,
  idOf: (name: string) => string | undefined,
): ResolvedTask['companionOf'] {
  if (execution !== 'parallel' || primaryTasks.length === 0 || primaryTasks.includes(name)) return undefined
  const jobs = primaryTasks.map(idOf).filter((id) => id !== undefined)
  return { jobs, delayMs: terminationDelayMs[name] ?? terminationDelayMs['*'] ?? 0 }
}

/**
 * The task as it is stored: names stand for secrets in the paths of mounts, which staging fills in again; other keys that may
 * hold one have been read by then and are left out.
 */
function withoutSecrets(task: ResolvedTask, { secrets }: TaskSpec): ResolvedTask {
  if (task.code?.kind === 'link' && hideSecrets(task.code.path, secrets) !== task.code.path)
    throw new InputError('unsupported', `task ${task.name}: the linked workdir has a secret in its path, and scripts and plans show it`, {
      hint: 'Use a variable of envs in its place.',
    })
  if (Object.keys(secrets).length === 0) return task
  const { workdir: _, ...spec } = task.spec
  const mounts = task.mounts.map(({ destination, source }) => ({
    destination: hideSecrets(destination, secrets),
    source: hideSecrets(source, secrets),
  }))
  return { ...task, mounts, spec: { ...spec, fileMounts: [], foreign: {} } }
}

async function upstreamIds(
  spec: TaskSpec,
  idOf: (name: string) => string | undefined,
  context: SubmissionContext,
): Promise<readonly { name: string; id: string; condition: 'ok' | 'any' | 'failed' }[]> {
  const found = []
  for (const { task, condition } of spec.after) {
    const id = idOf(task) ?? (await context.findJob(task.replace(/^job:/, '')))
    if (id === undefined) {
      throw new InputError('invalid_task', `task ${spec.name ?? ''}: after: there is no task "${task}" in this file, and no such job`, {
        hint: 'Name a task of the file, or an earlier job as job:ID.',
      })
    }
    found.push({ name: task.replace(/^job:/, ''), id, condition })
  }
  return found
}
