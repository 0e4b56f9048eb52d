import { runExecutorCases } from '../../src/testing/index.ts'
import { SshHome } from './ssh-home.ts'
import { SshRig } from './ssh-rig.ts'

const rig = new SshRig('private')

for (const kind of ['shared', 'private'] as const) {
  runExecutorCases({
    name: `ssh, ${kind === 'shared' ? 'one directory seen by all machines' : 'a directory on each machine'}`,
    target: 'lab',
    open: (options) => new SshHome(rig, kind, options).start(),
    patience: 2,
  })
}
