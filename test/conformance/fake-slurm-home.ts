import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Job } from '../../src/jobs/drover.ts'
import { createFakeSlurm, type FakeSlurm, type FixtureOptions } from '../../src/testing/index.ts'
import { LocalHome } from './local-home.ts'

type SlurmOptions = Partial<Omit<Parameters<typeof createFakeSlurm>[0], 'directory'>>

/** A home whose target `hpc` is a fake Slurm on this machine. */
export class FakeSlurmHome extends LocalHome {
  readonly root: string
  #slurm: FakeSlurm | undefined
  readonly #options: SlurmOptions

  /**
   * `budget`: that of users. Default: it would make tests slow, and nobody is hurt by questions to this one. `graceSeconds`: how
   * long proof is awaited; default: what users have.
   */
  constructor(
    options: FixtureOptions = {},
    slurm: SlurmOptions = {},
    own: { readonly budget?: boolean; readonly graceSeconds?: number } = {},
  ) {
    super(options)
    this.#options = slurm
    this.root = join(this.base, `root${options.homeName ?? ''}`)
    if (own.graceSeconds !== undefined) this.environment['DROVER_PROOF_GRACE'] = String(own.graceSeconds)
    const config = join(this.base, '.config', 'drover')
    mkdirSync(config, { recursive: true })
    writeFileSync(
      join(config, 'config.yaml'),
      `${own.budget ? '' : 'limits: {queries_per_minute: 120, query_burst: 20}\n'}targets:\n  hpc:\n    kind: slurm\n    root: ${JSON.stringify(this.root)}\n`,
    )
  }

  get slurm(): FakeSlurm {
    if (this.#slurm === undefined) throw new Error('the fake Slurm has not been started')
    return this.#slurm
  }

  override async start(): Promise<this> {
    if (this.#slurm === undefined) {
      this.#slurm = await createFakeSlurm({ directory: join(this.base, 'slurm'), ...this.#options })
      this.environment['PATH'] = this.commandPath(this.#slurm)
    }
    return super.start()
  }

  /** PATH of the supervisor. */
  protected commandPath({ env }: FakeSlurm): string {
    return env['PATH'] ?? ''
  }

  override attemptDir(job: Job, attempt = job.attempt): string {
    return join(this.root, 'jobs', job.id, String(attempt))
  }

  override async close(): Promise<void> {
    await super.close()
    await this.#slurm?.close()
  }
}
