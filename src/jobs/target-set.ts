import { quoteShell } from '../driver/quote.ts'
import { DroverError, InputError, toErrorJson } from '../errors.ts'
import type { Capabilities } from '../executors/capabilities.ts'
import { CLUSTER_KIND, clusterTarget, parentOf } from '../executors/cluster/cluster-target.ts'
import type { ResolvedTask } from '../executors/executor.ts'
import { type ConnectWorld, executorOf, executorTargetKinds } from '../executors/registry.ts'
import type { JobRow } from '../store/store.ts'
import { databaseUri } from '../targets/databases.ts'
import { type LoadedTargets, loadTargets } from '../targets/load-targets.ts'
import { cacheSite, readCachedSite } from '../targets/site-facts.ts'
import { type Target, targetKey } from '../targets/target.ts'
import { nearestName } from '../task/nearest-name.ts'
import { readClusters, writeCluster } from './cluster-entries.ts'
import { readHolder } from './cluster-holder.ts'
import type { CheckLine, ClientOptions, TargetView } from './drover.ts'
import type { JobContext } from './job-context.ts'
import { proofGraceMs } from './proof-grace.ts'
import type { QueryRate } from './query-budget.ts'
import type { Submission } from './submission.ts'
import { TargetRuntime, type TargetRuntimeOptions } from './target-runtime.ts'

export interface TargetSetOptions {
  readonly home: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly context: JobContext
}

/** A target as a client names it: the project file nearest to the client's directory counts. */
export interface NamedTarget extends ClientOptions {
  readonly target: string
}

/** A job's target is the one it was submitted to, whatever the files say since; a name's is what the files say at this moment. */
export type Place = string | NamedTarget | JobRow

/** A target at work, with the definition that it was opened by. */
export class OpenTarget extends TargetRuntime {
  readonly definition: Target

  constructor(options: TargetRuntimeOptions, definition: Target) {
    super(options)
    this.definition = definition
  }
}

/** How often a target may be asked: what its kind says, or its configuration; a site's file can only lower it. */
function queryRate({ queries }: Capabilities, { limits }: Target): QueryRate | undefined {
  if (queries === undefined) return undefined
  return { perMinute: limits.queries_per_minute ?? queries.perMinute, burst: Math.max(1, limits.query_burst ?? queries.burst) }
}

/** The configured targets, opened when first used: one runtime per definition, not per name. */
export class TargetSet {
  readonly #options: TargetSetOptions
  readonly #open = new Map<string, Promise<OpenTarget>>()
  readonly #ready = new Map<string, OpenTarget>()

  constructor(options: TargetSetOptions) {
    this.#options = options
  }

