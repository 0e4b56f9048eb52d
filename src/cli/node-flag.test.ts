import { expect, test } from 'vitest'
import { parseNodeFlag } from './node-flag.ts'

test.each([
  ['gpu1', { host: 'gpu1' }],
  ['ada@gpu2:2222,gpus=4,private_ip=10.0.0.2', { host: 'gpu2', user: 'ada', port: 2222, gpus: 4, private_ip: '10.0.0.2' }],
  ['2001:db8::1', { host: '2001:db8::1' }],
  ['ada@[2001:db8::1]:22', { host: '2001:db8::1', user: 'ada', port: 22 }],
  ['[::1]', { host: '::1' }],
  ['ada@corp@gpu1', { host: 'gpu1', user: 'ada@corp' }],
  ['a,gpus=0+2,memory=64GB', { host: 'a', gpus: [0, 2], memory: '64GB' }],
  ['a,gpus=,name=b', { host: 'a', gpus: null, name: 'b' }],
  ['a,proxy_jump=x,y@z:1,cpus=2.5', { host: 'a', proxy_jump: 'x,y@z:1', cpus: 2.5 }],
  ['a,gpus=all', { host: 'a', gpus: 'all' }],
])('%s', (flag, expected) => expect(parseNodeFlag(flag)).toEqual(expected))

test.each(['', '@a', 'a:', 'a:x', 'a,gpus', 'a,=4', ',gpus=4'])('%j is refused', (flag) =>
  expect(() => parseNodeFlag(flag)).toThrow(/--node .*: it takes \[USER@\]HOST/),
)
