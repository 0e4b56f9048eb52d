import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTaskFile, until } from '../../src/testing/index.ts'
import { DROVER_BIN, processesOf } from '../conformance/local-home.ts'
import { runDrover } from '../conformance/run-drover.ts'
import { OTP_PORT, OtpSshd, typeAtTerminal } from './otp-sshd.ts'
import { SshHome } from './ssh-home.ts'
import { SshRig } from './ssh-rig.ts'

// Two machines that ask for a one-time password at each connection; a person logs in once at a terminal.

const rig = new SshRig('private')
const sshd = new OtpSshd(rig, ['node1', 'node2'])
let home: SshHome
const ASKED = /Password:/

beforeAll(async () => {
  sshd.start()
  home = new SshHome(rig, 'private')
  const nodes = ['node1', 'node2'].map((host) => `{host: ${host}, cpus: 4, port: ${OTP_PORT}}`).join(', ')
  writeFileSync(
    join(home.base, '.config/drover/config.yaml'),
    `targets:\n  lab: {kind: ssh, root: ${home.root}, ssh_config: ${rig.configFile}, nodes: [${nodes}]}\n`,
  )
  await home.start()
})
afterAll(async () => {
  await drover('target', 'login', 'lab', '--close')
  await home.close()
  for (const machine of ['node1', 'node2']) rig.on(machine, 'sh', '-c', 'pkill -KILL -u drover -f "$1" || true', 'sh', home.root)
  sshd.stop()
})

const drover = (...args: string[]) => runDrover(home.environment, args, { cwd: home.directory })
const atTerminal = (args: readonly string[], ...answers: (readonly [RegExp, string])[]) => typeAtTerminal(home.environment, args, answers)
const login = () => atTerminal(['target', 'login', 'lab'], [ASKED, sshd.code('node1')], [ASKED, sshd.code('node2')])

test('without a login: refused with the command that helps, and nobody is asked, not even at a terminal', async () => {
  const { code, screen } = await atTerminal(['run', '--on', 'lab', '--', 'hostname'])
  expect(screen).not.toMatch(ASKED)
  expect(screen).toContain('it wants a password or a one-time password')
  expect(screen).toContain('drover target login lab')
  expect(code).not.toBe(0)
  expect(await drover('target', 'login', 'lab', '--check')).toMatchObject({
    code: 125,
    stdout: expect.stringContaining('node1: the connection is not open'),
  })
})

test('typed once per node, a mistake included; then everything works unasked over those connections', async () => {
  const before = sshd.accepted()
  const { code, screen } = await atTerminal(
    ['target', 'login', 'lab'],
    [ASKED, '999'],
    [ASKED, sshd.code('node1')],
    [ASKED, sshd.code('node2')],
  )
  expect(screen).toContain('node1: the connection is open: nothing asks')
  expect(screen).toContain('node2: the connection is open: nothing asks')
  expect(code).toBe(0)
  expect(await drover('target', 'login', 'lab', '--check')).toMatchObject({ code: 0 })

  const outcome = await drover('run', '--on', 'lab', '--nodes', '2', '--', 'uname', '-n')
  expect(outcome).toMatchObject({ code: 0 })
  expect(outcome.stdout.split('\n').sort().filter(Boolean)).toEqual(['[0] node1', '[1] node2'])
  expect(await drover('target', 'check', 'lab')).toMatchObject({ code: 0 })
  expect(sshd.accepted() - before).toBe(2)
})

