import { runExecutorCases } from '../../src/testing/index.ts'
import { FakeSlurmHome } from './fake-slurm-home.ts'

runExecutorCases({
  name: 'slurm (fake)',
  target: 'hpc',
  open: (options) => new FakeSlurmHome(options, {}, { graceSeconds: 10 }).start(),
  patience: 2,
  // A thousand drivers are too much for a small machine; elements as jobs of their own are in the scheduler table.
  manyElements: { options: { pack: 50 } },
  smallDisk: 'job directories on a small disk are tested on a real Slurm',
})
