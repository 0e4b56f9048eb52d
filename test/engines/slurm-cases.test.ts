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

/** What differs where Drover runs on the login node: who starts, reads, watches and signals. All else is the same code. */
const ON_LOGIN_NODE =
  /^(exit|a script that kills itself|setup runs|a log of 10 MB|following a log|hostile values in env|a hostile home|a secret|four ranks|one of four|cancel|a time limit ends|a process left|two clients|a supervisor killed|a job that ends|an array of|dependents on|a retry|prune)/

runExecutorCases({
  name: 'slurm, on its login node',
  target: 'hpc',
  open: (options) => new SlurmHome(rig, 'login', options, { options: PACKED }).start(),
  patience: 3,
  only: ON_LOGIN_NODE,
})
