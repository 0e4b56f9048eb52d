import type { State } from '../task/states.ts'
import type { StatementTexts } from './statement-texts.ts'
import type { ElementRow, RankRow } from './store.ts'
import type { Steps, StoreDatabase } from './store-schema.ts'

/** Columns that a later row adds to, never empties: a poll knows less than an exit record. */
const RANK_FACTS = ['pid', 'exit_code', 'signal', 'killed_by_peer', 'started_at', 'ended_at'] as const

/** Writes elements and ranks. */
export class ElementWrites {
  readonly #db: StoreDatabase
  readonly #texts: StatementTexts

  constructor(db: StoreDatabase, texts: StatementTexts) {
    this.#db = db
    this.#texts = texts
  }

  /**
   * One row per position. A row of a newer attempt replaces; one of the same attempt adds its facts; one of an older
   * attempt is a late report and changes nothing.
   */
  *elements(jobId: string, rows: readonly ElementRow[]): Steps<void> {
    const deltas = new Map<State, number>()
    const count = (state: State, by: number) => deltas.set(state, (deltas.get(state) ?? 0) + by)
    for (const row of rows) {
      const known = (yield this.#read(jobId, row.position)).rows[0]
      if (known === undefined) {
        yield this.#insert(jobId, row)
        count(row.state, 1)
        continue
      }
      const attempt = Number(known.attempt)
      if (row.attempt < attempt) continue
      yield row.attempt === attempt ? this.#extend(jobId, row) : this.#replace(jobId, row)
      count(String(known.state) as State, -1)
      count(row.state, 1)
    }
    for (const [state, by] of deltas) if (by !== 0) yield this.#count(jobId, state, by)
  }

  /** One row per attempt and rank; facts of a later row add to those known. */
  *ranks(jobId: string, attempt: number, rows: readonly RankRow[]): Steps<void> {
    for (const row of rows) yield this.#rank(jobId, attempt, row)
  }

  #read(jobId: string, position: number) {
    const build = () => this.#db.selectFrom('elements').select(['attempt', 'state']).where('job_id', '=', '').where('position', '=', 0)
    return this.#texts.bind('element', build, [jobId, position])
  }

  #insert(jobId: string, row: ElementRow) {
    const build = () =>
      this.#db.insertInto('elements').values({
        job_id: '',
        position: 0,
        attempt: 0,
        state: '',
        exit_code: 0,
        signal: 0,
        cause_kind: '',
        started_at: 0,
        ended_at: 0,
      })
    return this.#texts.bind('element insert', build, [jobId, row.position, row.attempt, row.state, ...elementFacts(row)])
  }

  #replace(jobId: string, row: ElementRow) {
    const build = () =>
      this.#db
        .updateTable('elements')
        .set({ attempt: 0, state: '', exit_code: 0, signal: 0, cause_kind: '', started_at: 0, ended_at: 0 })
        .where('job_id', '=', '')
        .where('position', '=', 0)
    return this.#texts.bind('element replace', build, [row.attempt, row.state, ...elementFacts(row), jobId, row.position])
  }

  #extend(jobId: string, row: ElementRow) {
    const build = () =>
      this.#db
        .updateTable('elements')
        .set((eb) => ({
          state: '',
          exit_code: eb.fn.coalesce(eb.val(0), 'exit_code'),
          signal: eb.fn.coalesce(eb.val(0), 'signal'),
          cause_kind: eb.fn.coalesce(eb.val(''), 'cause_kind'),
          started_at: eb.fn.coalesce(eb.val(0), 'started_at'),
          ended_at: eb.fn.coalesce(eb.val(0), 'ended_at'),
        }))
        .where('job_id', '=', '')
        .where('position', '=', 0)
    return this.#texts.bind('element extend', build, [row.state, ...elementFacts(row), jobId, row.position])
  }

  #count(jobId: string, state: State, by: number) {
    const build = () =>
      this.#db
        .insertInto('element_counts')
        .values({ job_id: '', state: '', n: 0 })
        .onConflict((conflict) =>
          conflict.columns(['job_id', 'state']).doUpdateSet((eb) => ({ n: eb('element_counts.n', '+', eb.ref('excluded.n')) })),
        )
    return this.#texts.bind('element count', build, [jobId, state, by])
  }

  #rank(jobId: string, attempt: number, row: RankRow) {
    const build = () =>
      this.#db
        .insertInto('ranks')
        .values({
          job_id: '',
          attempt: 0,
          rank: 0,
          node: '',
          state: '',
          pid: 0,
          exit_code: 0,
          signal: 0,
          killed_by_peer: 0,
          started_at: 0,
          ended_at: 0,
        })
        .onConflict((conflict) =>
          conflict.columns(['job_id', 'attempt', 'rank']).doUpdateSet((eb) => ({
            node: eb.ref('excluded.node'),
            state: eb.ref('excluded.state'),
            ...Object.fromEntries(RANK_FACTS.map((fact) => [fact, eb.fn.coalesce(`excluded.${fact}`, `ranks.${fact}`)])),
          })),
        )
    const facts = [row.pid, row.exitCode, row.signal, row.killedByPeer, row.startedAt, row.endedAt]
    return this.#texts.bind('rank', build, [jobId, attempt, row.rank, row.node, row.state, ...facts])
  }
}

/** In the order in which the statements name the columns. */
function elementFacts(row: ElementRow): readonly unknown[] {
  return [row.exitCode, row.signal, row.causeKind, row.startedAt, row.endedAt]
}
