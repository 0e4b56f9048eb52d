import { expect, test } from 'vitest'
import { remoteFileError, sshError } from './ssh-errors.ts'

const options = { host: 'gpu1', user: 'ann', port: 2222, target: 'lab' }

test.each([
  // OpenSSH 9.2, LogLevel=ERROR, what a client printed in each case.
  [
    'No ED25519 host key is known for gpu1 and you have requested strict checking.\r\nHost key verification failed.\r\n',
    'host key is not known',
    false,
    /ssh-keyscan -p 2222 gpu1/,
  ],
  [
    '@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.',
    'not the one that is known',
    false,
    /ssh-keygen -R '\[gpu1\]:2222'/,
  ],
  ['ann@gpu1: Permission denied (publickey).', 'none of the keys', false, /ssh-copy-id/],
  ['ann@gpu1: Permission denied (publickey,keyboard-interactive).', 'one-time password', false, /^Run: drover target login lab$/],
  ['ssh: connect to host gpu1 port 2222: Connection refused', 'refused the connection', true, /port 2222/],
  ['ssh: connect to host gpu1 port 22: Connection timed out', 'did not answer in time', true, /network/],
  ['Connection timed out during banner exchange', 'did not answer in time', true, /network/],
  ['ssh: connect to host gpu1 port 22: No route to host', 'cannot be reached', true, /VPN/],
  ['ssh: Could not resolve hostname gpu1: Name or service not known', 'its name is not known', true, /spelling/],
  ['mux_client_request_session: session request failed: Session open refused by peer', 'refused another session', true, /MaxSessions/],
  [
    'mux_client_request_session: session request failed: Session open refused by peer\nann@gpu1: Permission denied (keyboard-interactive).',
    'refused another session',
    true,
    /max_sessions/,
  ],
  ['Connection to gpu1 closed by remote host.', 'the connection was cut', true, /again by itself/],
  ['Timeout, server gpu1 not responding.', 'did not answer in time', true, /network/],
  ['', 'ssh ended with 255', true, /^Try ssh -l ann -p 2222 gpu1\.$/],
  ['something nobody has seen', 'something nobody has seen', true, /^Try/],
])('%j', (said, what, transient, hint) => {
  const error = sshError(options, 'cannot connect', said, 255)
  expect(error).toMatchObject({ code: 'transport_failed', level: 'transport', transient })
  expect(error.message).toBe(`ssh ann@gpu1:2222: cannot connect: ${error.message.split(': cannot connect: ')[1]}`)
  expect(error.message).toContain(what)
  expect(error.details.hint).toMatch(hint)
})

test.each([
  ['cat: write error: No space left on device', 'no_space', 'no space left'],
  ['mkdir: cannot create directory: Disk quota exceeded', 'no_space', 'disk quota exceeded'],
  ["rm: cannot remove '/x': Permission denied", 'no_permission', 'permission denied'],
  ['touch: Read-only file system', 'no_permission', 'the file system is read-only'],
  ['-: 1: cannot create /x: Directory nonexistent', 'staging_failed', 'no such file or directory'],
  ['words of a tool nobody knows', 'staging_failed', 'words of a tool nobody knows'],
])('%j', (said, code, words) => {
  expect(remoteFileError(options, 'write', '/x', said)).toMatchObject({
    code,
    level: 'staging',
    message: `ann@gpu1:2222: cannot write /x: ${words}`,
  })
})
