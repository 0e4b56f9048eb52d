import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { ColumnDefinitionBuilder, CreateTableBuilder, SqliteDatabase, SqliteStatement } from 'kysely'
import { Kysely, SqliteDialect, sql } from 'kysely'
import type { Query, QueryResult, Steps, StoreDatabase, StoreSchema } from './store-schema.ts'

/** Everything in which SQLite differs from another database. Statements elsewhere in this folder are portable SQL. */
export interface StoreDialect {
  /** A column that numbers rows upwards and never gives a number twice, even after deletes. */
  increasingKey(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder
  /** A table stored in the order of its primary key, where the database can: half the writes for small rows. */
  clustered<T extends string, C extends string>(table: CreateTableBuilder<T, C>): CreateTableBuilder<T, C>
}

/** SQLite 3.35 or newer (`RETURNING`). */
export const sqliteDialect: StoreDialect = {
  increasingKey: (column) => column.primaryKey().autoIncrement(),
  clustered: (table) => table.modifyEnd(sql`without rowid`),
}

/** Distinct statement texts kept prepared; the hot ones are about 30, filters make the rest. */
const MAX_PREPARED = 256

/**
 * One connection of `node:sqlite` with its prepared statements. Preparing costs ten times what running a small
 * statement costs, so texts are prepared once; the least recently used goes when there are too many.
 */
export class SqliteConnection implements SqliteDatabase {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, PreparedStatement>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  prepare(text: string): PreparedStatement {
    const known = this.#statements.get(text)
    if (known) return known
    const statement = new PreparedStatement(this.#database.prepare(text))
    if (this.#statements.size >= MAX_PREPARED) {
      const oldest = this.#statements.keys().next()
      if (!oldest.done) this.#statements.delete(oldest.value)
    }
    this.#statements.set(text, statement)
    return statement
  }

  run(query: Query): QueryResult {
    return this.prepare(query.sql).execute(query.parameters)
  }

  /**
   * Runs the work as one transaction that holds the write lock from its start: what it reads stays true until it
   * commits, also against another process. Throws what a statement throws, after rolling back.
   */
  transaction<T>(steps: Steps<T>): T {
    this.#database.exec('begin immediate')
    try {
      const value = this.drive(steps)
      this.#database.exec('commit')
      return value
    } catch (error) {
      // A full disk may have rolled back already; a second rollback would hide the cause.
      if (this.#database.isTransaction) this.#database.exec('rollback')
      throw error
    }
  }

  /** Runs the work without a transaction of its own. */
  drive<T>(steps: Steps<T>): T {
    let next = steps.next()
    while (!next.done) next = steps.next(this.run(next.value))
    return next.value
  }

  tableNames(): readonly string[] {
    const { rows } = this.run({ sql: `select name from sqlite_master where type = 'table' and name not like 'sqlite_%'`, parameters: [] })
    return rows.map((row) => String(row.name))
  }

  close(): void {
    this.#statements.clear()
    if (this.#database.isOpen) this.#database.close()
  }
}

/** A prepared statement in the form the SQL builder's driver calls. */
export class PreparedStatement implements SqliteStatement {
  readonly reader: boolean
  readonly #statement: StatementSync

  constructor(statement: StatementSync) {
    this.#statement = statement
    this.reader = statement.columns().length > 0
  }

  all(parameters: readonly unknown[]): unknown[] {
    return this.#statement.all(...parameters.map(toSqlite))
  }

  run(parameters: readonly unknown[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint } {
    return this.#statement.run(...parameters.map(toSqlite))
  }

  iterate(parameters: readonly unknown[]): IterableIterator<unknown> {
    return this.#statement.iterate(...parameters.map(toSqlite))
  }

  execute(parameters: readonly unknown[]): QueryResult {
    const values = parameters.map(toSqlite)
    if (this.reader) return { rows: this.#statement.all(...values), changes: 0 }
    return { rows: [], changes: Number(this.#statement.run(...values).changes) }
  }
}

/** The SQL builder over a connection. Closing the builder is not needed: the connection's owner closes it. */
export function createSqliteBuilder(connection: SqliteConnection): StoreDatabase {
  return new Kysely<StoreSchema>({ dialect: new SqliteDialect({ database: connection }) })
}

/** SQLite has no booleans and refuses `undefined`. */
function toSqlite(value: unknown): SQLInputValue {
  if (value === undefined || value === null) return null
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' || value instanceof Uint8Array) return value
  throw new TypeError(`a ${typeof value} cannot be stored`)
}
