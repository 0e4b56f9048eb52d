import { runExecutorCases } from '../../src/testing/index.ts'
import { SlurmHome } from './slurm-home.ts'
import { SshRig } from './ssh-rig.ts'

const rig = new SshRig('slurm')

/** One task of the scheduler for many elements: a thousand jobs on four small machines would wait for each other. */
const PACKED = '    pack: 250\n    pack_slots: 2\n'

runExecutorCases({
  name: 'slurm, login node by ssh',
  target: 'hpc',
  open: (options) => new SlurmHome(rig, 'ssh', options, { options: PACKED }).start(),
  patience: 3,
})
