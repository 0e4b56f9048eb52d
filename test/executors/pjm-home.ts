import { createFakePjm, type FakePjm, type FakePjmOptions } from '../../src/testing/index.ts'
import { fakeDirectory, SchedulerHome, type SchedulerHomeOptions } from '../conformance/scheduler-home.ts'

/** Beyond the defaults. */
interface PjmHomeOptions extends SchedulerHomeOptions {
  readonly fake?: Omit<FakePjmOptions, 'directory'>
}

/** A home whose target `fugaku` is a fake PJM. */
export class PjmHome extends SchedulerHome {
  readonly pjm: FakePjm

  protected constructor(pjm: FakePjm, options: SchedulerHomeOptions) {
    super({ name: 'fugaku', kind: 'pjm', own: '    rscgrp: small\n    group: ra000000\n' }, options)
    this.pjm = pjm
    this.own(pjm)
  }

  static async open({ fake, ...options }: PjmHomeOptions = {}): Promise<PjmHome> {
    return new PjmHome(await createFakePjm({ ...fake, directory: fakeDirectory('fpjm') }), options).start()
  }
}
