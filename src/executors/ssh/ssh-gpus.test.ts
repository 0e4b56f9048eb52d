import { expect, test } from 'vitest'
import type { NodeFacts } from '../../targets/site-facts.ts'
import type { Target } from '../../targets/target.ts'
import { defineTask } from '../../task/define-task.ts'
import type { TaskInput } from '../../task/task-input.ts'
import type { Transport } from '../../transports/transport.ts'
import type { ResolvedTask } from '../executor.ts'
import { resolveTask } from '../resolve-task.ts'
import { sshCapabilities } from './ssh-capabilities.ts'
import { compileSsh } from './ssh-compiler.ts'
import { connectNodes } from './ssh-kind.ts'
import { parseSshOptions } from './ssh-options.ts'

const A100 = 'NVIDIA A100-SXM4-40GB'
const H100 = 'NVIDIA H100 80GB HBM3'

/** The facts of nodes as the inventory caps them; `found`: names that nvidia-smi gives. */
async function nodesOf(...nodes: readonly { readonly gpus?: unknown; readonly found: readonly string[] }[]) {
  const options = { nodes: nodes.map(({ gpus }, at) => ({ host: `n${at}`, ...(gpus === undefined ? {} : { gpus }) })) }
  const target: Target = { name: 'lab', kind: 'ssh', root: '/r', options, limits: {} }
  const reached = parseSshOptions(options).nodes.map((node, at) => {
    const lines = (nodes[at]?.found ?? []).map((name, index) => `gpu ${index}, ${name}, ${name === A100 ? 40_960 : 81_559}`)
    const stdout = [
      'drover-probe begin',
      `host ${node.name}`,
      'boot b',
      'root /r',
      'cpus 8',
      'memory 16000000000',
      ...lines,
      'drover-probe end',
    ]
    const run = async () => ({ code: 0, stdout: `${stdout.join('\n')}\n`, stderr: '' })
    return { node, transport: { run } as unknown as Transport }
  })
  const world = { environment: {}, signal: new AbortController().signal, now: () => 0, log: { debug() {}, warn() {} } }
  return (await connectNodes(target, reached, world)).site
}

type Site = Awaited<ReturnType<typeof nodesOf>>
const gpusOf = ({ nodes }: Site) => nodes?.map(({ gpus }: NodeFacts) => gpus.map(({ index, name }) => `${index} ${name}`))

function resolve(site: Site, accelerators: unknown, input: Partial<TaskInput> = {}): ResolvedTask {
  const [spec] = defineTask({ name: 't', run: 'true', resources: { accelerators }, ...input } as TaskInput).tasks
  return resolveTask(spec!, { target: 'lab', kind: 'ssh', capabilities: sshCapabilities, site, others: [], upstreams: {} })
}

test('the inventory says how many, which and what kind; what it does not say is found', async () => {
  const site = await nodesOf(
    { found: [A100, H100] },
    { gpus: 1, found: [A100, H100] },
    { gpus: 'H100:1', found: [A100, H100] },
    { gpus: { MI300X: 2 }, found: [] },
    { gpus: 'Odd:1', found: ['NVIDIA Graphics Device'] },
    { gpus: 'H100:3', found: [A100, H100] },
  )
  expect(gpusOf(site)).toEqual([
    [`0 ${A100}`, `1 ${H100}`],
    [`0 ${A100}`],
    [`1 ${H100}`],
    ['0 MI300X', '1 MI300X'],
    ['0 Odd'],
    [`1 ${H100}`, '2 H100', '3 H100'],
  ])
})

test('a plan shows nodes that have what is asked for', async () => {
  const site = await nodesOf({ found: [A100] }, { found: [A100, H100] }, { found: [H100] })
  const plan = compileSsh(resolve(site, 'H100:1', { num_nodes: 2 }), site, { jobId: 'j', attempt: 1 })
  expect(plan.refs.nodes).toEqual([
    { node: 'n1', gpus: [1] },
    { node: 'n2', gpus: [0] },
  ])
})

test('refused when too few nodes can ever give it, with what each has', async () => {
  const site = await nodesOf({ found: [A100, A100] }, { found: [] }, { found: [H100] })
  expect(() => resolve(site, 'H100:1', { num_nodes: 2 })).toThrow(
    `it asks for H100:1 per node: n0 has 2 × ${A100}, n1 has no GPU, n2 has 1 × ${H100} (1 of 3 nodes can give it, and it needs 2)`,
  )
  expect(() => resolve(site, 'A10:1')).toThrow('0 of 3 nodes can give it')
})

test('of several kinds the first that enough nodes have, for all nodes alike', async () => {
  const site = await nodesOf({ found: [H100] }, { found: [A100] }, { found: [A100] })
  const choice = ['H100:1', 'A100:1']
  expect(resolve(site, choice).perNode).toMatchObject({ gpus: 1, gpuType: 'H100' })
  expect(resolve(site, choice, { num_nodes: 2 }).perNode).toMatchObject({ gpus: 1, gpuType: 'A100' })
})

test('an array takes as many elements at once as there are devices of the kind', async () => {
  const site = await nodesOf({ found: [H100, H100] }, { found: [A100, H100] })
  expect(resolve(site, 'H100:1', { array: 9 } as Partial<TaskInput>).array?.width).toBe(3)
})
