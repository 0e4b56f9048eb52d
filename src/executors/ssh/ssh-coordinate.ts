import { attemptPaths } from '../../driver/protocol.ts'
import { transportAt } from '../../transports/transport.ts'
import type { AttemptFiles } from '../attempt-files.ts'
import { processesIn } from '../driver-process.ts'
import type { AttemptPlace, Io, NativeRef } from '../executor.ts'

/** What is to be done between the nodes of a job, by what their files say. */
export interface Coordination {
  /** Places at the gate, and what they are told. */
  readonly gate: readonly AttemptPlace[]
  readonly word: 'open' | 'stop'
  /** Places that are ended because another node failed. */
  readonly peers: readonly AttemptPlace[]
}

interface Standing {
  readonly place: AttemptPlace
  /** Its driver has written its record: nothing is to be done there. */
  readonly ended: boolean
  readonly ready: boolean
  readonly passed: boolean
  /** A rank failed here by itself: not as a peer, not because somebody told it to stop. */
  readonly failedIn: 'setup' | 'run' | undefined
}

function standingOf(place: AttemptPlace, index: number, files: AttemptFiles): Standing {
  const words = new Set(files.driverEvents(index).map((event) => event.word))
  const failed = place.ranks.flatMap((rank) => {
    const reading = files.record(rank)
    if (reading.kind !== 'record') return []
    const { code, told, phase } = reading.record
    if (followsUnproven(files, rank)) return []
    return (code !== 0 && told === '0') || told === 'timeout' ? [phase] : []
  })
  const driver = files.driverRecord(index)
  if (place.slots > 0) {
    // What an element ends with is nothing to the other nodes, and a rank has no other end here than that of setup.
    return {
      place,
      ended: driver.kind === 'record',
      ready: words.has('ready'),
      passed: words.has('gate'),
      // Setup, or a refusal: then the whole attempt has failed.
      failedIn: failed.length > 0 ? 'run' : undefined,
    }
  }
  const unproven = place.ranks.some((rank) => followsUnproven(files, rank))
  const broken = driver.kind === 'record' && driver.record.code !== 0 && driver.record.told === '0' && !unproven
  return {
    place,
    ended: driver.kind === 'record',
    ready: words.has('ready'),
    passed: words.has('gate'),
    failedIn: failed[0] ?? (broken ? (words.has('gate') || !words.has('ready') ? 'run' : 'setup') : undefined),
  }
}

/** What is followed elsewhere is not ended because nobody knows how this part of it ended. */
function followsUnproven(files: AttemptFiles, rank: number): boolean {
  return files.events(rank).some(({ word }) => word === 'no_proof')
}

/**
 * Decides what the nodes of a job have to be told. The gate opens when every node has room and setup is done everywhere; it stops those that wait
 * when setup has failed somewhere and all the others have come to their end or the gate, because everybody's own code is
 * wanted. A failure in run ends the others. `lost`: places whose processes are gone without a record.
 */
export function coordinate(files: AttemptFiles, lost: readonly AttemptPlace[] = []): Coordination {
  const standings = files.places.map((place, index) => standingOf(place, index, files))
  const waiting = standings.filter((each) => each.ready && !each.passed && !each.ended)
  const isLost = (place: AttemptPlace): boolean => lost.some((each) => each.node === place.node)
  const live = standings.filter((each) => !each.ended && !isLost(each.place))
  const broken = standings.some((each) => each.failedIn === 'run') || lost.length > 0
  const setupFailed = standings.some((each) => each.failedIn === 'setup')
  if (broken) return { gate: [], word: 'stop', peers: live.map((each) => each.place) }
  if (setupFailed) {
    const settled = standings.every((each) => each.ended || each.ready)
    return { gate: settled ? waiting.map((each) => each.place) : [], word: 'stop', peers: [] }
  }
  const done = standings.every((each) => each.ready || each.ended)
  return { gate: done ? waiting.map((each) => each.place) : [], word: 'open', peers: [] }
}

/** Tells the nodes. Harmless when it is done twice: a driver heeds the first word. */
export async function performCoordination({ gate, word, peers }: Coordination, files: AttemptFiles, io: Io): Promise<void> {
  await Promise.all([
    ...gate.map((place) =>
      transportAt(io.transport, place.node).write(
        [],
        [{ path: `${place.attemptDir}/${attemptPaths.gate}`, mode: 0o600, content: `${word}\n` }],
      ),
    ),
    ...peers.map(async (place) => {
      const transport = transportAt(io.transport, place.node)
      // The mark first: a TERM without it would be somebody's wish.
      await transport.write([], [{ path: `${place.attemptDir}/${attemptPaths.peerMark}`, mode: 0o600, content: '' }])
      const { driver, runners } = processesIn(files, place)
      await transport.kill(driver.length > 0 ? driver : runners, 'TERM', false)
    }),
  ])
}

/** What the supervisor does between the nodes after their files were read. */
export async function coordinateNodes(job: NativeRef, files: AttemptFiles, io: Io): Promise<void> {
  if (job.places.length > 1) await performCoordination(coordinate(files), files, io)
}
