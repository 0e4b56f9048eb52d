import { toErrorJson } from '../../errors.ts'
import { type ProcessIdentity, type Transport, transportAt } from '../../transports/transport.ts'
import { AttemptFiles } from '../attempt-files.ts'
import { allOf, processesIn } from '../driver-process.ts'
import { type AttemptPlace, attemptKey, type Io, type NativeObservation, type NativeRef, type PollResult } from '../executor.ts'
import { coordinate, performCoordination } from './ssh-coordinate.ts'

/** What asking one place gave. */
type PlaceAnswer =
  | { readonly kind: 'ended' | 'running' | 'starting' }
  | { readonly kind: 'gone'; readonly rebooted: boolean }
  | { readonly kind: 'silent'; readonly reason: string }

const BOOT_ID = 'cat /proc/sys/kernel/random/boot_id 2>/dev/null || sysctl -n kern.boottime 2>/dev/null | sed "s/ usec.*//" | tr -cd 0-9'

async function askPlace(place: AttemptPlace, index: number, files: AttemptFiles, transport: Transport): Promise<PlaceAnswer> {
  if (files.driverRecord(index).kind === 'record') return { kind: 'ended' }
  const processes: readonly ProcessIdentity[] = allOf(processesIn(files, place))
  // An attempt whose driver has not said who it is may be starting this very moment.
  const [first] = processes
  if (first === undefined) return { kind: 'starting' }
  if ((await transport.alive(processes)).some(Boolean)) return { kind: 'running' }
  // Its last words may have come between the two looks.
  const again = new AttemptFiles([{ ...place, node: '', slots: 0 }])
  await again.read(transport)
  const told = [...place.ranks.map((rank) => again.record(rank)), again.driverRecord(0)]
  if (told.some((reading) => reading.kind === 'record')) return { kind: 'ended' }
  const { stdout } = await transport.run(BOOT_ID)
  return { kind: 'gone', rebooted: stdout.trim() !== '' && stdout.trim() !== first.bootId }
}

async function pollJob(ref: NativeRef, io: Io): Promise<NativeObservation> {
  const files = new AttemptFiles(ref.places.map((place) => ({ ...place, slots: 0 })))
  await files.read(io.transport)
  const unread = new Map(files.unread.map(({ place, reason }) => [place.node, reason]))
  const answers = await Promise.all(
    ref.places.map(async (place, index): Promise<{ place: AttemptPlace; answer: PlaceAnswer }> => {
      const reason = unread.get(place.node)
      if (reason !== undefined) return { place, answer: { kind: 'silent', reason } }
      try {
        return { place, answer: await askPlace(place, index, files, transportAt(io.transport, place.node)) }
      } catch (error) {
        return { place, answer: { kind: 'silent', reason: toErrorJson(error).message } }
      }
    }),
  )
  const gone = answers.flatMap(({ place, answer }) => (answer.kind === 'gone' ? [{ place, rebooted: answer.rebooted }] : []))
  const silent = answers.flatMap(({ place, answer }) => (answer.kind === 'silent' ? [`${place.node}: ${answer.reason}`] : []))
  const alive = answers.some(({ answer }) => answer.kind === 'running' || answer.kind === 'starting')
  if (gone.length > 0 && ref.places.length > 1) {
    await performCoordination(
      coordinate(
        files,
        gone.map(({ place }) => place),
      ),
      files,
      io,
    )
  }
  if (silent.length > 0) return { kind: 'could_not_ask', reason: silent.join('; ') }
  if (alive) {
    const starting = answers.every(({ answer }) => answer.kind === 'starting')
    return starting ? { kind: 'state', word: 'STARTING', state: 'submitting' } : { kind: 'state', word: 'RUNNING', state: 'running' }
  }
  const rebooted = gone.filter((each) => each.rebooted).map(({ place }) => place.node)
  if (rebooted.length > 0) {
    const reason = `node ${rebooted.join(', ')} has rebooted: what ran there is gone`
    return { kind: 'state', word: 'NODE_REBOOTED', state: 'failed', cause: 'node_failure', reason }
  }
  return { kind: 'missing' }
}

/** One look at every place of every job; what one node cannot say leaves the others' words as they are. */
export async function pollSsh(refs: readonly NativeRef[], io: Io): Promise<PollResult> {
  const answers = await Promise.all(
    refs.map(async (ref) => {
      try {
        return await pollJob(ref, io)
      } catch (error) {
        return { kind: 'could_not_ask', reason: toErrorJson(error).message } as const
      }
    }),
  )
  return new Map(refs.map((ref, index) => [attemptKey(ref), answers[index] ?? { kind: 'could_not_ask', reason: 'not asked' }]))
}