  /** Read anew for every question, so that a changed file holds from the next one on. */
  #configured(clientDirectory: string | undefined): LoadedTargets {
    const { home, environment } = this.#options
    return loadTargets({ home, environment, kinds: executorTargetKinds(), clientDirectory })
  }

  #named(name: string, clientDirectory: string | undefined): Target {
    const { targets } = this.#configured(clientDirectory)
    const target = Object.hasOwn(targets, name) ? targets[name] : undefined
    if (target !== undefined) return target
    const clusters = readClusters(this.#options.home)
    const cluster = clusters.get(name)
    if (cluster !== undefined) return cluster
    const near = nearestName(name, [...Object.keys(targets), ...clusters.keys()])
    throw new InputError('unknown_target', `there is no target "${name}"`, {
      hint:
        near === undefined
          ? `Configured targets: ${Object.keys(targets).join(', ')}.`
          : `Did you mean "${near}"? drover target list shows all.`,
    })
  }

  /** The definition a job was submitted to, else what the files say; opens nothing. Throws `unknown_target`. */
  definition(place: Place): Target {
    return this.#definition(place)
  }

  /** How a person's own session reaches a node of a target; undefined: it is this machine. */
  sessionArguments(target: Target, node: string): readonly string[] | undefined {
    // A node of an allocation is reached from where its scheduler is.
    const reached = target.kind === CLUSTER_KIND ? parentOf(target) : target
    return executorOf(reached.kind).sessionArguments?.(reached, node, this.#options.environment)
  }

  #definition(place: Place): Target {
    if (typeof place === 'string') return this.#named(place, undefined)
    if (!('id' in place)) return this.#named(place.target, place.clientDirectory)
    return definitionOf(place) ?? this.#named(place.target, undefined)
  }

  /** The runtime of a target, opened once; a failed opening is tried anew at the next call. */
  async open(place: Place): Promise<OpenTarget> {
    // Lists of jobs come without their tasks.
    const bare = typeof place === 'object' && 'id' in place && place.task === undefined
    const definition = this.#definition(bare ? ((await this.#options.context.store.job(place.id)) ?? place) : place)
    const key = targetKey(definition)
    const open = this.#open.get(key)
    if (open !== undefined) return open
    const opening = this.#start(definition, key)
    this.#open.set(key, opening)
    opening.then(
      (runtime) => this.#ready.set(key, runtime),
      () => this.#open.delete(key),
    )
    return opening
  }

  #world(): ConnectWorld {
    const { context, environment } = this.#options
    const holder = (jobId: string) => readHolder(jobId, context.store, (row) => this.open(row))
    return { environment, signal: context.signal, now: context.now, log: context.log, holder }
  }

  async #start(definition: Target, key: string): Promise<OpenTarget> {
    const { context, environment } = this.#options
    const connection = await executorOf(definition.kind).connect(definition, this.#world())
    try {
      const { capabilities } = connection.executor
      const queries = queryRate(capabilities, definition)
      const runtime = new OpenTarget(
        {
          ...connection,
          name: definition.name,
          context,
          proofGraceMs: proofGraceMs(capabilities, environment),
          ...(queries === undefined ? {} : { queries }),
        },
        definition,
      )
      await makeRoot(runtime)
      cacheSite(this.#options.home, siteName(definition, key), runtime.site)
      return runtime
    } catch (error) {
      await connection.transport.close()
      throw error
    }
  }

  /** Makes the names of clusters known whose holders have just been recorded. */
  noteClusters(submissions: readonly Submission[]): void {
    for (const { job, task } of submissions) {
      if (task.spec.holder === undefined || task.definition === undefined) continue
      writeCluster(this.#options.home, clusterTarget(task.name, task.definition, job.id))
    }
  }

  get home(): string {
    return this.#options.home
  }

  /** True for a name that a configuration file defines. */
  isConfigured(name: string, clientDirectory: string | undefined): boolean {
    return Object.hasOwn(this.#configured(clientDirectory).targets, name)
  }

  /** A target that is open already; reads no file. A job's row should hold its task: without, any target of the name is taken. */
  opened(place: string | JobRow): OpenTarget | undefined {
    const name = typeof place === 'string' ? place : place.target
    const definition = typeof place === 'string' ? undefined : definitionOf(place)
    if (definition !== undefined) return this.#ready.get(targetKey(definition))
    return [...this.#ready.values()].find((runtime) => runtime.name === name)
  }

  /** The address of a database that a client has registered. Throws as `databaseUri`. */
  databaseUri(name: string, clientDirectory: string | undefined): Promise<string> {
    const { home, environment } = this.#options
    return databaseUri(name, { home, environment, ...(clientDirectory === undefined ? {} : { clientDirectory }) })
  }

  /** True while any target has an attempt at work or a job in line. */
  busy(): boolean {
    return [...this.#ready.values()].some((runtime) => runtime.busy)
  }

  /** Capabilities of all configured targets but one. */
  capabilities(except: string | NamedTarget): readonly { readonly name: string; readonly capabilities: Capabilities }[] {
    const { target: name, clientDirectory } = typeof except === 'string' ? { target: except } : except
    return Object.values(this.#configured(clientDirectory).targets)
      .filter((target) => target.name !== name)
      .map((target) => ({ name: target.name, capabilities: executorOf(target.kind).capabilities }))
  }

  async views(client: ClientOptions = {}): Promise<readonly TargetView[]> {
    const now = this.#options.context.now()
    const { targets, files, warnings } = this.#configured(client.clientDirectory)
    return Object.values(targets).map((target) => {
      const key = targetKey(target)
      const site = this.#ready.get(key)?.site ?? readCachedSite(this.#options.home, siteName(target, key), now)?.facts
      return {
        name: target.name,
        kind: target.kind,
        capabilities: executorOf(target.kind).capabilities,
        site: site ?? null,
        site_age_ms: site === undefined ? null : Math.max(0, now - site.readAt),
        options: target.options,
        root: target.root,
        prologue: target.prologue ?? null,
        limits: target.limits,
        files,
        warnings,
      }
    })
  }

  /** Preflight: every line says what is right, or what to do. */
  async check(name: string, client: ClientOptions = {}): Promise<readonly CheckLine[]> {
    const place = { target: name, ...client }
    const target = this.#named(name, client.clientDirectory)
    const configuration = this.#configured(client.clientDirectory).warnings.map((detail) => ({
      check: 'configuration',
      ok: true,
      warning: true,
      detail,
      fix: null,
    }))
    try {
      const { check } = executorOf(target.kind)
      if (check !== undefined) return [...configuration, ...(await check(target, this.#world()))]
      const runtime = await this.open(place)
      const disk = await runtime.transport.run(`df -Pk ${quoteShell(runtime.site.root)} 2>/dev/null | tail -n 1`)
      return [...configuration, ...checkLines(runtime, disk.stdout)]
    } catch (error) {
      const { message, hint } = toErrorJson(error)
      return [...configuration, { check: 'reach', ok: false, detail: message, fix: hint ?? null }]
    }
  }

  async close(): Promise<void> {
    for (const opening of this.#open.values()) {
      const runtime = await opening.catch(() => undefined)
      if (runtime === undefined) continue
      await runtime.stop()
      await runtime.transport.close()
    }
  }
}

/** What a job was submitted to; undefined for a row without its task, and for a job of an older store. */
function definitionOf({ task }: JobRow): Target | undefined {
  return task === undefined ? undefined : (JSON.parse(task) as ResolvedTask).definition
}

/** Facts are kept by name and definition: two projects' targets of one name are two places. */
function siteName({ name }: Target, key: string): string {
  return `${name}-${key}`
}

async function makeRoot(runtime: OpenTarget): Promise<void> {
  try {
    await runtime.open()
  } catch (error) {
    const { code, message, transient } = toErrorJson(error)
    // Nobody's configuration is to blame for a connection that broke.
    if (transient) throw error
    throw new DroverError(code === 'internal' ? 'no_permission' : code, `cannot use target "${runtime.name}": ${message}`, {
      level: 'config',
      cause: error,
      hint: `Its root is ${runtime.site.root}: make it writable for you, or set another root in the configuration file.`,
    })
  }
}

function checkLines(runtime: TargetRuntime, disk: string): readonly CheckLine[] {
  const { site } = runtime
  const freeKib = Number(disk.trim().split(/\s+/)[3])
  const line = (check: string, ok: boolean, detail: string, fix: string): CheckLine => ({ check, ok, detail, fix: ok ? null : fix })
  return [
    line('reach', true, `${site.user}@${site.hostname}`, ''),
    line('root', true, site.root, ''),
    line(
      'disk',
      !(freeKib < 100 * 1024),
      Number.isFinite(freeKib) ? `${(freeKib / 1024 / 1024).toFixed(1)} GiB free` : 'unknown',
      'Free some space, or set another root.',
    ),
    line(
      'shell',
      site.tools['sh'] !== undefined,
      site.tools['bash'] === undefined ? 'sh only: scripts run under sh' : `sh, bash (${site.tools['bash']})`,
      'Install a POSIX sh.',
    ),
    line(
      'process groups',
      site.processGroups !== 'none',
      site.processGroups === 'none' ? 'degraded: processes that a script leaves behind are not ended' : site.processGroups,
      'Install setsid (util-linux), perl or bash.',
    ),
    line('cpus', site.cpus >= 1, String(site.cpus), 'Set the option cpus.'),
    line('memory', site.memoryBytes > 0, `${(site.memoryBytes / 1e9).toFixed(1)} GB`, 'Set the option memory.'),
    line('gpus', true, site.gpus.length === 0 ? 'none' : site.gpus.map((gpu) => `${gpu.index}: ${gpu.name}`).join(', '), ''),
  ]
}
