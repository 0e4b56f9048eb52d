import type { CreateTableBuilder } from 'kysely'
import type { StoreDialect } from './dialect.ts'
import type { Steps, StoreDatabase } from './store-schema.ts'

/** One step of the schema. Numbers rise by 1; a published migration is never changed, only followed by another. */
export interface Migration {
  readonly version: number
  readonly name: string
  up(db: StoreDatabase, dialect: StoreDialect): Steps<void>
}

/** All migrations, oldest first. */
export const MIGRATIONS: readonly Migration[] = [{ version: 1, name: 'jobs', up: createFirstSchema }]

/** The schema this Drover reads and writes. */
export const SCHEMA_VERSION = MIGRATIONS.length

/** Version of the schema in a store that has the `schema_version` table, and the Drover that made it; 0 when none was applied. */
export function* readSchemaVersion(db: StoreDatabase): Steps<{ readonly version: number; readonly droverVersion: string }> {
  const query = db.selectFrom('schema_version').select(['version', 'drover_version']).orderBy('version', 'desc').limit(1)
  const { rows } = yield query.compile()
  const newest = rows[0]
  return { version: Number(newest?.version ?? 0), droverVersion: String(newest?.drover_version ?? '') }
}

/** Creates the table that names the schema's version; harmless when it is there. */
export function* createVersionTable(db: StoreDatabase): Steps<void> {
  yield db.schema
    .createTable('schema_version')
    .ifNotExists()
    .addColumn('version', 'integer', (column) => column.primaryKey())
    .addColumn('drover_version', 'text', (column) => column.notNull())
    .addColumn('applied_at', 'bigint', (column) => column.notNull())
    .compile()
}

/**
 * Applies one migration unless another process did meanwhile. Work of one transaction: a crash leaves the old schema
 * or the new one.
 */
export function* migrateOnce(
  db: StoreDatabase,
  dialect: StoreDialect,
  migration: Migration,
  by: { readonly droverVersion: string; readonly at: number },
): Steps<boolean> {
  yield* createVersionTable(db)
  const { version } = yield* readSchemaVersion(db)
  if (version >= migration.version) return false
  yield* migration.up(db, dialect)
  const row = { version: migration.version, drover_version: by.droverVersion, applied_at: by.at }
  yield db.insertInto('schema_version').values(row).compile()
  return true
}

function* createFirstSchema(db: StoreDatabase, dialect: StoreDialect): Steps<void> {
  const { schema } = db
  yield schema
    .createTable('jobs')
    .addColumn('id', 'text', (column) => column.primaryKey().notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('target', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('group_id', 'text')
    .addColumn('priority', 'integer', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('is_open', 'integer', (column) => column.notNull())
    .addColumn('cause', 'text')
    .addColumn('exit_code', 'integer')
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('native_id', 'text')
    .addColumn('native_word', 'text')
    .addColumn('reason', 'text')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addColumn('started_at', 'bigint')
    .addColumn('ended_at', 'bigint')
    .addColumn('checked_at', 'bigint')
    .addColumn('not_before', 'bigint')
    .addColumn('cancel_requested_at', 'bigint')
    .addColumn('cancel_by', 'text')
    .addColumn('element_count', 'integer')
    .addColumn('usage', 'text')
    .addColumn('collected', 'text')
    .compile()
  // Each ends in (created_at, id): any of them gives the newest first without sorting.
  yield schema.createIndex('jobs_by_time').on('jobs').columns(['created_at', 'id']).compile()
  yield schema.createIndex('jobs_by_open').on('jobs').columns(['is_open', 'created_at', 'id']).compile()
  yield schema.createIndex('jobs_by_state').on('jobs').columns(['state', 'created_at', 'id']).compile()
  yield schema.createIndex('jobs_by_name').on('jobs').columns(['name', 'created_at', 'id']).compile()
  yield schema.createIndex('jobs_by_target').on('jobs').columns(['target', 'created_at', 'id']).compile()
  yield schema.createIndex('jobs_by_group').on('jobs').columns(['group_id', 'created_at', 'id']).compile()

  yield ownedByJob(schema.createTable('job_tasks'), true)
    .addColumn('task', 'text', (column) => column.notNull())
    .compile()
  const attempts = ownedByJob(schema.createTable('attempts'))
    .addColumn('number', 'integer', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('cause', 'text')
    .addColumn('exit_code', 'integer')
    .addColumn('native_id', 'text')
    .addColumn('directory', 'text')
    .addColumn('plan', 'text')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('started_at', 'bigint')
    .addColumn('ended_at', 'bigint')
    .addPrimaryKeyConstraint('attempts_key', ['job_id', 'number'])
  yield attempts.compile()
  const ranks = ownedByJob(schema.createTable('ranks'))
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('rank', 'integer', (column) => column.notNull())
    .addColumn('node', 'text', (column) => column.notNull())
    .addColumn('pid', 'integer')
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('exit_code', 'integer')
    .addColumn('signal', 'integer')
    .addColumn('killed_by_peer', 'integer')
    .addColumn('started_at', 'bigint')
    .addColumn('ended_at', 'bigint')
    .addPrimaryKeyConstraint('ranks_key', ['job_id', 'attempt', 'rank'])
  yield dialect.clustered(ranks).compile()
  const elements = ownedByJob(schema.createTable('elements'))
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('exit_code', 'integer')
    .addColumn('signal', 'integer')
    .addColumn('cause_kind', 'text')
    .addColumn('started_at', 'bigint')
    .addColumn('ended_at', 'bigint')
    .addPrimaryKeyConstraint('elements_key', ['job_id', 'position'])
  yield dialect.clustered(elements).compile()
  // A few failed among a million: found without reading the million.
  yield schema.createIndex('elements_by_state').on('elements').columns(['job_id', 'state', 'position']).compile()
  const counts = ownedByJob(schema.createTable('element_counts'))
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('n', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('element_counts_key', ['job_id', 'state'])
  yield dialect.clustered(counts).compile()
  // `upstream` refers to no row on purpose: what a job waited for stays true after the upstream job was removed.
  const dependencies = ownedByJob(schema.createTable('dependencies'))
    .addColumn('upstream', 'text', (column) => column.notNull())
    .addColumn('condition', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('dependencies_key', ['job_id', 'upstream', 'condition'])
  yield dialect.clustered(dependencies).compile()
  yield schema.createIndex('dependencies_by_upstream').on('dependencies').columns(['upstream', 'job_id']).compile()

  yield schema
    .createTable('events')
    .addColumn('seq', 'integer', (column) => dialect.increasingKey(column))
    .addColumn('job_id', 'text', (column) => column.notNull().references('jobs.id').onDelete('cascade'))
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('type', 'text', (column) => column.notNull())
    .addColumn('data', 'text', (column) => column.notNull())
    .compile()
  yield schema.createIndex('events_by_job').on('events').columns(['job_id', 'seq']).compile()
  yield schema
    .createTable('submit_keys')
    .addColumn('submit_key', 'text', (column) => column.primaryKey().notNull())
    .addColumn('ids', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .compile()
}

/** Adds the column that ties a row to its job, and removes the row with it. `only`: at most one row per job. */
function ownedByJob<T extends string, C extends string>(
  table: CreateTableBuilder<T, C>,
  only = false,
): CreateTableBuilder<T, C | 'job_id'> {
  return table.addColumn('job_id', 'text', (column) => {
    const owned = column.notNull().references('jobs.id').onDelete('cascade')
    return only ? owned.primaryKey() : owned
  })
}
