import { accessSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { DroverError } from '../errors.ts'
import {
  createLeaseFile,
  type LeaseRecord,
  leasePath,
  listGenerations,
  readLeaseFile,
  removeAbandonedFiles,
  removeOlderLeases,
} from './lease-file.ts'
import { type ProcessIdentity, readOwnIdentity, readStartTime } from './process-identity.ts'
import { storeError } from './sqlite-errors.ts'

export type { LeaseRecord } from './lease-file.ts'

/*
 * One supervisor per home. Leases are numbered files that never change: `lease.7.json` is written whole and linked to
 * its name, which succeeds for one process only. Whoever finds that generation 7 is held by nobody makes generation 8,
 * then removes 7. The highest number is the lease. Giving up makes a next generation too, one that says `released`: a
 * number is never used twice, so a process that slept through several holders cannot win with what it saw before.
 */

/** Who holds a home, as one looks from this host. */
export type LeaseReading =
  /** Nobody: never held, or released. */
  | { readonly kind: 'free'; readonly generation: number }
  | { readonly kind: 'held'; readonly generation: number; readonly lease: LeaseRecord }
  /** Its process is gone, or the host was booted since. */
  | { readonly kind: 'stale'; readonly generation: number; readonly lease: LeaseRecord }
  /** Held on another host, where alone its process can be seen. */
  | { readonly kind: 'elsewhere'; readonly generation: number; readonly lease: LeaseRecord }
  /** The file is damaged. Its holder, if there is one, is unknown and will notice that it was succeeded. */
  | { readonly kind: 'unreadable'; readonly generation: number }

/** What can be replaced in tests. */
export interface LeaseWorld {
  readonly identity: () => Promise<ProcessIdentity>
  /** As `readStartTime`. */
  readonly startTime: (pid: number) => Promise<string | undefined>
}

export interface LeaseRequest {
  /** Directory of the store; made (0700) when missing. */
  readonly home: string
  /** Absolute path of the socket this supervisor will answer on. */
  readonly socket: string
  readonly droverVersion: string
}

/** The lease this process holds. */
export interface Lease {
  readonly record: LeaseRecord
  /** False once another process has taken over; ask before each tick's writes. See `isStillMine`. */
  isMine(): boolean
  /** Gives the home up. Does nothing when it is no longer held. */
  release(): Promise<void>
}

const REAL_WORLD: LeaseWorld = { identity: readOwnIdentity, startTime: readStartTime }
/** On file systems without links a lease can be met half written; by then its writer is done. */
const HALF_WRITTEN_MS = 500
const READ_AGAIN_MS = 25
/** Each lost round means that another process won one. */
const MAX_ROUNDS = 100

/** Reads who holds the home. Never throws because of what the lease says. */
export async function readLease(home: string, world: LeaseWorld = REAL_WORLD): Promise<LeaseReading> {
  const deadline = performance.now() + HALF_WRITTEN_MS
  for (;;) {
    const generation = (await listGenerations(home)).at(-1) ?? 0
    if (generation === 0) return { kind: 'free', generation }
    const lease = await readLeaseFile(home, generation)
    // Gone between listing and reading: it was succeeded.
    if (lease === 'gone') continue
    if (lease !== 'unreadable') return judge(lease, world)
    if (performance.now() > deadline) return { kind: 'unreadable', generation }
    await sleep(READ_AGAIN_MS)
  }
}

/**
 * Makes this process the one supervisor of the home. Of any number of processes that ask at once, one gets the lease;
 * the others throw DroverError `conflict` (transient), naming the holder. Throws `supervisor_elsewhere` when it is held
 * on another host, `no_permission` or `no_space` when the lease cannot be written.
 */
export async function acquireLease(request: LeaseRequest, world: LeaseWorld = REAL_WORLD): Promise<Lease> {
  const { home } = request
  try {
    await mkdir(home, { recursive: true, mode: 0o700 })
    const me = await world.identity()
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const reading = await readLease(home, world)
      if (reading.kind === 'elsewhere') throw elsewhere(home, reading.lease)
      if (reading.kind === 'held') throw held(home, reading.lease)
      const record = createRecord(me, request, reading.generation + 1)
      if (!(await createLeaseFile(home, record))) continue
      // Whoever read long ago may have made a number that others used and removed since; then a higher one is there.
      if ((await listGenerations(home)).at(-1) !== record.generation) {
        await rm(leasePath(home, record.generation), { force: true })
        continue
      }
      await removeOlderLeases(home, record.generation)
      await removeAbandonedFiles(home, Date.now())
      return { record, isMine: () => isStillMine(home, record.generation), release: () => release(home, record) }
    }
  } catch (error) {
    throw storeError(error, home)
  }
  throw new DroverError('store_unusable', `cannot acquire the lease of ${home}: it changes hands all the time`, {
    level: 'config',
    transient: true,
    hint: `Look at ${home}/lease.*.json for what keeps starting there.`,
  })
}

async function release(home: string, record: LeaseRecord): Promise<void> {
  if (!isStillMine(home, record.generation)) return
  const last: LeaseRecord = { ...record, generation: record.generation + 1, released: true }
  if (await createLeaseFile(home, last)) await removeOlderLeases(home, last.generation)
}

/**
 * True while the lease of that generation is in force: it is there and has no successor. Two looks at the file system,
 * a few microseconds; ask before each tick's writes. Throws what the file system throws, other than "no such file".
 */
export function isStillMine(home: string, generation: number): boolean {
  return exists(leasePath(home, generation)) && !exists(leasePath(home, generation + 1))
}

async function judge(lease: LeaseRecord, world: LeaseWorld): Promise<LeaseReading> {
  const { generation } = lease
  if (lease.released) return { kind: 'free', generation }
  const me = await world.identity()
  if (lease.host !== me.host) return { kind: 'elsewhere', generation, lease }
  const alive = lease.boot_id === me.bootId && (await world.startTime(lease.pid)) === lease.start_time
  return { kind: alive ? 'held' : 'stale', generation, lease }
}

function createRecord(me: ProcessIdentity, request: LeaseRequest, generation: number): LeaseRecord {
  return {
    version: 1,
    generation,
    host: me.host,
    boot_id: me.bootId,
    pid: me.pid,
    start_time: me.startTime,
    socket: request.socket,
    drover_version: request.droverVersion,
    released: false,
  }
}

function held(home: string, { pid, socket, drover_version }: LeaseRecord): DroverError {
  return new DroverError('conflict', `the supervisor of ${home} is process ${pid} (Drover ${drover_version}, socket ${socket})`, {
    level: 'config',
    transient: true,
    hint: `Ask it, or end it first: kill ${pid}. Jobs run on without it.`,
  })
}

function elsewhere(home: string, { host, pid, generation }: LeaseRecord): DroverError {
  return new DroverError('supervisor_elsewhere', `the supervisor of ${home} runs on host ${host} (process ${pid})`, {
    level: 'config',
    hint:
      `Run your command there: ssh ${host} drover list. To move it here, end it first: ssh ${host} kill ${pid}. ` +
      `Only when that host is gone for good: rm ${leasePath(home, generation)}`,
  })
}

function exists(path: string): boolean {
  try {
    accessSync(path)
    return true
  } catch (error) {
    if (error instanceof Error && Reflect.get(error, 'code') === 'ENOENT') return false
    throw error
  }
}
