import { runExecutorCases } from '../../src/testing/index.ts'
import { SshHome } from './ssh-home.ts'
import { SshRig } from './ssh-rig.ts'

const rig = new SshRig('private')
const smallDisk = 'the disks of the machines are full by fault, in ssh-faults.test.ts'

runExecutorCases({
  name: 'ssh, files seen here',
  target: 'lab',
  open: (options) => new SshHome(rig, 'shared', options).start(),
  smallDisk,
  patience: 2,
})
