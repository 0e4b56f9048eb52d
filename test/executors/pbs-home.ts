import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Job } from '../../src/jobs/drover.ts'
import { createFakePbs, type FakePbs, type FakePbsOptions, type FixtureOptions } from '../../src/testing/index.ts'
import { LocalHome } from '../conformance/local-home.ts'

/** Beyond the defaults. */
export interface PbsHomeOptions extends FixtureOptions {
  readonly fake?: Omit<FakePbsOptions, 'directory'>
  /** Further lines of the target, as YAML, indented by four. */
  readonly target?: string
  /** The budget of queries that users have. Default: a greater one. */
  readonly budget?: boolean
  /** How long proof is awaited. Default: what users have. */
  readonly graceSeconds?: number
}

/** A home whose target `hpc` is a fake PBS; this machine is its login node. */
export class PbsHome extends LocalHome {
  readonly pbs: FakePbs
  readonly root: string
  readonly #fakeDirectory: string

  protected constructor(pbs: FakePbs, fakeDirectory: string, given: PbsHomeOptions) {
    const { target = '', fake: _, budget = false, graceSeconds, ...options } = given
    super(options, { PATH: `${pbs.path}:${process.env['PATH'] ?? '/usr/bin:/bin'}` })
    this.pbs = pbs
    if (graceSeconds !== undefined) this.environment['DROVER_PROOF_GRACE'] = String(graceSeconds)
    this.#fakeDirectory = fakeDirectory
    this.root = join(this.base, `root${options.homeName ?? ''}`)
    mkdirSync(this.root, { mode: 0o700 })
    const config = join(this.base, '.config', 'drover')
    mkdirSync(config, { recursive: true })
    // The budget of a real server would make tests slow: nobody is hurt by questions to this one.
    writeFileSync(
      join(config, 'config.yaml'),
      `${budget ? '' : 'limits: {queries_per_minute: 120, query_burst: 20}\n'}targets:\n  hpc:\n    kind: pbs\n    root: ${JSON.stringify(this.root)}\n${target}`,
    )
  }

  static async open(options: PbsHomeOptions = {}): Promise<PbsHome> {
    // A socket's path is at most 108 bytes.
    const directory = mkdtempSync(join(tmpdir(), 'fpbs-'))
    const pbs = await createFakePbs({ ...options.fake, directory })
    return new PbsHome(pbs, directory, options).start()
  }

  override attemptDir(job: Job, attempt = job.attempt): string {
    return join(this.root, 'jobs', job.id, String(attempt))
  }

  override async close(): Promise<void> {
    await super.close()
    await this.pbs.close()
    rmSync(this.#fakeDirectory, { recursive: true, force: true })
  }
}
