import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runDrover } from '../conformance/run-drover.ts'
import { ExtraSshd } from './extra-sshd.ts'
import { SshHome } from './ssh-home.ts'
import { SshRig } from './ssh-rig.ts'

// All ways to a host that a user's ssh may know: what works by hand works here.

const rig = new SshRig('private')
const python = join(process.env['DROVER_PYTHON_ENV'] ?? '', 'bin')
const PORT = 2300
/** A net that the two machines share and this one is not in. */
const INNER = '10.200.77.2'
const v6 = (node: number): string => `fd00:6472:6f76::${node}`
let home: SshHome
let agent: { readonly SSH_AUTH_SOCK: string; readonly SSH_AGENT_PID: string }
const sshds: ExtraSshd[] = []
const BRIDGE = execFileSync('sh', ['-c', 'ip -o -4 addr show | awk -v a="$1" \'index($4, a) == 1 { print $2 }\'', 'sh', hostAddress()], {
  encoding: 'utf8',
}).trim()

function hostAddress(): string {
  const listen = /^ListenAddress (\d+\.\d+\.\d+)\./m.exec(readFileSync(join(rig.directory, 'ssh/sshd_config.node1'), 'utf8'))?.[1]
  return `${listen}.254`
}

/** The interface of a machine that holds its address. */
const addAddress = (machine: string, address: string): string =>
  rig.on(
    machine,
    'sh',
    '-euc',
    `dev=$(ip -o -4 addr show scope global | awk '{ print $2; exit }'); ip addr replace "$1" dev "$dev" $2`,
    'sh',
    address,
    address.includes(':') ? 'nodad' : '',
  )

beforeAll(async () => {
  if (process.env['DROVER_PYTHON_ENV'] === undefined)
    throw new Error('DROVER_PYTHON_ENV names no Python environment: run npm run test:engines')
  execFileSync('ip', ['addr', 'replace', `${v6(254)}/64`, 'dev', BRIDGE, 'nodad'])
  home = new SshHome(rig, 'private')
  const keys = join(home.base, 'keys')
  mkdirSync(keys, { mode: 0o700 })
  const keygen = (...args: string[]) => execFileSync('ssh-keygen', ['-q', ...args], { cwd: keys, stdio: 'ignore' })
  for (const name of ['plain', 'certified', 'agent', 'ca']) keygen('-t', 'ed25519', '-N', '', '-C', name, '-f', name)
  keygen('-s', 'ca', '-I', 'test', '-n', 'drover', '-V', '+1h', 'certified.pub')
  const accepted = join(rig.directory, 'accepted-keys')
  writeFileSync(accepted, ['plain', 'agent'].map((name) => readFileSync(join(keys, `${name}.pub`), 'utf8')).join(''))
  const authority = join(rig.directory, 'accepted-authority')
  copyFileSync(join(keys, 'ca.pub'), authority)
  for (const node of [1, 2]) {
    addAddress(`node${node}`, `${v6(node)}/64`)
    addAddress(`node${node}`, `10.200.77.${node}/24`)
    sshds.push(
      new ExtraSshd(rig, `node${node}`, [
        `ListenAddress [${v6(node)}]:${PORT}`,
        `ListenAddress 10.200.77.${node}:${PORT}`,
        `AuthorizedKeysFile ${accepted} ${join(rig.directory, 'ssh/authorized_keys')}`,
        `TrustedUserCAKeys ${authority}`,
      ]),
    )
  }
  agent = startAgent(join(keys, 'agent'))
  const strict = [
    '  User drover',
    `  UserKnownHostsFile ${join(rig.directory, 'ssh/known_hosts')}`,
    '  GlobalKnownHostsFile /dev/null',
    '  StrictHostKeyChecking yes',
    '  IdentitiesOnly yes',
  ]
  const rigKey = `  IdentityFile ${join(rig.directory, 'ssh/id_ed25519')}`
  const host = (names: string, ...lines: string[]): string => [`Host ${names}`, ...lines.map((line) => `  ${line}`), ...strict].join('\n')
  writeFileSync(
    join(home.base, 'ways.conf'),
    [
      host('inner', `HostName ${INNER}`, `Port ${PORT}`, 'HostKeyAlias node2', 'ProxyJump node1', rigKey),
      host(`${INNER}`, 'HostKeyAlias node2', rigKey),
      host(v6(1), 'HostKeyAlias node1', `Port ${PORT}`, rigKey),
      host(v6(2), 'HostKeyAlias node2', `Port ${PORT}`, rigKey),
      host('bare', `HostName ${v6(1)}`, 'HostKeyAlias node1'),
      host('certified', `HostName ${v6(1)}`, 'HostKeyAlias node1', `Port ${PORT}`, `IdentityFile ${keys}/certified`),
      // The key is with the agent alone; the file is its public half.
      host('agent', `HostName ${v6(1)}`, 'HostKeyAlias node1', `Port ${PORT}`, `IdentityFile ${keys}/agent.pub`),
      'Match all',
      `Include ${rig.configFile}`,
      '',
    ].join('\n'),
  )
  rmPrivate(join(keys, 'agent'))
  const target = (name: string, ...nodes: string[]): string =>
    `  ${name}: {kind: ssh, root: ${home.root}, ssh_config: ${join(home.base, 'ways.conf')}, nodes: [${nodes.join(', ')}]}\n`
  writeFileSync(
    join(home.base, '.config/drover/config.yaml'),
    `targets:\n${[
      target('jump-config', '{host: inner}'),
      target('jump-node', `{host: ${INNER}, port: ${PORT}, proxy_jump: node1}`),
      target('address-v6', `{host: "${v6(1)}"}`),
      target('port-and-key', `{host: bare, port: ${PORT}, identity_file: ${keys}/plain}`),
      target('certificate', '{host: certified}'),
      target('agent', '{host: agent}'),
      target('lab-v6', `{host: "${v6(1)}", cpus: 4}`, `{host: "${v6(2)}", cpus: 4}`),
    ].join('')}`,
  )
  Object.assign(home.environment, { SSH_AUTH_SOCK: agent.SSH_AUTH_SOCK })
  await home.start()
})
afterAll(async () => {
  await home?.close()
  for (const sshd of sshds) sshd.stop()
  for (const node of [1, 2]) {
    const script =
      'for a; do ip -o addr show | awk -v a="$a" \'index($4, a "/") == 1 { print $2 }\' | while read -r d; do ip addr del "$a/$(case $a in *:*) echo 64 ;; *) echo 24 ;; esac)" dev "$d"; done; done'
    rig.on(`node${node}`, 'sh', '-c', script, 'sh', v6(node), `10.200.77.${node}`)
  }
  execFileSync('ip', ['addr', 'del', `${v6(254)}/64`, 'dev', BRIDGE])
  if (agent !== undefined) process.kill(Number(agent.SSH_AGENT_PID))
})

