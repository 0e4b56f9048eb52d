import { setTimeout as sleep } from 'node:timers/promises'
import { attemptPaths, type JobEventLine } from '../driver/protocol.ts'
import { parseIdentity } from '../driver/protocol-reader.ts'
import { DroverError } from '../errors.ts'
import type { ProcessIdentity, Transport } from '../transports/transport.ts'
import { AttemptFiles } from './attempt-files.ts'
import type { AttemptPlace, Io, PlanPlace } from './executor.ts'

/** How long a started driver may take to write down who it is. */
const CLAIM_LIMIT_MS = 20_000
const SMALL_FILE = 4096

/** Texts of small files; empty where there is none. */
export async function readTexts(transport: Transport, paths: readonly string[]): Promise<readonly string[]> {
  const pieces = await transport.read(paths.map((path) => ({ path, offset: 0, maxBytes: SMALL_FILE })))
  return pieces.map((piece) => Buffer.from(piece.bytes).toString('utf8'))
}

async function claimant(place: AttemptPlace, transport: Transport): Promise<string | undefined> {
  const [text] = await readTexts(transport, [`${place.attemptDir}/${attemptPaths.nativeId}`])
  return text !== undefined && parseIdentity(text) !== undefined ? text.trim() : undefined
}

/**
 * Starts the driver of a place and resolves to who has its claim, `<pid>:<start time>:<boot id>`. However often a driver is
 * started for an attempt, its claim lets one instance run.
 *
 * @throws DroverError `transport_failed`, transient, when it did not claim the attempt in time
 */
export async function startDriver(place: PlanPlace, jobId: string, transport: Transport, io: Io): Promise<string> {
  const before = await claimant(place, transport)
  if (before !== undefined) return before
  const logPath = `${place.attemptDir}/${attemptPaths.driverLog}`
  await transport.spawn([{ argv: place.command, logPath, cwd: place.attemptDir }])
  const deadline = io.now() + CLAIM_LIMIT_MS
  for (let waitMs = 2; io.now() < deadline; waitMs = Math.min(waitMs * 1.5, 250)) {
    await sleep(waitMs, undefined, { signal: io.signal })
    const id = await claimant(place, transport)
    if (id !== undefined) return id
  }
  const [log] = await readTexts(transport, [logPath])
  const where = place.node === '' ? '' : ` on ${place.node}`
  throw new DroverError('transport_failed', `the driver of ${jobId}${where} was started but did not claim its attempt`, {
    level: 'transport',
    transient: true,
    outputTail: (log ?? '').slice(-500),
  })
}

/** The process that an event line names. */
function identityOf({ detail }: JobEventLine): ProcessIdentity | undefined {
  const { pid, start, boot } = detail
  return pid === undefined || start === undefined || boot === undefined ? undefined : { pid: Number(pid), startTime: start, bootId: boot }
}

/** Processes of one place, as its own events name them. */
export interface PlaceProcesses {
  readonly driver: readonly ProcessIdentity[]
  readonly runners: readonly ProcessIdentity[]
  /** Scripts and slots: leaders of their own groups. */
  readonly groups: readonly ProcessIdentity[]
}

/** Reads who works at a place. */
export async function readProcesses(place: AttemptPlace, transport: Transport): Promise<PlaceProcesses> {
  const single = { ...place, node: '', slots: 0 }
  const files = new AttemptFiles([single])
  await files.read(transport)
  return processesIn(files, single)
}

/** Who works at a place, by files that were read. */
export function processesIn(files: AttemptFiles, place: AttemptPlace): PlaceProcesses {
  const at = files.places.findIndex((each) => each.node === place.node && each.attemptDir === place.attemptDir)
  const named = (events: readonly JobEventLine[], word: string): ProcessIdentity[] =>
    events.flatMap((event) => {
      const identity = event.word === word ? identityOf(event) : undefined
      return identity === undefined ? [] : [identity]
    })
  const driver = files.driverEvents(at)
  return {
    driver: named(driver, 'driver'),
    runners: place.ranks.flatMap((rank) => named(files.events(rank), 'runner')),
    groups: [...place.ranks.flatMap((rank) => named(files.events(rank), 'script')), ...named(driver, 'slot')],
  }
}

/** All of them, the driver first. */
export function allOf({ driver, runners, groups }: PlaceProcesses): readonly ProcessIdentity[] {
  return [...driver, ...runners, ...groups]
}

/** TERM to the driver, which forwards it; where the driver is gone, to what is left. */
export async function endPlace(place: AttemptPlace, transport: Transport): Promise<void> {
  const processes = await readProcesses(place, transport)
  const lives = await transport.alive(allOf(processes))
  const living = (group: readonly ProcessIdentity[], offset: number) => group.filter((_, index) => lives[offset + index])
  const { driver, runners, groups } = processes
  if (living(driver, 0).length > 0) await transport.kill(driver, 'TERM', false)
  else if (living(runners, driver.length).length > 0) await transport.kill(runners, 'TERM', false)
  else if (groups.length > 0) await transport.kill(groups, 'TERM', true)
}

/** Marks elements of an array as cancelled at a place, then tells each slot that runs one of them now to end it. */
export async function cancelPlaceElements(place: AttemptPlace, positions: readonly number[], transport: Transport): Promise<void> {
  const mark = `${place.attemptDir}/${attemptPaths.cancelElements}`
  const [known] = await transport.read([{ path: mark, offset: 0, maxBytes: 1024 * 1024 }])
  const before = known === undefined ? '' : Buffer.from(known.bytes).toString('utf8')
  await transport.write([], [{ path: mark, mode: 0o600, content: before + positions.map((position) => `${position}\n`).join('') }])
  const files = new AttemptFiles([{ ...place, node: '', ranks: [] }])
  await files.read(transport)
  const wanted = new Set(positions)
  for (const [slot, lines] of files.slotLines().entries()) {
    const last = lines.at(-1)
    if (last?.kind !== 'claim' || !wanted.has(last.position)) continue
    const leader = files.driverEvents(0).findLast((event) => event.word === 'slot' && Number(event.detail['k']) === slot)
    const identity = leader === undefined ? undefined : identityOf(leader)
    // The slot itself, not its group: it ends its element; a late signal to the group would hit the next one.
    if (identity !== undefined) await transport.kill([identity], 'TERM', false)
  }
}
