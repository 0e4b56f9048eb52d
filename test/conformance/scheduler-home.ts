import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Job } from '../../src/jobs/drover.ts'
import type { FakeScheduler, FixtureOptions } from '../../src/testing/index.ts'
import { LocalHome } from './local-home.ts'

/** Beyond the defaults. */
export interface SchedulerHomeOptions extends FixtureOptions {
  /** Further lines of the target, as YAML, indented by four. */
  readonly target?: string
  /** The budget of queries that users have. Default: it would make tests slow, and nobody is hurt by questions to a fake. */
  readonly budget?: boolean
  /** How long proof is awaited. Default: what users have. */
  readonly graceSeconds?: number
}

/** A directory for a fake: short, for a socket's path is at most 108 bytes. It goes with the home that owns the fake. */
export function fakeDirectory(name: string): string {
  return mkdtempSync(join(tmpdir(), `${name}-`))
}

/** A home whose one target is a fake scheduler; this machine is its login node. */
export class SchedulerHome extends LocalHome {
  readonly root: string
  #fake: FakeScheduler | undefined

  /** `own`: lines of the target that every home of this scheduler has, as YAML, indented by four. */
  protected constructor(target: { readonly name: string; readonly kind: string; readonly own?: string }, given: SchedulerHomeOptions) {
    const { target: further = '', budget = false, graceSeconds, ...options } = given
    super(options)
    if (graceSeconds !== undefined) this.environment['DROVER_PROOF_GRACE'] = String(graceSeconds)
    this.root = join(this.base, `root${options.homeName ?? ''}`)
    mkdirSync(this.root, { mode: 0o700 })
    const config = join(this.base, '.config', 'drover')
    mkdirSync(config, { recursive: true })
    const limits = budget ? '' : 'limits: {queries_per_minute: 120, query_burst: 20}\n'
    const { name, kind, own = '' } = target
    writeFileSync(
      join(config, 'config.yaml'),
      `${limits}targets:\n  ${name}:\n    kind: ${kind}\n    root: ${JSON.stringify(this.root)}\n${own}${further}`,
    )
  }

  /** Takes over a fake: its commands come first on PATH, and it is closed with the home. */
  protected own(fake: FakeScheduler): void {
    this.#fake = fake
    this.putFirst(fake.path)
  }

  /** Commands of this directory come before all others. */
  protected putFirst(directory: string): void {
    this.environment['PATH'] = `${directory}:${this.environment['PATH']}`
  }

  /** Starts another supervisor of this home; resolves to its exit code. */
  async secondSupervisor(): Promise<number | null> {
    const log = openSync(join(this.base, 'second-supervisor.log'), 'a')
    const child = this.spawnSupervisor(log)
    closeSync(log)
    const [code] = (await once(child, 'exit')) as [number | null]
    return code
  }

  override attemptDir(job: Job, attempt = job.attempt): string {
    return join(this.root, 'jobs', job.id, String(attempt))
  }

  override async close(): Promise<void> {
    await super.close()
    if (this.#fake === undefined) return
    await this.#fake.close()
    rmSync(dirname(this.#fake.path), { recursive: true, force: true })
  }
}
