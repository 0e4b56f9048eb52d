import { join } from 'node:path'
import { vi } from 'vitest'
import {
  createFakePjm,
  type FakePjm,
  runSchedulerCases,
  type SchedulerControls,
  type SchedulerFixture,
  type SchedulerSite,
} from '../../src/testing/index.ts'
import { fakeDirectory, type SchedulerHomeOptions } from '../conformance/scheduler-home.ts'
import { PjmHome } from '../executors/pjm-home.ts'
import { runFakeCommand, WrappedCommands } from './wrapped-commands.ts'

// Cases wait more than they work.
vi.setConfig({ maxConcurrency: 8 })

/** Short, so that what is lost is lost soon; long enough for the commands of one question on a machine that is busy. */
const GRACE_SECONDS = 10
/** Somebody's limit on a call to a manager that hangs: without one, each of them would take Drover's own of two minutes. */
const HANG_MS = 1_500
const NODES = 64
/** Whose jobs the site holds until somebody lets them go. */
const HELD_GROUP = 'held'
/** `pjdel`, node down, time limit, memory, another job: PJM codes. */
const CODE = { timeout: 11, memory: 12, preempted: 18, nodeDown: 20 } as const
const SIGXCPU = 24

/** `239_1`, as the table names a task of an array, is PJM's `239[1]`. */
const subjob = (id: string): string => id.replace(/^(\d+)_(\d+)$/, '$1[$2]')

class TableHome extends PjmHome implements SchedulerFixture {
  readonly graceMs = GRACE_SECONDS * 1000
  readonly #wrapped: WrappedCommands

  protected constructor(pjm: FakePjm, options: SchedulerHomeOptions) {
    super(pjm, options)
    this.#wrapped = new WrappedCommands(this.base, pjm.path, ['pjstat'])
    this.putFirst(this.#wrapped.path)
  }

  static async at(site: SchedulerSite): Promise<TableHome> {
    const pjm = await createFakePjm({
      directory: fakeDirectory('fpjm'),
      nodes: NODES,
      hangMs: HANG_MS,
      rscgrps: ['small', 'large', HELD_GROUP],
      holdRscgrps: [HELD_GROUP],
      ...(site.strict ? { groups: ['ra000000'], maxNodes: 12 } : {}),
    })
    const options = [
      ...(site.history === false ? ['history: false'] : []),
      ...(site.maxArraySize === undefined ? [] : [`bulk_limit: ${site.maxArraySize}`]),
    ]
    return new TableHome(pjm, {
      budget: site.realBudget ?? false,
      graceSeconds: GRACE_SECONDS,
      target: options.map((line) => `    ${line}\n`).join(''),
    }).start()
  }

  #command(words: readonly string[], input = '', cwd = this.base): Promise<string> {
    return runFakeCommand(this.pjm.path, words, { cwd, env: this.pjm.env, input })
  }

  async #submit(words: readonly string[], input = '', cwd = this.base): Promise<string> {
    return /Job (\S+) submitted/.exec(await this.#command(['pjsub', ...words], input, cwd))?.[1] ?? ''
  }

