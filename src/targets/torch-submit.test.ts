import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { refuseSshOption } from '../executors/ssh/ssh-options.ts'
import { readTorchSubmit } from './torch-submit.ts'
import { planTorchSubmit } from './torch-submit-plan.ts'

let at = ''
beforeEach(() => {
  at = mkdtempSync(join(tmpdir(), 'drover-torch-submit-'))
})
afterEach(() => rmSync(at, { recursive: true, force: true }))

/** The table of torch-submit 0.1.24: 14 columns. */
const TABLE = `CREATE TABLE jobs (id TEXT PRIMARY KEY, name TEXT, status TEXT, working_dir TEXT, nodes TEXT, cluster TEXT, command TEXT,
  max_restarts INTEGER DEFAULT 0, num_gpus INTEGER DEFAULT NULL, pids TEXT DEFAULT NULL, executor TEXT DEFAULT NULL,
  docker_image TEXT DEFAULT NULL, database TEXT DEFAULT NULL, optuna_port INTEGER DEFAULT NULL)`
const ID = '3f0c2c4e-8f1b-4c58-9a43-0d3a1f2b6c7d'
type Row = readonly (string | number | null)[]
const row = (part: Partial<Record<'id' | 'status' | 'nodes' | 'cluster' | 'pids', string | null>> = {}): Row => [
  part.id === undefined ? ID : part.id,
  'brave-otter-1234',
  part.status ?? 'crashed',
  '/home/ada/.cache/torch-submit/jobs/x/train.zip',
  part.nodes === undefined ? '192.0.2.1:10.0.0.1:4:32:ada:/home/ada/.ssh/id:22,192.0.2.2:None:4:32:None:None:2222' : part.nodes,
  part.cluster ?? 'lab',
  'python train.py --lr 0.1',
  0,
  '',
  part.pids === undefined ? '192.0.2.1:4711,192.0.2.2:4712' : part.pids,
  'torchrun',
  '',
  '',
  null,
]
function jobs(...rows: readonly Row[]): void {
  const database = new DatabaseSync(join(at, 'jobs.db'))
  database.exec(TABLE)
  const insert = database.prepare(`INSERT INTO jobs VALUES (${Array(14).fill('?').join(',')})`)
  for (const values of rows) insert.run(...values)
  database.close()
}
/** As yaml.dump of PyYAML writes it. */
const CONFIG = `clusters:
  lab:
    head_node:
      ansible_playbook: null
      nproc: 32
      num_gpus: 4
      private_ip: 10.0.0.1
      public_ip: 192.0.2.1
      ssh_port: 22
      ssh_pub_key_path: /home/ada/.ssh/id
      ssh_user: ada
    worker_nodes:
    - ansible_playbook: null
      nproc: 32
      num_gpus: 4
      private_ip: null
      public_ip: 192.0.2.2
      ssh_port: '2222'
      ssh_pub_key_path: null
      ssh_user: null
databases:
  studies:
    address: db.lab
    password: p@ss/w
    port: 5432
    type: postgres
    username: ada
`
const config = (text = CONFIG) => writeFileSync(join(at, 'config.yaml'), text)
const plan = () => planTorchSubmit(readTorchSubmit(at))

test('clusters, databases and jobs', () => {
  config()
  jobs(row())
  const before = readFileSync(join(at, 'jobs.db'))
  const planned = plan()
  expect(planned.warnings).toEqual([])
  expect(planned.targets).toEqual([
    {
      name: 'lab',
      cluster: 'lab',
      nodes: [
        { host: '192.0.2.1', user: 'ada', identity_file: '/home/ada/.ssh/id', gpus: 4, cpus: 32, private_ip: '10.0.0.1' },
        { host: '192.0.2.2', port: 2222, gpus: 4, cpus: 32 },
      ],
    },
  ])
  expect(refuseSshOption('nodes', planned.targets[0]?.nodes)).toBeUndefined()
  expect(planned.databases).toEqual([{ name: 'studies', uri: 'postgresql+psycopg2://ada@db.lab:5432/torch_submit', password: 'p@ss/w' }])
  expect(planned.jobs).toEqual([
    {
      target: 'lab',
      job: expect.objectContaining({ id: ID, name: 'brave-otter-1234', status: 'crashed', command: 'python train.py --lr 0.1' }),
    },
  ])
  expect(planned.jobs[0]?.job.pids).toEqual({ '192.0.2.1': 4711, '192.0.2.2': 4712 })
  expect(readFileSync(join(at, 'jobs.db'))).toEqual(before)
})

