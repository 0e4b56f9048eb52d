import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Job } from '../../src/jobs/drover.ts'
import { createFakePjm, type FakePjm, type FakePjmOptions, type FixtureOptions } from '../../src/testing/index.ts'
import { LocalHome } from '../conformance/local-home.ts'

/** Beyond the defaults. */
export interface PjmHomeOptions extends FixtureOptions {
  readonly fake?: Omit<FakePjmOptions, 'directory'>
  /** Further lines of the target, as YAML, indented by four. */
  readonly target?: string
  /** The budget of queries that users have. Default: a greater one. */
  readonly budget?: boolean
  /** How long proof is awaited. Default: what users have. */
  readonly graceSeconds?: number
}

/** A home whose target `fugaku` is a fake PJM; this machine is its login node. */
export class PjmHome extends LocalHome {
  readonly pjm: FakePjm
  readonly root: string
  readonly #fakeDirectory: string

  protected constructor(pjm: FakePjm, fakeDirectory: string, given: PjmHomeOptions) {
    const { target = '', fake: _, budget = false, graceSeconds, ...options } = given
    super(options, { PATH: `${pjm.path}:${process.env['PATH'] ?? '/usr/bin:/bin'}` })
    this.pjm = pjm
    if (graceSeconds !== undefined) this.environment['DROVER_PROOF_GRACE'] = String(graceSeconds)
    this.#fakeDirectory = fakeDirectory
    this.root = join(this.base, `root${options.homeName ?? ''}`)
    mkdirSync(this.root, { mode: 0o700 })
    const config = join(this.base, '.config', 'drover')
    mkdirSync(config, { recursive: true })
    writeFileSync(
      join(config, 'config.yaml'),
      `${budget ? '' : 'limits: {queries_per_minute: 120, query_burst: 20}\n'}targets:
  fugaku:
    kind: pjm
    root: ${JSON.stringify(this.root)}
    rscgrp: small
    group: ra000000
${target}`,
    )
  }

  static async open(options: PjmHomeOptions = {}): Promise<PjmHome> {
    // A socket's path is at most 108 bytes.
    const directory = mkdtempSync(join(tmpdir(), 'fpjm-'))
    const pjm = await createFakePjm({ ...options.fake, directory })
    return new PjmHome(pjm, directory, options).start()
  }

  override attemptDir(job: Job, attempt = job.attempt): string {
    return join(this.root, 'jobs', job.id, String(attempt))
  }

  override async close(): Promise<void> {
    await super.close()
    await this.pjm.close()
    rmSync(this.#fakeDirectory, { recursive: true, force: true })
  }
}
