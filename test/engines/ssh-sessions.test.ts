import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sshAddresses } from '../../src/executors/ssh/ssh-addresses.ts'
import { until } from '../../src/testing/index.ts'
import { compileLogin, type SshOptions } from '../../src/transports/ssh-options.ts'
import { createSshTransport, type SshTransport } from '../../src/transports/ssh-transport.ts'
import { SshRig } from './ssh-rig.ts'

/** A host whose sshd allows two sessions on a connection. */
const rig = new SshRig('private')
const PORT = 2022
const CONFIG = '/scratch/sshd-two-sessions'
let local = ''
let far = ''
const open: SshTransport[] = []

beforeAll(() => {
  const change = `s/^\\(ListenAddress .*\\):22$/\\1:${PORT}/; s/^MaxSessions .*/MaxSessions 2/`
  rig.on('node1', 'sh', '-c', `sed '${change}' "$1" >"$2" && exec /usr/sbin/sshd -f "$2" -E "$2.log"`, 'sh', serverFile(), CONFIG)
})
afterAll(() => {
  rig.on('node1', 'sh', '-c', `pkill -f '^sshd: /usr/sbin/sshd -f ${CONFIG}'; rm -f ${CONFIG} ${CONFIG}.log`)
})
beforeEach(() => {
  local = mkdtempSync(join(tmpdir(), 'drover-ssh-s-'))
  far = `/scratch/s-${randomBytes(6).toString('hex')}`
  rig.as('node1', 'mkdir', '-m', '700', far)
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()))
  rig.on('node1', 'rm', '-rf', far)
  rmSync(local, { recursive: true, force: true })
})

const serverFile = (): string => join(rig.directory, 'ssh/sshd_config.node1')

/** As a target says it. */
function connect(option: { readonly max_sessions?: number }, change: Partial<SshOptions> = {}): SshTransport {
  const options = { nodes: [{ host: 'node1', port: PORT }], ssh_config: rig.configFile, ...option }
  const [reached] = sshAddresses({ name: 'lab', kind: 'ssh', root: '~/.drover', options, limits: {} }, {})
  const made = createSshTransport({ ...reached!.address, controlDirectory: join(local, 'c'), ...change })
  open.push(made)
  return made
}

/** What a target does, side by side: commands, a watch, a directory there and back. */
async function work(transport: SshTransport): Promise<void> {
  mkdirSync(join(local, 'tree'))
  writeFileSync(join(local, 'tree/file'), randomBytes(100_000))
  let heard = 0
  transport.watch(`${far}/watched`, () => heard++, new AbortController().signal)
  const [outputs] = await Promise.all([
    Promise.all(Array.from({ length: 10 }, (_, at) => transport.run(`sleep 0.1; echo ${at}`))),
    transport
      .putTree(join(local, 'tree'), ['file'], `${far}/tree`)
      .then(() => transport.getTree(`${far}/tree`, ['file'], join(local, 'back'))),
    transport.write([], [{ path: `${far}/watched`, mode: 0o600, content: 'x' }]),
  ])
  expect(outputs).toEqual(Array.from({ length: 10 }, (_, at) => ({ code: 0, stdout: `${at}\n`, stderr: '' })))
  expect(readFileSync(join(local, 'back/file')).equals(readFileSync(join(local, 'tree/file')))).toBe(true)
  await until('the change to be heard', 10_000, () => heard > 0)
}

describe('a host that allows two sessions', () => {
  test('told so: everything over one connection', async () => {
    const before = accepted()
    await work(connect({ max_sessions: 2 }))
    expect(accepted() - before).toBe(1)
  })

  test('not told: ssh opens connections of its own for what is refused', async () => {
    const before = accepted()
    await work(connect({}))
    expect(accepted() - before).toBeGreaterThan(1)
  })

  test('not told, and only the login connection can be used: what is open serves all, and a refusal is named and passes', async () => {
    const key = join(local, 'key')
    const config = join(local, 'config')
    copyFileSync(join(rig.directory, 'ssh/id_ed25519'), key)
    execFileSync('chmod', ['600', key])
    writeFileSync(config, readFileSync(rig.configFile, 'utf8').replace(/IdentityFile .*/, `IdentityFile ${key}`))
    const options: SshOptions = { host: 'node1', port: PORT, configFile: config, controlDirectory: join(local, 'c') }
    mkdirSync(join(local, 'c'), { mode: 0o700 })
    execFileSync('ssh', compileLogin(options), { stdio: 'ignore' })
    rmSync(key)
    const transport = createSshTransport(options)
    open.push(transport)
    const outputs = await Promise.all(Array.from({ length: 6 }, (_, at) => transport.run(`sleep 0.3; echo ${at}`)))
    expect(outputs.map(({ stdout }) => stdout)).toEqual(['0\n', '1\n', '2\n', '3\n', '4\n', '5\n'])
    // A second client of the same connection finds no session at all.
    const other = createSshTransport(options)
    open.push(other)
    await expect(other.run('true')).rejects.toMatchObject({
      code: 'transport_failed',
      transient: true,
      message: expect.stringContaining('refused another session'),
      details: { hint: expect.stringContaining('max_sessions') },
    })
    await transport.close()
    await until('a session to be free', 20_000, async () => (await other.run('echo free').catch(() => undefined))?.stdout === 'free\n')
    execFileSync(
      'ssh',
      [
        '-O',
        'exit',
        '-S',
        compileLogin(options)
          .find((word) => word.startsWith('ControlPath='))!
          .slice(12),
        'node1',
      ],
      {
        stdio: 'ignore',
      },
    )
  })
})

/** Connections that were let in so far. */
function accepted(): number {
  return Number(rig.on('node1', 'sh', '-c', `grep -c 'Accepted publickey' ${CONFIG}.log || true`).trim())
}
