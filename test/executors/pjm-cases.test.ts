import { runExecutorCases } from '../../src/testing/index.ts'
import { PjmHome } from './pjm-home.ts'

runExecutorCases({
  name: 'pjm, on the fake',
  target: 'fugaku',
  patience: 3,
  open: (options) => PjmHome.open({ ...options, fake: { nodes: 16 }, target: '    pack: 100\n    pack_slots: 2\n' }),
  smallDisk: 'the fake writes where the home is: no disk of its own is mounted',
})
