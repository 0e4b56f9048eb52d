import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Job } from '../../src/jobs/drover.ts'
import type { CheckLine } from '../../src/targets/check-line.ts'
import type { CaseTask } from '../../src/testing/task-values.ts'
import { createTaskFile } from '../../src/testing/task-values.ts'
import { readLog, settled } from '../../src/testing/waiting.ts'
import { runDrover } from '../conformance/run-drover.ts'
import { SshHome } from './ssh-home.ts'
import { SshRig } from './ssh-rig.ts'

// Buckets by real rclone: a remote of the user's own, set by environment as its documentation has it (Debian 12: rclone 1.60),
// that is an alias for a directory of each node's disk. No cloud is reached.

const STORE = '/scratch/drover-buckets'
const rig = new SshRig('private')
let home: SshHome
beforeAll(async () => {
  home = await new SshHome(rig, 'private').start()
  for (const node of ['node1', 'node2'])
    rig.as(
      node,
      'sh',
      '-c',
      'mkdir -p "$1/data/sub" && echo "one of $(uname -n)" >"$1/data/one" && echo two >"$1/data/sub/t w\\"o"',
      'sh',
      STORE,
    )
})
afterAll(async () => {
  for (const node of ['node1', 'node2']) rig.on(node, 'rm', '-rf', STORE)
  await home.close()
})

const REMOTE = { RCLONE_CONFIG_LAB_TYPE: 'alias', RCLONE_CONFIG_LAB_REMOTE: STORE }
async function run(task: CaseTask): Promise<Job> {
  const [job] = await home.drover.submit(createTaskFile('lab', { envs: REMOTE, ...task }))
  if (job === undefined) throw new Error('no job')
  return settled(home.drover, job.id, 60_000)
}
const output = async (job: Job): Promise<string> => (await readLog(home.drover, job.id)).toString()
const from = (destination: string, uri: string) => ({ destination, source: { kind: 'uri' as const, uri } })

test('a bucket is copied to every node before setup: a directory, and a file', async () => {
  const job = await run({
    numNodes: 2,
    fileMounts: [from('in', 'lab://data'), from('~/mounted/alone', 'lab://data/one')],
    setup: 'ls in/one',
    run: 'cat in/one "in/sub/t w\\"o" ~/mounted/alone',
  })
  expect(job, JSON.stringify(job.cause)).toMatchObject({ state: 'succeeded' })
  expect((await output(job)).split('\n').sort()).toEqual(
    ['', ...['node1', 'node2'].flatMap((node) => [`one of ${node}`, `one of ${node}`]), 'two', 'two'].sort(),
  )
  for (const node of ['node1', 'node2']) rig.as(node, 'rm', '-rf', 'mounted')
})

test.each([
  ['a bucket that is not there', 'lab://no-such', 'cannot bring ./in from lab:// by rclone'],
  ['a remote that nobody has set', 'nobody://data', 'rclone has no remote nobody on this node'],
])('%s: cause staging; nothing of the task runs', async (_, uri, message) => {
  const job = await run({ fileMounts: [from('in', uri)], setup: 'echo setup ran', run: 'echo ran' })
  expect(job).toMatchObject({ state: 'failed', cause: { kind: 'staging', message: expect.stringContaining(message) } })
  expect(await output(job)).toBe('')
})

test('an array over nodes: what cannot be brought is named by the node that could not', async () => {
  rig.as('node2', 'rm', '-rf', `${STORE}/data`)
  const job = await run({
    fileMounts: [from('in', 'lab://data/one')],
    run: 'cat in',
    array: { size: 4, elements: { kind: 'count', count: 4 } },
    resources: {
      ordered: false,
      candidates: [{ accelerators: [], acceleratorsOrdered: false, raw: {}, cpus: { value: 4, atLeast: false } }],
    },
  })
  expect(job).toMatchObject({ state: 'failed', cause: { kind: 'staging', message: expect.stringContaining('lab:// by rclone') } })
})

test('a node without rclone: target check says so, and so does the job', async () => {
  rig.hideTool('node1', 'rclone')
  try {
    const { stdout } = await runDrover(home.environment, ['target', 'check', 'lab', '-o', 'json'])
    const detail = (node: string) => (JSON.parse(stdout) as CheckLine[]).find(({ check }) => check === `${node}: buckets`)?.detail
    expect(detail('node1')).toMatch(/^no rclone: file_mounts of buckets cannot be brought here/)
    expect(detail('node2')).toMatch(/^rclone \d+\.\d+/)
    // The session in which jobs begin has found its programs before.
    const PATH = `${rig.as('node1', 'pwd').trim()}/no-rclone`
    const job = await run({ fileMounts: [from('in', 'lab://data')], envs: { ...REMOTE, PATH }, run: 'echo ran' })
    expect(job).toMatchObject({
      state: 'failed',
      cause: { kind: 'staging', message: expect.stringContaining('needs rclone for buckets, which is not installed on this node') },
    })
  } finally {
    rig.startup('node1', undefined)
  }
})
