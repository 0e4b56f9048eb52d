import { runExecutorCases } from '../../src/testing/index.ts'
import { LocalHome } from './local-home.ts'

const root = process.getuid?.() === 0 && process.platform === 'linux'

runExecutorCases({
  name: 'local',
  target: 'local',
  open: (options) => new LocalHome(options).start(),
  ...(root ? {} : { smallDisk: 'mounting a small disk takes root' }),
})
