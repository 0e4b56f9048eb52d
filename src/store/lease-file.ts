import { randomBytes } from 'node:crypto'
import { link, open, readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod/mini'

/** What a lease file says. `released`: its holder left in order and nobody holds the store. */
export interface Lease {
  readonly version: 1
  readonly generation: number
  readonly host: string
  readonly boot_id: string
  readonly pid: number
  readonly start_time: string
  /** Absolute path of the supervisor's unix socket. */
  readonly socket: string
  readonly drover_version: string
  readonly released: boolean
}

/** Later versions may add keys; those known keep their meaning, so that an older Drover can still name the holder. */
const leaseSchema = z.object({
  generation: z.int().check(z.positive()),
  host: z.string().check(z.minLength(1)),
  boot_id: z.string().check(z.minLength(1)),
  pid: z.int().check(z.positive()),
  start_time: z.string(),
  socket: z.string(),
  drover_version: z.string(),
  released: z.boolean(),
})

const LEASE_NAME = /^lease\.(\d+)\.json$/
const TEMPORARY_NAME = /^\.lease\.[0-9a-f]+\.tmp$/
/** A temporary file this old has lost its writer. */
const ABANDONED_MS = 3_600_000

/** `<home>/lease.<generation>.json`. */
export function leasePath(home: string, generation: number): string {
  return join(home, `lease.${generation}.json`)
}

/** Generations that have a file, rising; empty when the home does not exist. */
export async function listGenerations(home: string): Promise<readonly number[]> {
  const names = await readdir(home).catch(missing)
  const generations = (names ?? []).map((name) => Number(LEASE_NAME.exec(name)?.[1] ?? 0))
  return generations.filter((generation) => Number.isSafeInteger(generation) && generation > 0).sort((a, b) => a - b)
}

/** Reads one lease; `gone` when there is no such file, `unreadable` when it holds something else. */
export async function readLeaseFile(home: string, generation: number): Promise<Lease | 'gone' | 'unreadable'> {
  const text = await readFile(leasePath(home, generation), 'utf8').catch(missing)
  return text === undefined ? 'gone' : (parseLease(text, generation) ?? 'unreadable')
}

/** A lease from its text; undefined when it is cut off, damaged or of another generation than its name says. */
export function parseLease(text: string, generation: number): Lease | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const parsed = leaseSchema.safeParse(value)
  return parsed.success && parsed.data.generation === generation ? { version: 1, ...parsed.data } : undefined
}

/**
 * Writes a lease under its generation, whole or not at all, and only if nobody did; false when somebody did. Linking
 * a complete file to its name is atomic on every file system that has links, NFS included.
 */
export async function createLeaseFile(home: string, lease: Lease): Promise<boolean> {
  const path = leasePath(home, lease.generation)
  const text = `${JSON.stringify(lease, undefined, 2)}\n`
  const temporary = join(home, `.lease.${randomBytes(8).toString('hex')}.tmp`)
  const file = await open(temporary, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  try {
    await link(temporary, path)
    return true
  } catch (error) {
    const code = error instanceof Error ? Reflect.get(error, 'code') : undefined
    // NFS repeats a request whose answer was lost: the second finds what the first made. The link count tells.
    if (code === 'EEXIST') return (await stat(temporary)).nlink === 2
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EOPNOTSUPP') throw error
    return await createWithoutLink(path, text)
  } finally {
    await unlink(temporary).catch(missing)
  }
}

/** Removes leases below a generation, lowest first, so that a successor's file is never missing while an older one is there. */
export async function removeOlderLeases(home: string, generation: number): Promise<void> {
  for (const older of await listGenerations(home)) {
    if (older < generation) await unlink(leasePath(home, older)).catch(missing)
  }
}

/** Removes what writers left that died between writing and linking. */
export async function removeAbandonedFiles(home: string, now: number): Promise<void> {
  for (const name of await readdir(home)) {
    if (!TEMPORARY_NAME.test(name)) continue
    const path = join(home, name)
    const facts = await stat(path).catch(missing)
    if (facts && now - facts.mtimeMs > ABANDONED_MS) await unlink(path).catch(missing)
  }
}

/** File systems without links (FAT, some of FUSE): still one winner, but a reader may meet the file half written. */
async function createWithoutLink(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx', mode: 0o600, flush: true })
    return true
  } catch (error) {
    if (error instanceof Error && Reflect.get(error, 'code') === 'EEXIST') return false
    throw error
  }
}

/** Turns "no such file" into undefined; rethrows the rest. */
function missing(error: unknown): undefined {
  if (error instanceof Error && Reflect.get(error, 'code') === 'ENOENT') return undefined
  throw error
}