function startAgent(key: string): typeof agent {
  const said = execFileSync('ssh-agent', ['-s'], { encoding: 'utf8' })
  const value = (name: string): string => new RegExp(`${name}=([^;]+);`).exec(said)?.[1] ?? ''
  const started = { SSH_AUTH_SOCK: value('SSH_AUTH_SOCK'), SSH_AGENT_PID: value('SSH_AGENT_PID') }
  execFileSync('ssh-add', ['-q', key], { env: { ...process.env, ...started } })
  return started
}

function rmPrivate(path: string): void {
  execFileSync('rm', [path])
}

const drover = (...args: string[]) => runDrover(home.environment, args, { cwd: home.directory, timeoutMs: 110_000 })

test('the inner host does not answer from here', () => {
  const { stdout } = spawnSync('timeout', ['2', 'bash', '-c', `exec 3<>/dev/tcp/${INNER}/${PORT} && head -c 4 <&3`], { encoding: 'utf8' })
  expect(stdout).not.toContain('SSH')
})

describe('one job by each way', () => {
  test.each([
    ['jump-config', 'node2'],
    ['jump-node', 'node2'],
    ['address-v6', 'node1'],
    ['port-and-key', 'node1'],
    ['certificate', 'node1'],
    ['agent', 'node1'],
  ])('%s', async (target, node) => {
    const { code, stdout, stderr } = await drover('run', '--on', target, '--', 'uname', '-n')
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${node}\n`, stderr: expect.any(String) })
    const shell = await drover('shell', 'last', '--', 'uname', '-n')
    expect(shell).toMatchObject({ code: 0, stdout: `${node}\n` })
  })
})

describe('several hosts that are known by IPv6 addresses alone', () => {
  const path = ['--env', `PATH=${python}:/usr/bin:/bin`]

  test('torchrun', async () => {
    writeFileSync(
      join(home.directory, 'train.py'),
      `import torch, torch.distributed as dist
dist.init_process_group("gloo")
x = torch.ones(1) * (dist.get_rank() + 1)
dist.all_reduce(x)
print("rank %d of %d sum %g" % (dist.get_rank(), dist.get_world_size(), x.item()), flush=True)
dist.destroy_process_group()
`,
    )
    const { code, stdout, stderr } = await drover(
      'run',
      '--on',
      'lab-v6',
      '--nodes',
      '2',
      ...path,
      '--launcher',
      'torchrun',
      '--',
      'train.py',
    )
    expect(code, `${stdout}\n${stderr}`).toBe(0)
    const lines = stdout.split('\n').filter((line) => line.includes(' sum '))
    expect(lines.map((line) => line.replace(/^\[\d+\] /, '')).sort()).toEqual(['rank 0 of 2 sum 3', 'rank 1 of 2 sum 3'])
  })

  test('distributed with spawn: MASTER_ADDR as torch takes it', async () => {
    const { code, stdout, stderr } = await drover(
      ...['run', '--on', 'lab-v6', '--nodes', '2', ...path, '--launcher', 'distributed', '--launcher-option', 'spawn=true'],
      ...['--', 'python', 'train.py'],
    )
    expect(code, `${stdout}\n${stderr}`).toBe(0)
    expect(stdout.match(/sum 3/g)).toHaveLength(2)
  })

  test('optuna: the address of the database that the head runs is written in brackets', async () => {
    writeFileSync(
      join(home.directory, 'tune.py'),
      `import os, optuna
study = optuna.load_study(study_name=os.environ["STUDY_NAME"], storage=os.environ["DATABASE_URI"])
study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=2)
print("at " + os.environ["DATABASE_URI"].split("@")[1], flush=True)
`,
    )
    const { code, stdout, stderr } = await drover(
      ...['run', '--on', 'lab-v6', '--nodes', '2', ...path, '--launcher', 'optuna', '--', 'python', 'tune.py'],
    )
    expect(code, `${stdout}\n${stderr}`).toBe(0)
    expect(stdout.split(`at [${v6(1)}]:`)).toHaveLength(3)
  })
})
