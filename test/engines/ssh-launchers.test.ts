import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runDrover } from '../conformance/run-drover.ts'
import { SshHome } from './ssh-home.ts'
import { SshRig } from './ssh-rig.ts'

// Real torch over real hosts: the environment of DROVER_PYTHON_ENV is on the machines' common disk.

const rig = new SshRig('private')
const python = join(process.env['DROVER_PYTHON_ENV'] ?? '', 'bin')
let home: SshHome
beforeAll(async () => {
  if (process.env['DROVER_PYTHON_ENV'] === undefined)
    throw new Error('DROVER_PYTHON_ENV names no Python environment: run npm run test:engines')
  home = await new SshHome(rig, 'private').start()
  writeFileSync(
    join(home.directory, 'train.py'),
    `import os, sys, torch, torch.distributed as dist
dist.init_process_group("gloo")
x = torch.ones(1) * (dist.get_rank() + 1)
dist.all_reduce(x)
print("rank %d of %d sum %g %s" % (dist.get_rank(), dist.get_world_size(), x.item(), " ".join(sys.argv[1:])), flush=True)
if os.environ.get("FAIL") == os.environ["GROUP_RANK"]:
    os._exit(7)
if "FAIL" in os.environ:
    import time
    time.sleep(600)
dist.destroy_process_group()
`,
  )
})
afterAll(() => home.close())

const run = (...args: string[]) => runDrover(home.environment, ['run', '--on', 'lab', ...args], { cwd: home.directory, timeoutMs: 110_000 })
const path = ['--env', `PATH=${python}:/usr/bin:/bin`]

test.each([2, 4])('torchrun over %i hosts: the code is shipped, one rendezvous, one sum', async (nodes) => {
  const { code, stdout, stderr } = await run('--nodes', String(nodes), ...path, '--launcher', 'torchrun', '--', 'train.py', '--lr', '0.1')
  const sum = (nodes * (nodes + 1)) / 2
  const lines = stdout.split('\n').filter((line) => line.includes(' sum '))
  expect({ code, lines: lines.map((line) => line.replace(/^\[\d+\] /, '')).sort(), stderr }).toEqual({
    code: 0,
    lines: Array.from({ length: nodes }, (_, rank) => `rank ${rank} of ${nodes} sum ${sum} --lr 0.1`),
    stderr: expect.any(String),
  })
})

test('a rank exits 7: that is the code and the cause, the other agent is ended, no worker is left', async () => {
  const { code } = await run('--nodes', '2', ...path, '--env', 'FAIL=1', '--launcher', 'torchrun', '--', 'train.py')
  expect(code).toBe(7)
  expect(await home.drover.get('last')).toMatchObject({ state: 'failed', cause: { kind: 'exit', code: 7, rank: 1 } })
  const left = ['node1', 'node2'].flatMap((node) => rig.processes(node).filter((line) => line.includes('train.py')))
  expect(left).toEqual([])
})

test('distributed: the variables of every node', async () => {
  const text = 'echo "$MASTER_ADDR $WORLD_SIZE $NODE_RANK $LOCAL_WORLD_SIZE"'
  const { code, stdout } = await run('--nodes', '3', '--processes-per-node', '2', '--launcher', 'distributed', '--', 'sh', '-c', text)
  expect(code).toBe(0)
  const head = stdout.split(' ')[1]
  expect(stdout.trim().split('\n').sort()).toEqual([0, 1, 2].map((rank) => `[${rank}] ${head} 6 ${rank} 2`))
})
