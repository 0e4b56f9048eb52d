import { transportAt } from '../../transports/transport.ts'
import { cancelPlaceElements, endPlace, startDriver } from '../driver-process.ts'
import type { Executor, Io, NativeRef, Plan } from '../executor.ts'
import type { ShareRefs } from '../plan-of-shares.ts'
import { sshCapabilities } from './ssh-capabilities.ts'
import { compileSsh } from './ssh-compiler.ts'
import { coordinateNodes } from './ssh-coordinate.ts'
import { pollSsh } from './ssh-poll.ts'

/** Starts the drivers of all nodes side by side; the native id is `<node>=<pid>:<start time>:<boot id>`, joined by spaces. */
async function submitSsh(plan: Plan<ShareRefs>, io: Io): Promise<string> {
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

/** Machines without a scheduler, reached by SSH: a driver on each, coordinated from here. */
export const sshExecutor: Executor<ShareRefs> = {
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
}
