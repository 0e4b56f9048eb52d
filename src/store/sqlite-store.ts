import { createSqliteBuilder, type SqliteConnection } from './dialect.ts'
import { detectFilesystem, type FilesystemKind } from './filesystem-kind.ts'
import { damaged, isDamage, storeError } from './sqlite-errors.ts'
import { openSqliteConnection, prepareStoreFile, quickCheck } from './sqlite-open.ts'
import type { Store } from './store.ts'
import { createStoreReads, type StoreReads } from './store-reads.ts'
import type { Steps } from './store-schema.ts'
import { StoreWrites } from './store-writes.ts'

/** How an embedded store is opened; all optional. */
export interface SqliteStoreOptions {
  /** Noted beside each schema version, and named to an older Drover that meets it. Default `unknown`. */
  readonly droverVersion?: string
  /** How long a statement waits for another process's lock. Default 5 000. */
  readonly busyTimeoutMs?: number
  /** Size the file may grow to; beyond it writes fail with `no_space`. Default: what the disk holds. */
  readonly maxBytes?: number
  /** Kind of the file system under the store. Default: as statfs(2) tells. */
  readonly detectFilesystem?: (directory: string) => Promise<FilesystemKind>
  /** Clock, epoch milliseconds. Default `Date.now`. */
  readonly now?: () => number
}

/**
 * Opens the store in the file `path`, creating it (0600) and its directory (0700) and bringing an older schema up to
 * date. Throws DroverError `store_newer`, `store_unusable`, `no_permission` or `no_space`; then the file's content is
 * unchanged. Methods of the store reject with the same codes.
 */
export async function openSqliteStore(path: string, options: SqliteStoreOptions = {}): Promise<Store> {
  try {
    const filesystem = await prepareStoreFile(path, options.detectFilesystem ?? detectFilesystem)
    const now = options.now ?? Date.now
    const connection = openSqliteConnection(path, filesystem, {
      droverVersion: options.droverVersion ?? 'unknown',
      busyTimeoutMs: options.busyTimeoutMs ?? 5_000,
      maxBytes: options.maxBytes,
      now,
    })
    return createSqliteStore(connection, path, now)
  } catch (error) {
    throw storeError(error, path)
  }
}

function createSqliteStore(connection: SqliteConnection, path: string, now: () => number): Store {
  const db = createSqliteBuilder(connection)
  const writes = new StoreWrites(db)
  const fail = (error: unknown) => {
    const finding = isDamage(error) ? quickCheck(connection) : undefined
    return finding === undefined ? storeError(error, path) : damaged(path, finding, error)
  }
  const write = async <T>(steps: Steps<T>): Promise<T> => {
    try {
      return connection.transaction(steps)
    } catch (error) {
      throw fail(error)
    }
  }
  return {
    ...guardReads(
      createStoreReads(db, (query) => connection.run(query)),
      fail,
    ),
    createJobs: (jobs, submitKey) => write(writes.createJobs(jobs, submitKey, now())),
    apply: async (changes) => (changes.length === 0 ? [] : write(writes.apply(changes))),
    removeJobs: (ids) => write(writes.removeJobs(ids, now())),
    close: async () => connection.close(),
  }
}

/** The same reads, with SQLite's errors turned into Drover's. */
function guardReads(reads: StoreReads, fail: (error: unknown) => unknown): StoreReads {
  const guard =
    <A extends readonly unknown[], T>(read: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      try {
        return await read(...args)
      } catch (error) {
        throw fail(error)
      }
    }
  return {
    job: guard(reads.job),
    findJobs: guard(reads.findJobs),
    jobs: guard(reads.jobs),
    openJobs: guard(reads.openJobs),
    attempts: guard(reads.attempts),
    ranks: guard(reads.ranks),
    elements: guard(reads.elements),
    elementCounts: guard(reads.elementCounts),
    dependencies: guard(reads.dependencies),
    dependents: guard(reads.dependents),
    events: guard(reads.events),
    lastEventSeq: guard(reads.lastEventSeq),
    counts: guard(reads.counts),
  }
}
