import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runDrover } from '../conformance/run-drover.ts'
import { SshHome } from './ssh-home.ts'
import { SshRig } from './ssh-rig.ts'

// The examples of docs/ssh.md, with the rig's machines in the places of gpu1 and gpu2.

const rig = new SshRig('private')
const page = readFileSync(join(import.meta.dirname, '../../docs/ssh.md'), 'utf8')
const [config = '', commands = ''] = [...page.matchAll(/```(?:yaml|sh)\n([\s\S]*?)```/g)].map(([, text]) => text ?? '')
let home: SshHome
beforeAll(async () => {
  home = await new SshHome(rig, 'private').start()
  const machines = config
    .replace('kind: ssh', `kind: ssh\n    ssh_config: ${rig.configFile}\n    root: ${home.root}`)
    .replace('gpu1', 'node1')
    .replace('gpu2', 'node2')
    .replace(/, (private_ip|gpus|cpus): [\d.]+/g, '')
  writeFileSync(join(home.directory, 'drover.yaml'), machines)
  writeFileSync(join(home.directory, 'train.py'), 'import os, sys\nprint("trained", os.environ["RANK"], sys.argv[1:])\n')
  writeFileSync(join(home.directory, 'simulate'), '#!/bin/sh\necho "simulated $DROVER_ARRAY_INDEX"\n')
  chmodSync(join(home.directory, 'simulate'), 0o755)
})
afterAll(() => home.close())

const lines = commands.split('\n').flatMap((line) => {
  const words = line.replace(/ +#.*$/, '').split(' ')
  return words[0] === 'drover' ? [words.slice(1)] : []
})

test.each(lines.map((words) => [words.join(' '), words] as const))('drover %s', async (_, words) => {
  const python = `${process.env['DROVER_PYTHON_ENV']}/bin:/usr/bin:/bin`
  const args = words.flatMap((word) => (word === '--launcher' ? ['--env', `PATH=${python}`, word] : [word]))
  const { code, stdout, stderr } = await runDrover(home.environment, args, { cwd: home.directory, timeoutMs: 110_000 })
  expect(code, `${stdout}${stderr}`).toBe(0)
  if (words.includes('train.py')) expect(stdout.match(/trained/g)).toHaveLength(2)
  if (words.includes('100')) expect(stdout.match(/simulated \d+/g)).toHaveLength(100)
})

test('the page has its three examples', () => {
  expect(lines.map(([first]) => first)).toEqual(['target', 'run', 'run'])
})
