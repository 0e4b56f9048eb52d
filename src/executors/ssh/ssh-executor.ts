import { DroverError, toErrorJson } from '../../errors.ts'
import { probeScript } from '../../targets/probe-script.ts'
import { type NodeFacts, parseProbe } from '../../targets/site-facts.ts'
import { type Transport, transportAt } from '../../transports/transport.ts'
import { cancelPlaceElements, endPlace, startDriver } from '../driver-process.ts'
import type { Executor, Io, NativeRef, Plan, SiteFacts } from '../executor.ts'
import { sshCapabilities } from './ssh-capabilities.ts'
import { compileSsh, type SshRefs } from './ssh-compiler.ts'
import { coordinateNodes } from './ssh-coordinate.ts'
import { pollSsh } from './ssh-poll.ts'

/** Starts the drivers of all nodes side by side; the native id is `<node>=<pid>:<start time>:<boot id>`, joined by spaces. */
async function submitSsh(plan: Plan<SshRefs>, io: Io): Promise<string> {
  const ids = await Promise.all(
    plan.places.map(async (place) => `${place.node}=${await startDriver(place, plan.jobId, transportAt(io.transport, place.node), io)}`),
  )
  return ids.join(' ')
}

/** Asks every node; the first that could not be told is reported after the others were. */
async function cancelSsh(refs: readonly NativeRef[], io: Io): Promise<void> {
  const outcomes = await Promise.allSettled(
    refs.flatMap((ref) => ref.places.map((place) => endPlace(place, transportAt(io.transport, place.node)))),
  )
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}

async function cancelSshElements(ref: NativeRef, positions: readonly number[], io: Io): Promise<void> {
  await Promise.all(ref.places.map((place) => cancelPlaceElements(place, positions, transportAt(io.transport, place.node))))
}

/** Facts of one node, under the name and address of its inventory. */
export async function probeNode(
  node: { readonly name: string; readonly ip: string },
  root: string,
  transport: Transport,
  now: () => number,
): Promise<NodeFacts> {
  const { stdout, stderr, code } = await transport.run(probeScript(root))
  if (code !== 0)
    throw new DroverError('transport_failed', `cannot read the facts of node ${node.name}`, {
      level: 'transport',
      outputTail: stderr.slice(-500),
    })
  return { ...parseProbe(stdout, now()), node: node.name, ip: node.ip }
}

/** Machines without a scheduler, reached by SSH: a driver on each, coordinated from here. */
export const sshExecutor: Executor<SshRefs> = {
  kind: 'ssh',
  capabilities: sshCapabilities,
  plan: compileSsh,
  submit: submitSsh,
  poll: pollSsh,
  async list() {
    return []
  },
  cancel: cancelSsh,
  cancelElements: cancelSshElements,
  coordinate: coordinateNodes,
  async probe(io, root): Promise<SiteFacts> {
    const names = io.transport.nodes ?? ['']
    const outcomes = await Promise.allSettled(
      names.map((name) => probeNode({ name, ip: name }, root, transportAt(io.transport, name), () => io.now())),
    )
    const nodes = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    const [head] = nodes
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (head === undefined) throw failed?.status === 'rejected' ? failed.reason : new Error(toErrorJson(undefined).message)
    return siteOf(nodes)
  },
}

/** The facts of a target of several nodes: the head's, with the largest of each capacity, so that what fits on a node fits. */
export function siteOf(nodes: readonly NodeFacts[]): SiteFacts {
  const [head] = nodes
  if (head === undefined)
    throw new DroverError('transport_failed', 'no node of the target answers', { level: 'transport', transient: true })
  return { ...head, nodes }
}
