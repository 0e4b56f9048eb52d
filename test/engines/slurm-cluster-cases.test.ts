import { runExecutorCases } from '../../src/testing/index.ts'
import { ClusterHome } from './slurm-cluster-home.ts'
import { SshRig } from './ssh-rig.ts'

const rig = new SshRig('slurm')

runExecutorCases({
  name: 'held cluster of Slurm nodes',
  target: 'held',
  open: (options) => new ClusterHome(rig, options).start(),
  patience: 3,
})
