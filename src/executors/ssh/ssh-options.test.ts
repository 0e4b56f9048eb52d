import { describe, expect, test } from 'vitest'
import { DroverError } from '../../errors.ts'
import { parseConfig } from '../../targets/parse-config.ts'
import { parseSshOptions, refuseSshOption, sshOptionNames } from './ssh-options.ts'

const kinds = { ssh: { optionNames: sshOptionNames, refuseOption: refuseSshOption } }

test('nodes as words and as mappings, in order', () => {
  const nodes = [
    'gpu1',
    '2001:db8::7',
    {
      host: 'gpu2.lab',
      name: 'two',
      user: 'ada',
      port: 2222,
      identity_file: '~/.ssh/id_lab',
      proxy_jump: 'ada@gate:22,inner',
      gpus: [0, 2],
      cpus: 8,
      memory: '64GB',
      private_ip: '10.0.0.2',
    },
    { host: 'gpu3', gpus: 4 },
  ]
  expect(
    parseSshOptions({
      nodes,
      shared_home: false,
      ssh_config: '~/lab.conf',
      ssh_options: ['ServerAliveInterval=5'],
      max_sessions: 4,
      wait_for_nodes: '30m',
    }),
  ).toEqual({
    nodes: [
      { name: 'gpu1', host: 'gpu1' },
      { name: '2001:db8::7', host: '2001:db8::7' },
      {
        name: 'two',
        host: 'gpu2.lab',
        user: 'ada',
        port: 2222,
        identityFile: '~/.ssh/id_lab',
        proxyJump: 'ada@gate:22,inner',
        gpus: [0, 2],
        cpus: 8,
        memoryBytes: 64 * 1024 ** 3,
        privateIp: '10.0.0.2',
      },
      { name: 'gpu3', host: 'gpu3', gpus: 4 },
    ],
    sharedHome: false,
    sshConfig: '~/lab.conf',
    sshOptions: ['ServerAliveInterval=5'],
    maxSessions: 4,
    waitForNodesMs: 1_800_000,
  })
})

test.each([['H100:4'], [{ H100: 4 }]])('GPUs %j: their kind, and how many', (gpus) => {
  expect(parseSshOptions({ nodes: [{ host: 'a', gpus }] }).nodes).toEqual([{ name: 'a', host: 'a', gpus: 4, gpuType: 'H100' }])
})

test('what is not said stays open', () => {
  expect(parseSshOptions({ nodes: ['a'] })).toEqual({ nodes: [{ name: 'a', host: 'a' }], sshOptions: [] })
})

test('one machine meant twice needs names', () => {
  expect(() => parseSshOptions({ nodes: ['a', { host: 'a', port: 2222 }] })).toThrow(/nodes\[1\] must be another node: "a"/)
  const named = parseSshOptions({ nodes: ['a', { host: 'a', port: 2222, name: 'b' }] })
  expect(named.nodes.map((node) => node.name)).toEqual(['a', 'b'])
  expect(() => parseSshOptions({ nodes: [{ host: 'x', name: 'a' }, 'a'] })).toThrow(/nodes\[1\]/)
})

test('without nodes the message says how to name them', () => {
  expect(() => parseSshOptions({})).toThrow(DroverError)
  expect(() => parseSshOptions({})).toThrow(/option nodes must be a list of hosts/)
})

describe('refusals carry the place inside the option', () => {
  test.each<[text: string, line: number, column: number, says: RegExp]>([
    ['nodes: []', 4, 12, /nodes must be a list of hosts/],
    ['nodes: gpu1', 4, 12, /nodes must be a list of hosts/],
    ['nodes: [gpu1, -oProxyCommand=x]', 4, 19, /nodes\[1\] must be a host name/],
    ['nodes:\n      - {host: gpu1, prot: 22}', 5, 22, /nodes\[0\]\.prot must be written "port"/],
    ['nodes:\n      - host: gpu1\n        port: 70000', 6, 9, /nodes\[0\]\.port must be a port .*, and is 70000/],
    ['nodes:\n      - {user: ada}', 5, 9, /nodes\[0\] must be a mapping with host/],
    ['nodes: [a, b, a]', 4, 19, /nodes\[2\] must be another node: "a" is the 1\. already/],
    ['nodes: [{host: a, gpus: all}]', 4, 23, /nodes\[0\]\.gpus must be a number of GPUs, a list/],
    ['nodes: [{host: a, user: "-l root"}]', 4, 23, /nodes\[0\]\.user/],
    ['nodes: [a]\n    shared_home: maybe', 5, 18, /shared_home must be true or false, and is "maybe"/],
    ['nodes: [a]\n    ssh_options: [Compression=yes, controlpath=/x]', 5, 36, /left out: Drover sets ControlPath itself/],
    ['nodes: [a]\n    ssh_options: ["Compression=yes\\nProxyCommand=x"]', 5, 19, /Key=value/],
    ['nodes: [a]\n    max_sessions: 1', 5, 19, /from 2 to 1000/],
    ['nodes: [a]\n    wait_for_nodes: long', 5, 21, /a duration/],
    ['nodes: [a]\n    ssh_config: conf', 5, 17, /absolute or beginning with ~/],
    ['nodes: [a]\n    node: b', 5, 5, /key "node" is not known/],
  ])('%j', (text, line, column, says) => {
    let thrown: unknown
    try {
      parseConfig(`targets:\n  lab:\n    kind: ssh\n    ${text}\n`, 'c.yaml', kinds)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(DroverError)
    expect((thrown as DroverError).message).toMatch(says)
    expect((thrown as DroverError).details.location).toEqual({ file: 'c.yaml', line, column })
  })
})

describe('no value can become an option or a second word of ssh', () => {
  const node = (part: Readonly<Record<string, unknown>>) => refuseSshOption('nodes', [{ host: 'a', ...part }])
  test.each(['-x', '', ' a', 'a b', 'a\nb', 'a;b', '$(x)', 'a%h', 'a/b', 'user@a', 'a:22', '[::1]', 7, null, ['a']])('host %j', (host) =>
    expect(node({ host })).toBeDefined(),
  )
  test.each(['::1', 'fe80::1%eth0', '192.0.2.1', 'gpu-1_a.lab', '::ffff:192.0.2.1'])('host %j may be', (host) =>
    expect(node({ host })).toBeUndefined(),
  )
  test.each([
    ['user', 'a b'],
    ['user', '-a'],
    ['port', '22'],
    ['port', 0],
    ['port', 1.5],
    ['identity_file', 'key'],
    ['identity_file', '/k\n-x'],
    ['proxy_jump', '-x'],
    ['proxy_jump', 'a,'],
    ['proxy_jump', 'a b'],
    ['gpus', [0, 0]],
    ['gpus', -1],
    ['gpus', 'H100'],
    ['gpus', { H100: 4, A100: 4 }],
    ['gpus', { H100: -1 }],
    ['cpus', 0],
    ['memory', 'lots'],
    ['private_ip', '1 2'],
    ['name', 'a/b'],
  ])('%s %j', (key, value) => expect(node({ [key]: value })).toMatchObject({ path: [0, key] }))
  test.each(['gate', 'ada@gate:22', 'a,b@c', '[2001:db8::1]:22', 'none'])('proxy_jump %j may be', (value) =>
    expect(node({ proxy_jump: value })).toBeUndefined(),
  )
})
