import type { State } from '../task/states.ts'
import type { JobFilter, JobRow, Store } from './store.ts'
import {
  parseAttemptRow,
  parseDependencyRow,
  parseElementRow,
  parseEventRow,
  parseJobRow,
  parseRankRow,
  type RawRow,
  state,
} from './store-rows.ts'
import type { StoreDatabase } from './store-schema.ts'

/** Values in one `in (…)`: databases bound them. */
const IDS_PER_QUERY = 500
const DEFAULT_LIST = 50

/** The reading half of a store; portable SQL, each method one or few statements that walk an index. */
export type StoreReads = Omit<Store, 'createJobs' | 'apply' | 'removeJobs' | 'close'>

/** Reads through any SQL builder over the schema of this folder. */
export function createStoreReads(db: StoreDatabase): StoreReads {
  return {
    async job(id) {
      const row = await db
        .selectFrom('jobs')
        .leftJoin('job_tasks', 'job_tasks.job_id', 'jobs.id')
        .selectAll('jobs')
        .select('job_tasks.task')
        .where('jobs.id', '=', id)
        .executeTakeFirst()
      return row && parseJobRow(row)
    },

    async findJobs(prefixOrName, limit) {
      if (prefixOrName === '' || limit <= 0) return []
      const byId = await db
        .selectFrom('jobs')
        .selectAll()
        .where('id', '>=', prefixOrName)
        .where('id', '<', endOfPrefix(prefixOrName))
        .orderBy('id')
        .limit(limit)
        .execute()
      const byName = await db
        .selectFrom('jobs')
        .selectAll()
        .where('name', '=', prefixOrName)
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit)
        .execute()
      const found = new Map([...byId, ...byName].map((row) => [row.id, row]))
      return [...found.values()].slice(0, limit).map(parseJobRow)
    },

    async jobs(filter) {
      const limit = filter.limit ?? DEFAULT_LIST
      if (limit <= 0) return []
      if (filter.states === undefined) return newest(await jobsQuery(db, filter, undefined, limit), limit)
      // One walk of the index per state: a single `in` would sort every job of those states.
      const rows: RawRow[] = []
      for (const wanted of new Set(filter.states)) rows.push(...(await jobsQuery(db, filter, wanted, limit)))
      return newest(rows, limit)
    },

    async openJobs() {
      const rows = await db.selectFrom('jobs').selectAll().where('is_open', '=', 1).orderBy('created_at').orderBy('id').execute()
      return rows.map(parseJobRow)
    },

    async attempts(jobId) {
      const rows = await db.selectFrom('attempts').selectAll().where('job_id', '=', jobId).orderBy('number').execute()
      return rows.map(parseAttemptRow)
    },

    async ranks(jobId, attempt) {
      const query = db.selectFrom('ranks').selectAll().where('job_id', '=', jobId).where('attempt', '=', attempt).orderBy('rank')
      return (await query.execute()).map(parseRankRow)
    },

    async elements(jobId, states) {
      const query = db.selectFrom('elements').selectAll().where('job_id', '=', jobId).orderBy('position')
      if (states === undefined) return (await query.execute()).map(parseElementRow)
      // Positions come from the index by state, rows by position: a few failed are found without walking the others.
      // Asked for in one, SQLite prefers the walk.
      const inStates = db
        .selectFrom('elements')
        .select('position')
        .where('job_id', '=', jobId)
        .where('state', 'in', [...states])
      return (await query.where('position', 'in', inStates).execute()).map(parseElementRow)
    },

    async elementCounts(jobIds) {
      const counts = new Map<string, Partial<Record<State, number>>>()
      for (let start = 0; start < jobIds.length; start += IDS_PER_QUERY) {
        const some = jobIds.slice(start, start + IDS_PER_QUERY)
        const rows = await db.selectFrom('element_counts').selectAll().where('job_id', 'in', some).where('n', '>', 0).execute()
        for (const row of rows) {
          const ofJob = counts.get(row.job_id) ?? {}
          ofJob[state({ ...row })] = row.n
          counts.set(row.job_id, ofJob)
        }
      }
      return counts
    },

    async dependencies(jobId) {
      const rows = await db.selectFrom('dependencies').selectAll().where('job_id', '=', jobId).orderBy('upstream').execute()
      return rows.map((row) => parseDependencyRow({ ...row }))
    },

    async dependents(jobId) {
      const rows = await db.selectFrom('dependencies').selectAll().where('upstream', '=', jobId).orderBy('job_id').execute()
      return rows.map((row) => parseDependencyRow({ ...row }))
    },

    async events({ jobId, after, limit }) {
      let query = db.selectFrom('events').selectAll().orderBy('seq').limit(limit)
      if (jobId !== undefined) query = query.where('job_id', '=', jobId)
      if (after !== undefined) query = query.where('seq', '>', after)
      return (await query.execute()).map(parseEventRow)
    },

    async lastEventSeq() {
      const row = await db
        .selectFrom('events')
        .select((eb) => eb.fn.max<number | null>('seq').as('seq'))
        .executeTakeFirst()
      return Number(row?.seq ?? 0)
    },

    async counts() {
      const query = db.selectFrom('jobs').select((eb) => ['state', eb.fn.countAll<number>().as('n')])
      const counts: Partial<Record<State, number>> = {}
      for (const row of await query.groupBy('state').execute()) counts[state({ ...row })] = Number(row.n)
      return counts
    },
  }
}

function jobsQuery(db: StoreDatabase, filter: JobFilter, wanted: State | undefined, limit: number): Promise<readonly RawRow[]> {
  let query = db.selectFrom('jobs').selectAll().orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit)
  if (wanted !== undefined) query = query.where('state', '=', wanted)
  if (filter.name !== undefined) query = query.where('name', '=', filter.name)
  if (filter.target !== undefined) query = query.where('target', '=', filter.target)
  if (filter.groupId !== undefined) query = query.where('group_id', '=', filter.groupId)
  if (filter.since !== undefined) query = query.where('created_at', '>=', filter.since)
  if (filter.until !== undefined) query = query.where('created_at', '<', filter.until)
  return query.execute() as unknown as Promise<readonly RawRow[]>
}

function newest(rows: readonly RawRow[], limit: number): readonly JobRow[] {
  const jobs = rows.map(parseJobRow)
  jobs.sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1))
  return jobs.slice(0, limit)
}

/** The smallest text above all that begin with the prefix, in code point order. */
function endOfPrefix(prefix: string): string {
  return `${prefix}\u{10ffff}`
}
