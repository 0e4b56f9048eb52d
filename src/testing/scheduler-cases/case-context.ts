import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Drover, Job, JobEvent } from '../../jobs/drover.ts'
import { type CaseTask, createTaskFile } from '../task-values.ts'
import { readLog, settled, textOf, until, written } from '../waiting.ts'
import type { EndTally, ExpectedEnd } from './end-tally.ts'
import type { SchedulerControls, SchedulerFixture, SchedulerSite, SchedulerUnderTest } from './scheduler-adapter.ts'

/** A job whose script notes each of its runs. */
export interface CountedJob {
  readonly id: string
  /** Holds a line `<element or rank> <attempt>` for each run. */
  readonly runs: string
  /** Created to let a script of `waitsForGo` go on. */
  readonly go: string
}

/** One row of the scheduler table. It throws when a promise is broken. */
export interface SchedulerCase {
  readonly name: string
  /** Controls without which the case says nothing. */
  readonly needs?: readonly (keyof SchedulerControls)[]
  /** What the adapter must offer. */
  readonly offers?: readonly (keyof SchedulerUnderTest)[]
  /** Kinds of tasks that the scheduler must have. */
  readonly tasks?: readonly (keyof SchedulerUnderTest['tasks'])[]
  readonly site?: SchedulerSite
  run(context: CaseContext): Promise<void>
}

/** A script that runs until its case lets it go; then it ends with `code`. */
export const waitsForGo = (code = 0): string => `while [ ! -e "$RUNS.go" ]; do sleep 0.1; done; exit ${code}`

/** What a case is called with: a home of its own, and checks of what the table promises. */
export class CaseContext {
  readonly scheduler: SchedulerUnderTest
  readonly fixture: SchedulerFixture
  readonly deadlineMs: number
  readonly submitted: CountedJob[] = []
  readonly #name: string
  readonly #tally: EndTally

  constructor(of: {
    readonly name: string
    readonly scheduler: SchedulerUnderTest
    readonly fixture: SchedulerFixture
    readonly deadlineMs: number
    readonly tally: EndTally
  }) {
    this.#name = of.name
    this.#tally = of.tally
    this.scheduler = of.scheduler
    this.fixture = of.fixture
    this.deadlineMs = of.deadlineMs
  }

  /** Of the supervisor that lives now. */
  get drover(): Drover {
    return this.fixture.drover
  }

  /** Every control: a case names those it needs, and the others are always there. */
  get controls(): Required<SchedulerControls> {
    return this.fixture.controls as Required<SchedulerControls>
  }

  get graceMs(): number {
    return this.fixture.graceMs
  }

  /** Lets a script of `waitsForGo` go on. */
  letGo({ go }: CountedJob): Promise<void> {
    return writeFile(go, '')
  }

  /** Has the target opened, which a scheduler that is broken does not let happen. */
  async warm(): Promise<void> {
    await this.ends(await this.submit({ run: 'exit 0' }), { state: 'succeeded', cause: null })
  }

  /** The queue forgets a job whose machine has died, and its history does not hear of it. */
  vanish(native: string): void {
    this.controls.historyLag(1000 * 3_600_000)
    this.controls.nodeFail(native)
    this.controls.forget(native)
    this.controls.purgeHistory?.()
  }

  /** What an attempt printed. */
  async log({ id }: CountedJob, attempt: number): Promise<string> {
    return (await readLog(this.drover, id, { streams: ['stdout'], attempt })).toString()
  }

  /** Submits the same task many times in one file; resolves when the scheduler has them all. */
  async submitMany(task: CaseTask, count: number): Promise<readonly Job[]> {
    const tasks = Array.from({ length: count }, (_, at) => ({ ...task, name: `task-${at}` }))
    const jobs = await this.drover.submit(createTaskFile(this.scheduler.target, ...tasks))
    await until(`${count} submitted jobs`, this.deadlineMs * 2, async () =>
      (await this.drover.list({ limit: 1000 })).every(({ native_id }) => native_id !== null),
    )
    return jobs
  }

  /** After answers that say nothing: the job is alive, or proof is awaited; nothing else may follow. */
  async mayDoubt(job: CountedJob): Promise<void> {
    expect(['running', 'finishing']).toContain((await this.drover.get(job.id)).state)
    await this.reaches(job, 'running again', ({ state }) => state === 'running')
  }

