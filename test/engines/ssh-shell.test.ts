import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Job } from '../../src/jobs/drover.ts'
import { createTaskFile, until } from '../../src/testing/index.ts'
import { DROVER_BIN } from '../conformance/local-home.ts'
import { runDrover } from '../conformance/run-drover.ts'
import { SshHome } from './ssh-home.ts'
import { SshRig } from './ssh-rig.ts'

const rig = new SshRig('private')
let home: SshHome
let job: Job

/** Rank 1 answers one line on a port of its node's loopback. */
const SERVE = `[ "$DROVER_NODE_RANK" = 0 ] || exec perl -MIO::Socket::INET -e '
  my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 7171, Listen => 5, ReuseAddr => 1) or die $!;
  open my $f, ">", "up"; close $f;
  while (my $c = $s->accept) { print $c "rank $ENV{DROVER_NODE_RANK}\\n"; close $c }'
sleep 600`

beforeAll(async () => {
  home = await new SshHome(rig, 'private').start()
  const [made] = await home.drover.submit(
    createTaskFile('lab', { name: 'served', numNodes: 2, run: SERVE, envs: { KEPT: "it's two\nlines" }, secrets: { TOKEN: 'ssh-secret' } }),
  )
  if (!made) throw new Error('no job')
  job = made
  await until('the script to run', 30_000, async () => (await home.drover.get(job.id)).state === 'running')
})
afterAll(() => home.close())

const run = (...args: string[]) => runDrover(home.environment, args, { cwd: home.directory })

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

describe('drover shell over ssh', () => {
  test.each([0, 1])('rank %i: on its node, in its directory, with its variables', async (rank) => {
    const script = 'printf "%s|" "$(uname -n)" "$DROVER_NODE_RANK" "$KEPT" "$TOKEN" "$DROVER_NUM_NODES" "$PWD"; exit 9'
    const outcome = await run('shell', job.id, String(rank), '--', 'sh', '-c', script)
    const directory = `${home.root}/jobs/${job.id}/work/${rank}`
    expect(outcome).toMatchObject({
      code: 9,
      stdout: [`node${rank + 1}`, rank, "it's two\nlines", 'ssh-secret', 2, directory, ''].join('|'),
    })
  })

  test('no secret is on a command line, and -o json runs nothing', async () => {
    const { stdout } = await run('shell', job.id, '-o', 'json', '--', 'touch', 'ran')
    const { argv } = JSON.parse(stdout) as { argv: string[] }
    expect(argv.slice(0, 2)).toEqual(['ssh', '-T'])
    expect(argv).toContain('StrictHostKeyChecking=yes')
    expect(stdout).not.toContain('ssh-secret')
    expect((await run('shell', job.id, '--', 'ls')).stdout).toBe('')
  })

  // Every element is rank 0 of one node; its machine has a directory of its own.
  test('the machines of an array are told apart by rank', async () => {
    const array = { elements: { kind: 'count', count: 8 }, size: 8 } as const
    await home.drover.submit(createTaskFile('lab', { name: 'many', run: 'sleep 600', array }))
    await home.drover.wait('many', { until: 'started' })
    const { stdout, stderr } = await run('shell', 'many', '1', '--', 'sh', '-c', 'echo "$DROVER_NODE_RANK of $SKYPILOT_NUM_JOBS in $PWD"')
    await home.drover.cancel('many')
    expect(stdout, stderr).toMatch(/^0 of 8 in \/\S*\/work\/1\n$/)
  })

  test('a shell has a terminal', async () => {
    // `script` gives ssh a terminal of ours; without one there, -t is in vain.
    const command = `${process.execPath} ${DROVER_BIN} shell ${job.id} 1`
    const child = spawn('sh', ['-c', 'exec script -qec "$1" /dev/null', 'sh', command], {
      env: home.environment,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    let text = ''
    child.stdout.on('data', (piece: Buffer) => {
      text += piece.toString()
    })
    child.stdin.write('tty && echo "rank=$DROVER_NODE_RANK on $(uname -n) in $PWD"; exit 6\n')
    const [code] = (await once(child, 'close')) as [number]
    expect(text).toMatch(/^\/dev\/pts\/\d+/m)
    expect(text).toContain(`rank=1 on node2 in ${home.root}/jobs/${job.id}/work/1`)
    expect(code).toBe(6)
  })
})

describe('drover forward over ssh', () => {
  test('says when it is up, carries what the rank serves, and ends with the interrupt', async () => {
    await until('rank 1 to listen', 20_000, async () => (await run('shell', job.id, '1', '--', 'ls')).stdout.includes('up'))
    const port = await freePort()
    const child = spawn(process.execPath, [DROVER_BIN, 'forward', job.id, `${port}:7171`, '--rank', '1'], {
      env: home.environment,
      stdio: ['ignore', 'inherit', 'pipe'],
    })
    let said = ''
    child.stderr.on('data', (piece: Buffer) => {
      said += piece.toString()
    })
    await until('the forward to be up', 20_000, () => said.includes(`127.0.0.1:${port} here is port 7171 of node2`))
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    socket.on('data', (piece: Buffer) => {
      answer += piece.toString()
    })
    await once(socket, 'close')
    expect(answer).toBe('rank 1\n')
    const gone = once(child, 'close')
    child.kill('SIGINT')
    expect((await gone)[0]).toBe(130)
    await until('the port to be free', 5_000, async () => {
      const probe = connect(port, '127.0.0.1')
      const outcome = await Promise.race([once(probe, 'connect').then(() => false), once(probe, 'error').then(() => true)]).catch(
        () => true,
      )
      probe.destroy()
      return outcome
    })
  })

  test('a connection that is cut ends it, and it says so', async () => {
    const port = await freePort()
    const child = spawn(process.execPath, [DROVER_BIN, 'forward', job.id, `${port}:7171`, '--rank', '1'], {
      env: home.environment,
      stdio: ['ignore', 'inherit', 'pipe'],
    })
    let said = ''
    child.stderr.on('data', (piece: Buffer) => {
      said += piece.toString()
    })
    const gone = once(child, 'close')
    await until('the forward to be up', 20_000, () => said.includes(`127.0.0.1:${port} here is`))
    rig.fault('drop-ssh', '2')
    expect((await gone)[0]).toBe(125)
    expect(said).toContain('the connection to node2 has ended (ssh exit 255)')
  })

  test('a node that refuses is named', async () => {
    rig.fault('stop-sshd', '2')
    try {
      const outcome = await run('forward', job.id, String(await freePort()), '--rank', '1')
      expect(outcome.stderr).toContain('Connection refused')
      expect(outcome.stderr).toMatch(/cannot forward port \d+ to node2: ssh ended with 255/)
      expect(outcome.code).toBe(125)
    } finally {
      rig.fault('start-sshd', '2')
    }
  })

  test('a port in use is named', async () => {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const outcome = await run('forward', job.id, String(port))
    server.close()
    expect(outcome.stderr).toContain(`port ${port} of this machine is in use`)
    expect(outcome.code).toBe(125)
  })
})

test('after the end the place is still there, with a notice and without the variables', async () => {
  await home.drover.cancel(job.id)
  await home.drover.wait(job.id)
  const outcome = await run('shell', job.id, '1', '--', 'sh', '-c', 'echo "$DROVER_NODE_RANK ${TOKEN-none}"; ls')
  expect(outcome).toMatchObject({ code: 0, stdout: '1 none\nup\n' })
  expect(outcome.stderr).toContain('has ended (cancelled)')
})
