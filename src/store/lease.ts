import { accessSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { DroverError } from '../errors.ts'
import {
  createLeaseFile,
  type Lease,
  leasePath,
  listGenerations,
  readLeaseFile,
  removeAbandonedFiles,
  removeOlderLeases,
} from './lease-file.ts'
import { type ProcessIdentity, readOwnIdentity, readStartTime } from './process-identity.ts'
import { storeError } from './sqlite-errors.ts'

export type { Lease } from './lease-file.ts'

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
  | { readonly kind: 'held'; readonly generation: number; readonly lease: Lease }
  /** Its process is gone, or the host was booted since. */
  | { readonly kind: 'stale'; readonly generation: number; readonly lease: Lease }
  /** Held on another host, where alone its process can be seen. */
  | { readonly kind: 'elsewhere'; readonly generation: number; readonly lease: Lease }
  /** The file is damaged. Its holder, if there is one, is unknown and will notice that it was succeeded. */
  | { readonly kind: 'unreadable'; readonly generation: number }

/** What can be replaced in tests. */
export interface LeaseWorld {
  readonly identity: () => Promise<ProcessIdentity>
  /** As `readStartTime`. */
  readonly startTime: (pid: number) => Promise<string | undefined>
}

export interface LeaseRequest {
  /** Absolute path of the socket this supervisor will answer on. */
  readonly socket: string
  readonly droverVersion: string
}

/** What became of the wish for a lease; `held`: this host's living supervisor, to be asked or waited for. */
export type LeaseOutcome = { readonly kind: 'acquired'; readonly lease: Lease } | { readonly kind: 'held'; readonly lease: Lease }

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
 * Makes this process the one supervisor of the home (a directory, made with 0700 when missing), or says who is. Of any
 * number of processes that ask at once, one is answered `acquired`. Throws DroverError `supervisor_elsewhere` when it
 * is held on another host, `no_permission` or `no_space` when the lease cannot be written.
 */
export async function acquireLease(home: string, request: LeaseRequest, world: LeaseWorld = REAL_WORLD): Promise<LeaseOutcome> {
  try {
    await mkdir(home, { recursive: true, mode: 0o700 })
    const me = await world.identity()
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const reading = await readLease(home, world)
      if (reading.kind === 'elsewhere') throw elsewhere(home, reading.lease)
      if (reading.kind === 'held') return { kind: 'held', lease: reading.lease }
      const lease = createLease(me, request, reading.generation + 1)
      if (!(await createLeaseFile(home, lease))) continue
      // Whoever read long ago may have made a number that others used and removed since; then a higher one is there.
      if ((await listGenerations(home)).at(-1) !== lease.generation) {
        await rm(leasePath(home, lease.generation), { force: true })
        continue
      }
      await removeOlderLeases(home, lease.generation)
      await removeAbandonedFiles(home, Date.now())
      return { kind: 'acquired', lease }
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

/** Gives the home up. Does nothing when the lease was succeeded by another. */
export async function releaseLease(home: string, lease: Lease): Promise<void> {
  if (!isStillMine(home, lease.generation)) return
  const last: Lease = { ...lease, generation: lease.generation + 1, released: true }
  if (await createLeaseFile(home, last)) await removeOlderLeases(home, last.generation)
}

/**
 * True while the lease of that generation is in force: it is there and has no successor. Two looks at the file system,
 * a few microseconds; ask before each tick's writes. Throws what the file system throws, other than "no such file".
 */
export function isStillMine(home: string, generation: number): boolean {
  return exists(leasePath(home, generation)) && !exists(leasePath(home, generation + 1))
}

async function judge(lease: Lease, world: LeaseWorld): Promise<LeaseReading> {
  const { generation } = lease
  if (lease.released) return { kind: 'free', generation }
  const me = await world.identity()
  if (lease.host !== me.host) return { kind: 'elsewhere', generation, lease }
  const alive = lease.boot_id === me.bootId && (await world.startTime(lease.pid)) === lease.start_time
  return { kind: alive ? 'held' : 'stale', generation, lease }
}

function createLease(me: ProcessIdentity, request: LeaseRequest, generation: number): Lease {
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

function elsewhere(home: string, { host, pid, generation }: Lease): DroverError {
  return new DroverError('supervisor_elsewhere', `the supervisor of ${home} runs on host ${host} (process ${pid})`, {
    level: 'config',
    hint:
      `Run your command there: ssh ${host} drover list. To move it here, end it first: ssh ${host} drover supervisor stop. ` +
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
