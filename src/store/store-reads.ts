import type { State } from '../task/states.ts'
import { StatementTexts } from './statement-texts.ts'
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
import type { Query, QueryResult, StoreDatabase } from './store-schema.ts'

/** Values in one `in (…)`: databases bound them. */
const IDS_PER_QUERY = 500
const DEFAULT_LIST = 50

/** The reading half of a store; portable SQL, each method one or few statements that walk an index. */
export type StoreReads = Omit<Store, 'createJobs' | 'apply' | 'removeJobs' | 'close'>

/**
 * Runs one statement. Not the builder's own way to do it, in which statements of one connection wait for each other, each
 * waking all that wait: a thousand asked at once took a second of CPU.
 */
export type RunQuery = (query: Query) => QueryResult | Promise<QueryResult>

/** Reads over the schema of this folder, in the dialect of the builder. What is asked of every job is compiled once. */
export function createStoreReads(db: StoreDatabase, run: RunQuery): StoreReads {
  const texts = new StatementTexts()
  const rowsOf = async (query: { compile(): Query }): Promise<readonly RawRow[]> => (await run(query.compile())).rows
  const bound = async (...statement: Parameters<StatementTexts['bind']>): Promise<readonly RawRow[]> =>
    (await run(texts.bind(...statement))).rows
  return {
    async job(id) {
      const build = () =>
        db
          .selectFrom('jobs')
          .leftJoin('job_tasks', 'job_tasks.job_id', 'jobs.id')
          .selectAll('jobs')
          .select('job_tasks.task')
          .where('jobs.id', '=', id)
      const [row] = await bound('job', build, [id])
      return row && parseJobRow(row)
    },

    async findJobs(prefixOrName, limit) {
      if (prefixOrName === '' || limit <= 0) return []
      const all = db.selectFrom('jobs').selectAll().limit(limit)
      const byId = await rowsOf(all.where('id', '>=', prefixOrName).where('id', '<', endOfPrefix(prefixOrName)).orderBy('id'))
      const byName = await rowsOf(all.where('name', '=', prefixOrName).orderBy('created_at', 'desc').orderBy('id', 'desc'))
      const found = new Map([...byId, ...byName].map((row) => [row.id, row]))
      return [...found.values()].slice(0, limit).map(parseJobRow)
    },

    async jobs(filter) {
      const limit = filter.limit ?? DEFAULT_LIST
      if (limit <= 0) return []
      if (filter.states === undefined) return newest(await rowsOf(jobsQuery(db, filter, undefined, limit)), limit)
      // One walk of the index per state: a single `in` would sort every job of those states.
      const rows: RawRow[] = []
      for (const wanted of new Set(filter.states)) rows.push(...(await rowsOf(jobsQuery(db, filter, wanted, limit))))
      return newest(rows, limit)
    },

    async openJobs() {
      const query = db.selectFrom('jobs').selectAll().where('is_open', '=', 1).orderBy('created_at').orderBy('id')
      return (await rowsOf(query)).map(parseJobRow)
    },

    async attempts(jobId) {
      const build = () => db.selectFrom('attempts').selectAll().where('job_id', '=', jobId).orderBy('number')
      return (await bound('attempts', build, [jobId])).map(parseAttemptRow)
    },

    async ranks(jobId, attempt) {
      const build = () => db.selectFrom('ranks').selectAll().where('job_id', '=', jobId).where('attempt', '=', attempt).orderBy('rank')
      return (await bound('ranks', build, [jobId, attempt])).map(parseRankRow)
    },

    async elements(jobId, states) {
      const query = db.selectFrom('elements').selectAll().where('job_id', '=', jobId).orderBy('position')
      if (states === undefined) return (await rowsOf(query)).map(parseElementRow)
      // Positions come from the index by state, rows by position: a few failed are found without walking the others.
      // Asked for in one, SQLite prefers the walk.
      const inStates = db
        .selectFrom('elements')
        .select('position')
        .where('job_id', '=', jobId)
        .where('state', 'in', [...states])
      return (await rowsOf(query.where('position', 'in', inStates))).map(parseElementRow)
    },

    async elementCounts(jobIds) {
      const counts = new Map<string, Partial<Record<State, number>>>()
      for (let start = 0; start < jobIds.length; start += IDS_PER_QUERY) {
        const some = jobIds.slice(start, start + IDS_PER_QUERY)
        const rows = await rowsOf(db.selectFrom('element_counts').selectAll().where('job_id', 'in', some).where('n', '>', 0))
        for (const row of rows) {
          const jobId = String(row['job_id'])
          const ofJob = counts.get(jobId) ?? {}
          ofJob[state(row)] = Number(row['n'])
          counts.set(jobId, ofJob)
        }
      }
      return counts
    },

    async dependencies(jobId) {
      const build = () => db.selectFrom('dependencies').selectAll().where('job_id', '=', jobId).orderBy('upstream')
      return (await bound('dependencies', build, [jobId])).map(parseDependencyRow)
    },

    async dependents(jobId) {
      const build = () => db.selectFrom('dependencies').selectAll().where('upstream', '=', jobId).orderBy('job_id')
      return (await bound('dependents', build, [jobId])).map(parseDependencyRow)
    },

    async events({ jobId, after, limit }) {
      let query = db.selectFrom('events').selectAll().orderBy('seq').limit(limit)
      if (jobId !== undefined) query = query.where('job_id', '=', jobId)
      if (after !== undefined) query = query.where('seq', '>', after)
      return (await rowsOf(query)).map(parseEventRow)
    },

    async lastEventSeq() {
      const [row] = await rowsOf(db.selectFrom('events').select((eb) => eb.fn.max<number | null>('seq').as('seq')))
      return Number(row?.['seq'] ?? 0)
    },

    async counts() {
      const query = db.selectFrom('jobs').select((eb) => ['state', eb.fn.countAll<number>().as('n')])
      const counts: Partial<Record<State, number>> = {}
      for (const row of await rowsOf(query.groupBy('state'))) counts[state(row)] = Number(row['n'])
      return counts
    },
  }
}

function jobsQuery(db: StoreDatabase, filter: JobFilter, wanted: State | undefined, limit: number): { compile(): Query } {
  let query = db.selectFrom('jobs').selectAll().orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit)
  if (wanted !== undefined) query = query.where('state', '=', wanted)
  if (filter.name !== undefined) query = query.where('name', '=', filter.name)
  if (filter.target !== undefined) query = query.where('target', '=', filter.target)
  if (filter.groupId !== undefined) query = query.where('group_id', '=', filter.groupId)
  if (filter.since !== undefined) query = query.where('created_at', '>=', filter.since)
  if (filter.until !== undefined) query = query.where('created_at', '<', filter.until)
  return query
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
