import { runExecutorCases } from '../../src/testing/index.ts'
import { SshHome, withoutFiles } from './ssh-home.ts'
import { SshRig } from './ssh-rig.ts'

const rig = new SshRig('private')
const common = { target: 'lab', smallDisk: 'the disks of the machines are filled by ssh-faults.test.ts', patience: 2 } as const

runExecutorCases({ ...common, name: 'ssh, files seen by all', open: (options) => new SshHome(rig, 'shared', options).start() })
runExecutorCases({
  ...common,
  name: 'ssh, files on each machine alone',
  open: async (options) => withoutFiles(await new SshHome(rig, 'private', options).start()),
})
