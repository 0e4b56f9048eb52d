import { quoteShell } from '../driver/quote.ts'
import { InputError, toErrorJson } from '../errors.ts'
import type { Capabilities } from '../executors/capabilities.ts'
import { executorOf, executorOptionNames } from '../executors/registry.ts'
import { loadTargets, type Target } from '../targets/load-targets.ts'
import { cacheSite, readCachedSite } from '../targets/site-facts.ts'
import { nearestName } from '../task/nearest-name.ts'
import type { CheckLine, TargetView } from './drover.ts'
import type { JobContext } from './job-context.ts'
import { TargetRuntime } from './target-runtime.ts'

/** A local file system shows a record at once; the margin is for a loaded machine. */
const LOCAL_PROOF_GRACE_MS = 3_000
const DEFAULT_PROOF_GRACE_MS = 90_000

export interface TargetSetOptions {
  readonly home: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly context: JobContext
}

/** The configured targets, opened when first used. */
export class TargetSet {
  readonly #options: TargetSetOptions
  readonly #open = new Map<string, Promise<TargetRuntime>>()
  readonly #ready = new Map<string, TargetRuntime>()

  constructor(options: TargetSetOptions) {
    this.#options = options
  }

  #configured(): ReadonlyMap<string, Target> {
    const { home, environment } = this.#options
    return new Map(Object.entries(loadTargets({ home, cwd: process.cwd(), environment, kinds: executorOptionNames() }).targets))
  }

  #target(name: string): Target {
    const configured = this.#configured()
    const target = configured.get(name)
    if (target !== undefined) return target
    const near = nearestName(name, [...configured.keys()])
    throw new InputError('unknown_target', `there is no target "${name}"`, {
      hint:
        near === undefined
          ? `Configured targets: ${[...configured.keys()].join(', ')}.`
          : `Did you mean "${near}"? drover target list shows all.`,
    })
  }

  /** The runtime of a target, opened once; a failed opening is tried anew at the next call. */
  open(name: string): Promise<TargetRuntime> {
    const open = this.#open.get(name)
    if (open !== undefined) return open
    const opening = this.#start(name)
    this.#open.set(name, opening)
    opening.then(
      (runtime) => this.#ready.set(name, runtime),
      () => this.#open.delete(name),
    )
    return opening
  }

  async #start(name: string): Promise<TargetRuntime> {
    const target = this.#target(name)
    const { context, environment } = this.#options
    const connection = await executorOf(target.kind).connect(target, {
      environment,
      signal: context.signal,
      now: context.now,
      log: context.log,
    })
    const runtime = new TargetRuntime({
      name,
      executor: connection.executor,
      transport: connection.transport,
      site: connection.site,
      context,
      proofGraceMs: connection.executor.capabilities.strongFiles ? LOCAL_PROOF_GRACE_MS : DEFAULT_PROOF_GRACE_MS,
    })
    await runtime.open()
    cacheSite(this.#options.home, name, runtime.site)
    return runtime
  }

  /** A target that is open already. */
  opened(name: string): TargetRuntime | undefined {
    return this.#ready.get(name)
  }

  /** True while any target has an attempt at work or a job in line. */
  busy(): boolean {
    return [...this.#ready.values()].some((runtime) => runtime.busy)
  }

  /** Capabilities of all configured targets but one. */
  capabilities(except: string): readonly { readonly name: string; readonly capabilities: Capabilities }[] {
    return [...this.#configured().values()]
      .filter((target) => target.name !== except)
      .map((target) => ({ name: target.name, capabilities: executorOf(target.kind).capabilities }))
  }

  async views(): Promise<readonly TargetView[]> {
    const now = this.#options.context.now()
    return [...this.#configured().values()].map((target) => {
      const site = this.#ready.get(target.name)?.site ?? readCachedSite(this.#options.home, target.name, now)?.facts
      return {
        name: target.name,
        kind: target.kind,
        capabilities: executorOf(target.kind).capabilities,
        site: site ?? null,
        site_age_ms: site === undefined ? null : Math.max(0, now - site.readAt),
        options: target.options,
      }
    })
  }

  /** Preflight: every line says what is right, or what to do. */
  async check(name: string): Promise<readonly CheckLine[]> {
    this.#target(name)
    try {
      const runtime = await this.open(name)
      return checkLines(runtime, (await runtime.transport.run(`df -Pk ${quoteShell(runtime.site.root)} 2>/dev/null | tail -n 1`)).stdout)
    } catch (error) {
      const { message, hint } = toErrorJson(error)
      return [{ check: 'reach', ok: false, detail: message, fix: hint ?? null }]
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