test('a job outlives the connections: its state stays, what needs them says so, and a new login goes on', async () => {
  const [job] = await home.drover.submit(
    createTaskFile('lab', { numNodes: 2, run: 'until [ -e go ]; do sleep 0.2; done; echo "went on $DROVER_NODE_RANK"' }),
  )
  if (!job) throw new Error('no job')
  await until('the job to run', 30_000, async () => (await home.drover.get(job.id)).state === 'running')
  expect(await drover('target', 'login', 'lab', '--close')).toMatchObject({ code: 0 })

  const refused = await drover('run', '--on', 'lab', '--', 'true')
  expect(refused.code).not.toBe(0)
  expect(refused.stderr).toContain('drover target login lab')
  expect((await home.drover.get(job.id)).state).toBe('running')

  expect(await login()).toMatchObject({ code: 0 })
  for (const rank of ['0', '1']) expect(await drover('shell', job.id, rank, '--', 'touch', 'go')).toMatchObject({ code: 0 })
  expect(await drover('wait', job.id)).toMatchObject({ code: 0 })
  expect((await drover('logs', job.id)).stdout.split('\n').filter(Boolean).sort()).toEqual(['[0] went on 0', '[1] went on 1'])
})

/** Answers each connection with one line after it has read one; the port is in a file. */
const SERVE = `exec perl -MIO::Socket::INET -e '
  my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 0, Listen => 5, ReuseAddr => 1) or die $!;
  open my $f, ">", "port"; print $f $s->sockport, "\\n"; close $f;
  while (my $c = $s->accept) { my $l = <$c>; print $c "heard $l"; close $c }'`

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function ask(port: number, line: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', (piece: Buffer) => {
    answer += piece.toString()
  })
  socket.write(`${line}\n`)
  await once(socket, 'close')
  return answer
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

const isFree = async (port: number): Promise<boolean> => {
  const server = createServer().listen(port, '127.0.0.1')
  const free = await once(server, 'listening').then(
    () => true,
    () => false,
  )
  server.close()
  return free
}

test('a port comes here over the login: many connections, nothing asked; it ends with the interrupt, a kill, or the login', async () => {
  const before = sshd.accepted()
  const [job] = await home.drover.submit(createTaskFile('lab', { run: SERVE }))
  if (!job) throw new Error('no job')
  const served = await until('the port to be served', 30_000, async () => {
    const found = /^(\d+)\n$/.exec((await drover('shell', job.id, '--', 'cat', 'port')).stdout)?.[1]
    return found ?? false
  })
  const start = async () => {
    const port = await freePort()
    const child = spawn(process.execPath, [DROVER_BIN, 'forward', job.id, `${port}:${served}`], {
      env: home.environment,
      stdio: ['ignore', 'inherit', 'pipe'],
    })
    const forward = { port, child, said: '', closed: once(child, 'close') as Promise<[number | null]> }
    child.stderr.on('data', (piece: Buffer) => {
      forward.said += piece.toString()
    })
    await until('the forward to be up', 20_000, () => forward.said.includes(`127.0.0.1:${port} here is port ${served} of node`))
    return forward
  }

  const interrupted = await start()
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => ask(interrupted.port, `line ${index}`)))
  expect(answers).toEqual(Array.from({ length: 20 }, (_, index) => `heard line ${index}\n`))
  interrupted.child.kill('SIGINT')
  expect((await interrupted.closed)[0]).toBe(130)
  await until('the port to be free', 5_000, () => isFree(interrupted.port))

  const killed = await start()
  expect(await ask(killed.port, 'x')).toBe('heard x\n')
  killed.child.kill('SIGKILL')
  await until('the port to be free', 5_000, () => isFree(killed.port))

  // Killed, a connection leaves its socket behind; that is not taken for one that lives, nor does it stop the next login.
  const cut = await start()
  const masters = processesOf(home.base).filter((pid) => /^ssh.*(\[mux\]|-fNT)/.test(commandOf(pid)))
  expect(masters).toHaveLength(2)
  for (const master of masters) process.kill(master, 'SIGKILL')
  expect((await cut.closed)[0]).toBe(125)
  expect(cut.said).toMatch(/the connection to node\d has ended/)
  expect(await drover('target', 'login', 'lab', '--check')).toMatchObject({ code: 125 })
  expect(sshd.accepted()).toBe(before)

  expect(await login()).toMatchObject({ code: 0 })
  expect(await drover('shell', job.id, '--', 'true')).toMatchObject({ code: 0 })
  await home.drover.cancel(job.id)
  expect((await home.drover.wait(job.id)).state).toBe('cancelled')
})