  #stop(id: string, signal: 'SIGSTOP' | 'SIGCONT'): void {
    // Twice: one that was started meanwhile is met by the second look.
    for (const _ of ['first', 'second']) {
      for (const pid of this.pjm.job(id)?.pids ?? []) {
        try {
          process.kill(pid, signal)
        } catch {
          // It ended by itself between the look and the signal.
        }
      }
    }
  }

  readonly controls: SchedulerControls = {
    advance: (ms) => this.pjm.advance(ms),
    outage: (kind) => {
      if (kind !== 'history_down') return this.pjm.outage(kind)
      const text = '[ERR.] PJM 0090 pjstat Communication error: the job manager does not respond.'
      return this.#wrapped.change('pjstat', { failWith: { word: '-H', code: 1, text } })
    },
    recover: (options) => {
      this.#wrapped.change('pjstat', { failWith: undefined })
      this.pjm.recover(options)
    },
    lives: (id) => this.pjm.job(id)?.ended === false,
    calls: (what) => {
      const lines = this.pjm.callLines()
      if (what === 'submit') return lines.filter((line) => line.startsWith('pjsub ')).length
      if (what === 'cancel') return lines.filter((line) => line.startsWith('pjdel ')).length
      // One of the active view that names an id is asked before a cancel.
      const asked = lines.filter((line) => line.startsWith('pjstat -v '))
      return asked.filter((line) => (what === 'history' ? / -H /.test(line) : !/ -H | \d+ $/.test(line))).length
    },
    submitForeign: () => this.#submit(['-N', 'd-otherdrove-1', '-j', '-o', join(this.base, 'foreign.log')], '#!/bin/sh\nexec sleep 600\n'),
    submitLate: (attemptDir) => this.#submit(['job.sh'], '', attemptDir),
    truncateNext: (_, bytes) => this.pjm.truncateNextOutput('pjstat', bytes),
    garbleNext: (_, text) => this.pjm.garble('pjstat', text),
    submitThenHang: () => this.pjm.submitThenHang(),
    submitHangsUnmade: () => this.pjm.submitHangsUnmade(),
    nodeFail: (id) => this.pjm.endWith(subjob(id), CODE.nodeDown),
    oom: (id) => this.pjm.endWith(id, CODE.memory, { sn: 9 }),
    timeout: (id) => this.pjm.endWith(id, CODE.timeout, { sn: SIGXCPU, reason: 'ELAPSE LIMIT EXCEEDED' }),
    foreignCancel: (id) => this.#command(['pjdel', id]),
    hold: (id) => this.pjm.setState(id, 'HLD'),
    release: (id) => {
      this.pjm.setState(id, 'QUE', { reason: '-' })
      this.pjm.advance(0)
    },
    suspend: (id) => {
      this.#stop(id, 'SIGSTOP')
      this.pjm.setState(id, 'SPD')
    },
    resume: (id) => {
      this.pjm.setState(id, 'RUN')
      this.#stop(id, 'SIGCONT')
    },
    preempt: (id) => this.pjm.endWith(id, CODE.preempted),
    showWord: (word) => this.#wrapped.change('pjstat', { sed: word === undefined ? undefined : `s/,RUN,/,${word},/\n` }),
    banner: (text) => this.#wrapped.change('pjstat', { banner: text }),
    // The active view tells of no job that has ended.
    forget: (id) => {
      if (id.includes('_')) this.pjm.forget(subjob(id))
    },
    vanish: (id) => this.pjm.forget(id),
    purgeHistory: () => this.pjm.purgeHistory(),
    reuseIds: (id) => this.pjm.reuseIds(Number(id)),
    historyLag: (ms) => this.pjm.change({ historyDelayMs: ms }),
    foreignCancelTask: (id, task) => this.#command(['pjdel', subjob(`${id}_${task}`)]),
  }
}

/** What `pjstat -v -E --data --choose=…` prints of many jobs, in the columns that are asked for. */
function manyJobs(count: number, id: string, name: string): string {
  const row = (job: string, called: string, word: string): string => `,${job},${called},NM,${word},0,0,0,11/21 10:00:00,-,-`
  const others = Array.from({ length: count - 1 }, (_, at) => row(String(900_000 + at), `d-zz${String(at).padStart(8, '0')}-1`, 'QUE'))
  return `${['H,JOB_ID,JOB_NAME,MD,ST,EC,PC,SN,ACCEPT,START_DATE,REASON', ...others, row(id, name, 'RUN')].join('\n')}\n`
}

const LIMIT = 'PJM has no limit for sub-jobs at one time: the task is refused before anything is submitted'
const CHAIN = 'PJM has no dependencies between jobs: what waits is not submitted before its upstream has ended, and waits in Drover alone'

runSchedulerCases({
  name: 'pjm (fake)',
  target: 'fugaku',
  open: (site) => TableHome.at(site),
  patience: 1.5,
  words: {
    waiting: /^HLD$/,
    suspended: /^SPD$/,
    cancelled: /^CCL$/,
    node_failure: /^EXT$/,
    out_of_memory: /^EXT$/,
    timeout: /^EXT$/,
    preempted: /^EXT$/,
  },
  tasks: {
    held: { options: { rscgrp: HELD_GROUP } },
    preemptedForGood: {},
    long: { options: { elapse: '600:00:00' } },
  },
  manyJobs,
  refusals: [
    { name: 'a resource group that is none', task: { options: { rscgrp: 'moon' } }, message: /rscgrp=moon/, fix: /option rscgrp/ },
    {
      name: 'a group that may not submit',
      task: { options: { group: 'nobody' } },
      message: /Group not authorized/,
      fix: /option group/,
    },
    { name: 'too many nodes', task: { numNodes: 50 }, message: /greater than the upper limit/, fix: /fewer nodes/ },
  ],
  skip: {
    'a site without a history: ends are known by the queue and by records':
      'the active view of PJM tells of no job that has ended, so a dead machine leaves no word there; the two cases below ask the rest',
    'tasks of an array that wait are cancelled one by one by somebody else: never taken for successes or failures': LIMIT,
    'elements of an array that wait and run are cancelled by us': LIMIT,
    'tasks that wait are printed as ranges: each is counted': LIMIT,
    'an upstream fails: the dependent never runs': CHAIN,
    'an upstream fails while no supervisor lives': CHAIN,
    'an upstream succeeds while no supervisor lives: the chain goes on': CHAIN,
  },
})
