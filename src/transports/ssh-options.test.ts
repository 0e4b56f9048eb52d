import { expect, test } from 'vitest'
import {
  compileLogin,
  compileMaster,
  compileSession,
  loginSocket,
  type SshOptions,
  typedCommand,
  validateSshOptions,
} from './ssh-options.ts'

const all: SshOptions = {
  host: 'gpu1',
  user: 'ann',
  port: 2222,
  identityFile: '/keys/a b',
  proxyJump: 'jump',
  configFile: '/etc/x',
  options: ['Ciphers=aes128-gcm@openssh.com'],
  controlDirectory: '/run/d',
}

test('a session asks nothing, is strict, and goes over the shared connection', () => {
  const argv = compileSession(all, '/run/d/50%').join(' ')
  expect(argv).toContain('-o ControlMaster=no -o ControlPath=/run/d/50%% -o BatchMode=yes -o StrictHostKeyChecking=yes')
  expect(argv).toMatch(/-F \/etc\/x -l ann -p 2222 -i \/keys\/a b -J jump -o Ciphers=aes128-gcm@openssh.com -T -- gpu1$/)
})

test('what a user sets cannot loosen it: the first value wins in ssh', () => {
  const argv = compileMaster({ ...all, options: ['StrictHostKeyChecking=no', 'BatchMode=no'] }, '/s')
  expect(argv.indexOf('StrictHostKeyChecking=yes')).toBeLessThan(argv.indexOf('StrictHostKeyChecking=no'))
  expect(argv.indexOf('BatchMode=yes')).toBeLessThan(argv.indexOf('BatchMode=no'))
  expect(compileLogin(all)).toContain('BatchMode=no')
})

test('the login socket is found again by the same address, and by no other', () => {
  expect(loginSocket({ ...all, target: 'lab', connectTimeoutMs: 1 })).toBe(loginSocket(all))
  expect(loginSocket({ ...all, user: 'bob' })).not.toBe(loginSocket(all))
  expect(() => loginSocket({ ...all, controlDirectory: `/${'x'.repeat(90)}` })).toThrow(/too long/)
})

test.each([
  [{ host: '-oProxyCommand=touch /tmp/x' }, /host .* begins with "-"/],
  [{ host: 'a b' }, /no host name/],
  [{ host: '$(x)' }, /no host name/],
  [{ host: 'h', user: '-l' }, /user/],
  [{ host: 'h', port: 0 }, /0 is no port/],
  [{ host: 'h', proxyJump: 'a\nb' }, /jump host/],
] as const)('refused: %j', (options, what) => {
  expect(() => validateSshOptions(options)).toThrow(what)
})

test('what a person types is quoted', () => {
  expect(typedCommand(all)).toBe("ssh -F /etc/x -l ann -p 2222 -i '/keys/a b' -J jump -o 'Ciphers=aes128-gcm@openssh.com' gpu1")
})
