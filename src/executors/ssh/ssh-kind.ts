import { DroverError, toErrorJson } from '../../errors.ts'
import { matchesGpu } from '../../targets/gpu-match.ts'
import { probeScript } from '../../targets/probe-script.ts'
import { type NodeFacts, parseProbe } from '../../targets/site-facts.ts'
import type { Target } from '../../targets/target.ts'
import { createLabTransport } from '../../transports/lab-transport.ts'
import { createSshTransport } from '../../transports/ssh-transport.ts'
import type { Transport } from '../../transports/transport.ts'
import type { Connection, ConnectWorld, ExecutorKind } from '../registry.ts'
import { sshAddresses } from './ssh-addresses.ts'
import { sshCapabilities } from './ssh-capabilities.ts'
import { checkSshTarget } from './ssh-check.ts'
import { sshExecutor } from './ssh-executor.ts'
import { sshLoginSteps } from './ssh-login.ts'
import type { SshNode } from './ssh-node.ts'
import { parseSshOptions, refuseSshOption, sshOptionNames, sshRequiredOptions } from './ssh-options.ts'
import { sshSessionArguments } from './ssh-session.ts'

/** The server's own address, as the other nodes see it: `client port SERVER port` (sshd sets it). */
const OWN_ADDRESS = 'printf "drover-address %s\\n" "$SSH_CONNECTION"'

/** A node of a target, with the transport to it. */
export interface ReachedNode {
  readonly node: SshNode
  readonly transport: Transport
}

async function probe({ node, transport }: ReachedNode, root: string, now: () => number): Promise<NodeFacts> {
  const { stdout, stderr, code } = await transport.run(`${OWN_ADDRESS}\n${probeScript(root)}`)
  if (code !== 0)
    throw new DroverError('transport_failed', `cannot read the facts of node ${node.name}`, {
      level: 'transport',
      outputTail: stderr.slice(-500),
    })
  const address = /^drover-address \S+ \S+ (\S+) /m.exec(stdout)?.[1]
  return capNode({ ...parseProbe(stdout, now()), node: node.name, ip: node.privateIp ?? address ?? node.host }, node)
}

/** What jobs may take of a node: what the inventory says, where it says so. */
function capNode(facts: NodeFacts, { cpus, memoryBytes, gpus, gpuType }: SshNode): NodeFacts {
  const cap = { ...facts, cpus: cpus ?? facts.cpus, memoryBytes: memoryBytes ?? facts.memoryBytes }
  return { ...cap, gpus: capGpus(facts.gpus, gpus, gpuType) }
}

/** Devices by the inventory's word. A kind that nvidia-smi does not name is what the inventory calls the devices. */
function capGpus(found: NodeFacts['gpus'], gpus: SshNode['gpus'], gpuType: string | undefined): NodeFacts['gpus'] {
  if (gpus === undefined) return found
  const matching = gpuType === undefined ? [] : found.filter((gpu) => matchesGpu(gpu, { gpuType }))
  const known = matching.length > 0 ? matching : found.map((gpu) => ({ ...gpu, name: gpuType ?? gpu.name }))
  const unseen = (index: number) => ({ index, name: gpuType ?? 'GPU', memoryBytes: 0 })
  if (typeof gpus !== 'number') return gpus.map((index) => known.find((gpu) => gpu.index === index) ?? unseen(index))
  const taken = new Set(found.map((gpu) => gpu.index))
  const free = Array.from({ length: gpus + taken.size }, (_, index) => index).filter((index) => !taken.has(index))
  return Array.from({ length: gpus }, (_, at) => known[at] ?? unseen(free[at - known.length] ?? at))
}

/**
 * The connection to reached nodes. A node that does not answer is taken to be like the first that does: a job that is given
 * it fails at staging, before anything has started, with its name.
 *
 * @throws what the first node said when none answers
 */
export async function connectNodes(target: Target, reached: readonly ReachedNode[], world: ConnectWorld): Promise<Connection> {
  const outcomes = await Promise.allSettled(reached.map((each) => probe(each, target.root, world.now)))
  const answered = outcomes.find((outcome) => outcome.status === 'fulfilled')?.value
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (answered === undefined) throw failed?.reason
  const nodes = reached.map(({ node }, index): NodeFacts => {
    const outcome = outcomes[index]
    if (outcome?.status === 'fulfilled') return outcome.value
    world.log.warn(`target ${target.name}: node ${node.name} does not answer: ${toErrorJson(outcome?.reason).message}`)
    return capNode({ ...answered, node: node.name, hostname: node.host, ip: node.privateIp ?? node.host, bootId: '' }, node)
  })
  const { sharedHome, waitForNodesMs } = parseSshOptions(target.options)
  return {
    executor: sshExecutor,
    transport: createLabTransport(`ssh ${target.name}`, new Map(reached.map(({ node, transport }) => [node.name, transport]))),
    site: { ...(nodes[0] ?? answered), nodes, ...(sharedHome ? { sharedHome } : {}) },
    ...(waitForNodesMs === undefined ? {} : { waitForNodesMs }),
  }
}

/** The kind `ssh`. */
export const sshKind: ExecutorKind = {
  kind: 'ssh',
  summary: 'machines reached by SSH: their cores, memory and GPUs as slots',
  capabilities: sshCapabilities,
  optionNames: sshOptionNames,
  requiredOptions: sshRequiredOptions,
  refuseOption: refuseSshOption,
  async connect(target, world) {
    const reached = sshAddresses(target, world.environment).map(({ node, address }) => ({ node, transport: createSshTransport(address) }))
    try {
      return await connectNodes(target, reached, world)
    } catch (error) {
      await Promise.allSettled(reached.map(({ transport }) => transport.close()))
      throw error
    }
  },
  check: (target, world) => checkSshTarget(target, world, createSshTransport),
  loginSteps: sshLoginSteps,
  sessionArguments: sshSessionArguments,
}