describe('what is broken there costs that entry alone', () => {
  test.each<[name: string, rows: Row[], found: number, warning: RegExp | undefined]>([
    ['a pid None', [row({ pids: '192.0.2.1:None' })], 1, undefined],
    ['no pids', [row({ pids: null })], 1, undefined],
    ['an IPv6 address between colons: the nodes of the cluster', [row({ nodes: '2001:db8::1:None:4:32:None:None:22' })], 1, undefined],
    ['no nodes: those of the cluster', [row({ nodes: '' })], 1, undefined],
    ['nodes of another time', [row({ nodes: '192.0.2.9:None:4:32:None:None:22' })], 0, /cluster "lab" has other nodes since/],
    ['a cluster that is gone', [row({ cluster: 'old' })], 0, /there is no cluster "old" any more/],
    ['a cluster that is gone, and nodes that cannot be read', [row({ cluster: 'old', nodes: 'x' })], 0, /nodes cannot be read/],
    ['an id that is none', [row({ id: '../../etc' }), row()], 1, /its id \("..\/..\/etc"\)/],
  ])('%s', (_name, rows, found, warning) => {
    config()
    jobs(...rows)
    const planned = plan()
    expect(planned.jobs).toHaveLength(found)
    if (warning === undefined) expect(planned.warnings).toEqual([])
    else expect(planned.warnings.join('\n')).toMatch(warning)
  })

  test('nodes and names', () => {
    config(`clusters:
  my lab!: {head_node: {public_ip: a, num_gpus: 0, nproc: 0, ssh_pub_key_path: ~/.ssh/id.pub}, worker_nodes: [{public_ip: a, ssh_port: 2222}]}
  my-lab-: {head_node: {public_ip: b, ssh_pub_key_path: id}, worker_nodes: []}
  none: {head_node: {private_ip: 10.0.0.1}, worker_nodes: []}
databases: {x: {address: '::1', port: 3306, username: ada, type: mysql}, y: {address: db}}
`)
    const { targets, databases, warnings } = plan()
    expect(targets.map(({ name, nodes }) => [name, nodes])).toEqual([
      [
        'my-lab-',
        [
          { host: 'a', identity_file: '~/.ssh/id', gpus: 0 },
          { host: 'a', name: 'a-2', port: 2222 },
        ],
      ],
      ['my-lab--2', [{ host: 'b' }]],
    ])
    for (const { nodes } of targets) expect(refuseSshOption('nodes', nodes)).toBeUndefined()
    expect(databases).toEqual([{ name: 'x', uri: 'mysql://ada@[::1]:3306/torch_submit' }])
    expect(warnings).toHaveLength(6)
  })

  test('an older table without the last columns', () => {
    config()
    const database = new DatabaseSync(join(at, 'jobs.db'))
    database.exec('CREATE TABLE jobs (id TEXT, name TEXT, status TEXT, working_dir TEXT, nodes TEXT, cluster TEXT)')
    database.prepare('INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?)').run(ID, 'n', 'running', '/z', '', 'lab')
    database.close()
    expect(plan().jobs).toHaveLength(1)
  })
})

test.each<[string, () => void, RegExp]>([
  ['nothing there', () => {}, /nothing of torch-submit in/],
  ['no database', () => writeFileSync(join(at, 'jobs.db'), 'x'.repeat(5000)), /cannot read .*jobs\.db/],
  ['another database', () => new DatabaseSync(join(at, 'jobs.db')).close(), /cannot read .*jobs\.db: no such table/],
  ['no YAML', () => config('clusters: {'), /cannot read .*config\.yaml/],
])('%s is one clear message', (_name, make, says) => {
  make()
  expect(plan).toThrow(says)
})
