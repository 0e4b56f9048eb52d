import { statSync } from 'node:fs'
import { chmod, mkdir, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DroverError } from '../errors.ts'
import { createSqliteBuilder, SqliteConnection, sqliteDialect } from './dialect.ts'
import type { FilesystemKind } from './filesystem-kind.ts'
import { MIGRATIONS, migrateOnce, readSchemaVersion, SCHEMA_VERSION } from './migrations.ts'
import { damaged, isDamage } from './sqlite-errors.ts'

/** First bytes of a database file (sqlite.org/fileformat2.html, 1.3). */
const MAGIC = 'SQLite format 3\0'
/** SQLite's unix layer takes paths of at most 512 bytes; the names of files beside the store are longer by 8. */
const MAX_PATH_BYTES = 500
/** The write-ahead log is cut back to this after a checkpoint. */
const WAL_LIMIT_BYTES = 64 * 1024 * 1024
/** Files up to this are checked at every opening (some 60 ms); larger ones before a migration, and when a statement meets damage. */
const CHECKED_AT_OPEN_BYTES = 64 * 1024 * 1024

interface ConnectionOptions {
  readonly droverVersion: string
  readonly busyTimeoutMs: number
  readonly maxBytes: number | undefined
  now(): number
}

/**
 * Makes sure of a file at `path` that is empty or a database, readable by its owner only. The directory is made with
 * 0700; one that exists keeps its mode. Rejects with file system errors, or DroverError `store_unusable`.
 */
export async function prepareStoreFile(path: string, detect: (directory: string) => Promise<FilesystemKind>): Promise<FilesystemKind> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new DroverError('store_unusable', `cannot use the store ${path}: its path is longer than ${MAX_PATH_BYTES} bytes`, {
      level: 'config',
      hint: 'Set DROVER_HOME to a directory with a shorter path.',
    })
  }
  const directory = dirname(path)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const file = await open(path, 'a+', 0o600)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0)
    if (bytesRead > 0 && buffer.toString('latin1', 0, bytesRead) !== MAGIC) throw damaged(path, 'the file is not a database')
  } finally {
    await file.close()
  }
  if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, 0o600)
  return detect(directory)
}

/**
 * A connection to a sound store of the newest schema. The file is looked at without writing first, so that a damaged
 * one, a foreign one and one of a newer Drover stay as they are.
 */
export function openSqliteConnection(path: string, filesystem: FilesystemKind, options: ConnectionOptions): SqliteConnection {
  // On a network file system even reading would make the shared-memory file, so there the look is taken by the
  // connection that stays, under its exclusive lock.
  if (filesystem === 'local') {
    const reader = new SqliteConnection(new DatabaseSync(path, { readOnly: true, timeout: options.busyTimeoutMs }))
    try {
      inspect(reader, path)
    } finally {
      reader.close()
    }
  }
  const database = new DatabaseSync(path, { timeout: options.busyTimeoutMs, enableForeignKeyConstraints: true })
  const connection = new SqliteConnection(database)
  try {
    if (filesystem === 'network') {
      database.exec('pragma locking_mode = exclusive')
      inspect(connection, path)
      // Without a write-ahead log only `full` keeps the file sound through a power cut.
      database.exec('pragma journal_mode = truncate; pragma synchronous = full')
    } else {
      database.exec(`pragma journal_mode = wal; pragma synchronous = normal; pragma journal_size_limit = ${WAL_LIMIT_BYTES}`)
    }
    if (options.maxBytes !== undefined) {
      const pageSize = Number(database.prepare('pragma page_size').get()?.page_size ?? 4096)
      database.exec(`pragma max_page_count = ${Math.max(1, Math.floor(options.maxBytes / pageSize))}`)
    }
    migrate(connection, options)
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

/** What `PRAGMA quick_check` finds, its first line; undefined when the file is sound. */
export function quickCheck(connection: SqliteConnection): string | undefined {
  try {
    const { rows } = connection.run({ sql: 'pragma quick_check(1)', parameters: [] })
    const answer = String(Object.values(rows[0] ?? {})[0] ?? 'no answer')
    return answer === 'ok' ? undefined : `PRAGMA quick_check said: ${answer.split('\n').slice(-1)[0] ?? answer}`
  } catch (error) {
    return `PRAGMA quick_check said: ${error instanceof Error ? error.message : String(error)}`
  }
}

function inspect(connection: SqliteConnection, path: string): void {
  try {
    const tables = connection.tableNames()
    if (tables.length === 0) return
    if (!tables.includes('schema_version'))
      throw damaged(path, `it is a database of another program (tables ${tables.slice(0, 3).join(', ')})`)
    const { version, droverVersion } = connection.drive(readSchemaVersion(createSqliteBuilder(connection)))
    if (version > SCHEMA_VERSION) throw newer(path, version, droverVersion)
    if (version === SCHEMA_VERSION && statSync(path).size > CHECKED_AT_OPEN_BYTES) return
    const finding = quickCheck(connection)
    if (finding !== undefined) throw damaged(path, finding)
  } catch (error) {
    if (!isDamage(error)) throw error
    throw damaged(path, quickCheck(connection) ?? (error instanceof Error ? error.message : String(error)), error)
  }
}

function migrate(connection: SqliteConnection, options: ConnectionOptions): void {
  const db = createSqliteBuilder(connection)
  const { droverVersion } = options
  const known = connection.tableNames().includes('schema_version') ? connection.drive(readSchemaVersion(db)).version : 0
  for (const migration of MIGRATIONS) {
    if (migration.version <= known) continue
    connection.transaction(migrateOnce(db, sqliteDialect, migration, { droverVersion, at: options.now() }))
  }
}

function newer(path: string, version: number, droverVersion: string): DroverError {
  return new DroverError(
    'store_newer',
    `the store ${path} has schema version ${version}, written by Drover ${droverVersion}; this Drover reads up to ${SCHEMA_VERSION}`,
    { level: 'config', hint: `Use Drover ${droverVersion} or newer, or set DROVER_HOME to another directory. The store was not changed.` },
  )
}
