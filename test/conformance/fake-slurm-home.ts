import { join } from 'node:path'
import { createFakeSlurm, type FakeSlurm, type FixtureOptions } from '../../src/testing/index.ts'
import { SchedulerHome, type SchedulerHomeOptions } from './scheduler-home.ts'

type SlurmOptions = Partial<Omit<Parameters<typeof createFakeSlurm>[0], 'directory'>>

/** A home whose target `hpc` is a fake Slurm. */
export class FakeSlurmHome extends SchedulerHome {
  protected readonly slurmDirectory: string
  #slurm: FakeSlurm | undefined
  readonly #options: SlurmOptions

  constructor(options: FixtureOptions = {}, slurm: SlurmOptions = {}, own: Omit<SchedulerHomeOptions, keyof FixtureOptions> = {}) {
    super({ name: 'hpc', kind: 'slurm' }, { ...options, ...own })
    this.slurmDirectory = join(this.base, 'slurm')
    this.#options = slurm
  }

  get slurm(): FakeSlurm {
    if (this.#slurm === undefined) throw new Error('the fake Slurm has not been started')
    return this.#slurm
  }

  override async start(): Promise<this> {
    if (this.#slurm === undefined) {
      this.#slurm = await createFakeSlurm({ directory: this.slurmDirectory, ...this.#options })
      this.own(this.#slurm)
    }
    return super.start()
  }
}
