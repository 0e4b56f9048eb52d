import { createTaskFile, type FixtureOptions, until } from '../../src/testing/index.ts'
import { SlurmHome } from './slurm-home.ts'
import type { SshRig } from './ssh-rig.ts'

/** A home whose target `held` is a cluster of a core of each node of the rig, up when it has started: several find room there. */
export class ClusterHome extends SlurmHome {
  #up = false

  constructor(rig: SshRig, options: FixtureOptions = {}) {
    super(rig, 'ssh', options)
  }

  override async start(): Promise<this> {
    await super.start()
    if (this.#up) return this
    this.#up = true
    const resources = {
      ordered: false,
      candidates: [{ cpus: { value: 1, atLeast: false }, accelerators: [], acceleratorsOrdered: false, raw: {} }],
    }
    await this.drover.submit(createTaskFile('hpc', { name: 'held', numNodes: 4, run: ':', holder: {}, graceMs: 5_000, resources }))
    await until('the cluster to be up', 300_000, async () => {
      const view = (await this.drover.clusters()).find(({ name }) => name === 'held')
      return view !== undefined && view.nodes.length === 4
    })
    return this
  }
}
