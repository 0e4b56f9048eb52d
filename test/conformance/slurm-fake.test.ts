import { runExecutorCases } from '../../src/testing/index.ts'
import { FakeSlurmHome } from './fake-slurm-home.ts'

runExecutorCases({
  name: 'slurm (fake)',
  target: 'hpc',
  open: (options) => new FakeSlurmHome(options).start(),
  patience: 2,
  smallDisk: 'job directories on a small disk are tested on a real Slurm',
})
