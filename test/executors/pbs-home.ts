import { createFakePbs, type FakePbs, type FakePbsOptions } from '../../src/testing/index.ts'
import { fakeDirectory, SchedulerHome, type SchedulerHomeOptions } from '../conformance/scheduler-home.ts'

/** Beyond the defaults. */
export interface PbsHomeOptions extends SchedulerHomeOptions {
  readonly fake?: Omit<FakePbsOptions, 'directory'>
}

/** A home whose target `hpc` is a fake PBS. */
export class PbsHome extends SchedulerHome {
  readonly pbs: FakePbs

  protected constructor(pbs: FakePbs, options: SchedulerHomeOptions) {
    super({ name: 'hpc', kind: 'pbs' }, options)
    this.pbs = pbs
    this.own(pbs)
  }

  static async open({ fake, ...options }: PbsHomeOptions = {}): Promise<PbsHome> {
    return new PbsHome(await createFakePbs({ ...fake, directory: fakeDirectory('fpbs') }), options).start()
  }
}