  /** Submits a task whose script notes that it runs before anything else. */
  async submit(task: Partial<CaseTask> & { readonly run: string }): Promise<CountedJob> {
    const runs = join(this.fixture.directory, `runs-${randomUUID()}`)
    const [job] = await this.drover.submit(createTaskFile(this.scheduler.target, this.counted(task, runs)))
    if (job === undefined) throw new Error('submit gave no job')
    const counted = { id: job.id, runs, go: `${runs}.go` }
    this.submitted.push(counted)
    return counted
  }

  /** The task of `submit`. */
  counted(task: Partial<CaseTask> & { readonly run: string }, runs: string): CaseTask {
    const note = 'echo "${DROVER_ARRAY_INDEX:-$DROVER_NODE_RANK} $DROVER_ATTEMPT" >>"$RUNS"'
    return { graceMs: 2_000, ...task, envs: { ...task.envs, RUNS: runs }, run: `${note}\n${task.run}` }
  }

  /** Submits, and waits until the script runs and the job says so; resolves with the native id. */
  async start(task: Partial<CaseTask> & { readonly run: string }): Promise<CountedJob & { readonly native: string }> {
    const job = await this.submit(task)
    await written(job.runs, this.deadlineMs)
    await this.reaches(job, 'running', ({ state, native_word }) => state === 'running' && native_word !== null)
    return { ...job, native: await this.native(job) }
  }

  /** The native id of a job once it has one. */
  async native(job: Pick<CountedJob, 'id'>): Promise<string> {
    const { native_id } = await this.reaches(job, 'a native id', (seen) => seen.native_id !== null)
    return native_id ?? ''
  }

  /** Waits for something to be true of a job. */
  reaches(job: Pick<CountedJob, 'id'>, what: string, look: (job: Job) => boolean): Promise<Job> {
    return until(`${what} of ${job.id}`, this.deadlineMs, async () => {
      const seen = await this.drover.get(job.id)
      return look(seen) && seen
    })
  }

  /** Fails when the state of a job is another one at any time within so many further questions to the queue. */
  async stands(job: Pick<CountedJob, 'id'>, state: Job['state'], questions = 4): Promise<void> {
    const before = this.controls.calls('queue')
    await until(`${questions} further questions`, this.deadlineMs, async () => {
      expect(await this.drover.get(job.id)).toMatchObject({ state })
      return this.controls.calls('queue') >= before + questions
    })
  }

  /** Waits until the queue has been asked so often again. */
  async asked(questions: number): Promise<void> {
    const before = this.controls.calls('queue')
    await until(`${questions} further questions`, this.deadlineMs, () => this.controls.calls('queue') >= before + questions)
  }

  /**
   * The end of a job: its state and cause are what has happened, no other end was said on the way, the event log has the
   * proof, and the script ran so often (default: once; 0: not at all).
   */
  async ends(
    job: CountedJob,
    end: ExpectedEnd & { readonly runs?: number | readonly string[]; readonly word?: RegExp | undefined; readonly rule?: string },
  ): Promise<Job> {
    const through = end.through?.length ?? 0
    const seen =
      through === 0
        ? await settled(this.drover, job.id, this.deadlineMs)
        : await this.reaches(job, end.state, ({ state }) => state === end.state)
    const events = await this.events(job)
    const wrong = this.#tally.check(this.#name, seen, events, end)
    if (wrong !== undefined) throw new Error(wrong)
    await this.ranAs(job, end.runs ?? 1)
    if (end.word !== undefined) expect(seen.native_word).toMatch(end.word)
    if (end.rule !== undefined) {
      const last = events.findLast(({ type, data }) => type === 'state' && data['to'] === end.state)
      expect(last?.data['proof']).toMatchObject({ rule: end.rule })
    }
    return seen
  }

  /** All events of a settled job. */
  async events(job: Pick<CountedJob, 'id'>): Promise<readonly JobEvent[]> {
    const events: JobEvent[] = []
    for await (const event of this.drover.events({ jobs: [job.id], after: 0 })) events.push(event)
    return events
  }

  /** How often the script ran, or the very runs. */
  async ranAs(job: CountedJob, runs: number | readonly string[]): Promise<void> {
    const noted = ((await textOf(job.runs)) ?? '').split('\n').filter((line) => line !== '')
    if (typeof runs === 'number') expect(noted).toHaveLength(runs)
    else expect(noted.toSorted()).toEqual([...runs].toSorted())
  }
}
