import { runExecutorCases } from '../../src/testing/index.ts'
import { PbsHome } from './pbs-home.ts'

const nodes = ['node1', 'node2', 'node3', 'node4'].map((name) => ({ name, ncpus: 8 }))

runExecutorCases({
  name: 'pbs (fake)',
  target: 'hpc',
  open: (options) => PbsHome.open({ ...options, fake: { nodes } }),
  patience: 2,
  smallDisk: 'job directories on a small disk are tested on a real machine',
})
