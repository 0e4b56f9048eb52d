import { join } from 'node:path'
import {
  type FakeSlurm,
  runSchedulerCases,
  type SchedulerControls,
  type SchedulerFixture,
  type SchedulerSite,
} from '../../src/testing/index.ts'
import { FakeSlurmHome } from '../conformance/fake-slurm-home.ts'
import { runFakeCommand, WrappedCommands } from './wrapped-commands.ts'

/** Short, so that what is lost is lost soon; long enough for a machine that is busy. */
const GRACE_SECONDS = 5
/** Commands whose answers a case changes on their way. */
const ANSWERS = { queue: 'squeue', history: 'sacct' } as const
const COMMANDS = { ...ANSWERS, submit: 'sbatch', cancel: 'scancel' } as const
const OUTAGES = { down: 'down', hung: 'hung', history_down: 'accounting_down' } as const

class TableHome extends FakeSlurmHome implements SchedulerFixture {
  readonly graceMs = GRACE_SECONDS * 1000
  readonly #wrapped = new WrappedCommands(this.base, join(this.slurmDirectory, 'bin'), Object.values(ANSWERS))

  constructor(site: SchedulerSite) {
    super(
      {},
      {
        nodes: Array.from({ length: 8 }, (_, at) => ({ name: `node${at + 1}`, gpus: at < 2 ? 2 : 0 })),
        accounting: site.history ?? true,
        ...(site.maxArraySize === undefined ? {} : { maxArraySize: site.maxArraySize }),
        ...(site.strict ? { accounts: ['', 'lab'], qos: ['normal'], enforcePartLimits: 'ALL' } : {}),
      },
      { budget: site.realBudget ?? false, graceSeconds: GRACE_SECONDS },
    )
  }

  protected override own(slurm: FakeSlurm): void {
    super.own(slurm)
    this.putFirst(this.#wrapped.path)
  }

  /** One of the fake's commands, as a child: its server lives in this process. */
  #command(words: readonly string[], cwd = this.base): Promise<string> {
    return runFakeCommand(this.slurm.path, words, { cwd, env: this.slurm.env })
  }

  readonly controls: SchedulerControls = {
    advance: (ms) => this.slurm.advance(ms),
    outage: (kind) => this.slurm.outage(OUTAGES[kind]),
    recover: (options) => this.slurm.recover(options),
    lives: (id) => ['PENDING', 'RUNNING', 'SUSPENDED', 'COMPLETING'].includes(this.slurm.job(id)?.state ?? ''),
    calls: (what) => this.slurm.callLines().filter((line) => line.startsWith(`${COMMANDS[what]} `) && !line.includes('--version')).length,
    submitForeign: () =>
      this.#command(['sbatch', '--parsable', '--job-name=d-otherdrove-1', '--output=/dev/null', '--wrap=exec sleep 600']),
    submitLate: (attemptDir) => this.#command(['sbatch', '--parsable', 'job.sh'], attemptDir),
    truncateNext: (what, bytes) => this.slurm.truncateNextOutput(ANSWERS[what], bytes),
    garbleNext: (what, text) => this.slurm.garble(ANSWERS[what], text),
    submitThenHang: () => this.slurm.submitThenHang(),
    submitHangsUnmade: () => this.slurm.submitHangsUnmade(),
    nodeFail: (id) => this.slurm.nodeFail(id),
    oom: (id) => this.slurm.oom(id),
    timeout: (id) => this.slurm.timeout(id),
    foreignCancel: (id) => this.#command(['scancel', id]),
    release: (id) => this.slurm.release(id),
    hold: (id) => this.slurm.hold(id),
    suspend: (id) => this.slurm.suspend(id),
    resume: (id) => this.slurm.resume(id),
    requeue: (id) => this.slurm.requeue(id),
    preempt: (id) => this.slurm.preempt(id),
    showWord: (word) => this.#wrapped.change('squeue', { sed: word === undefined ? undefined : `s/|RUNNING|/|${word}|/\n` }),
    banner: (text) => {
      for (const command of Object.values(ANSWERS)) this.#wrapped.change(command, { banner: text })
    },
    forget: (id) => this.slurm.forget(id),
    vanish: (id) => this.slurm.forget(id),
    purgeHistory: () => this.slurm.purgeHistory(),
    reuseIds: (id) => this.slurm.reuseIds(Number(id)),
    historyLag: (ms) => this.slurm.accountingLag(ms),
    foreignCancelTask: (id, task) => this.#command(['scancel', `${id}_${task}`]),
  }
}

/** What `squeue` prints of many jobs, in the columns that are asked for. */
function manyJobs(count: number, id: string, name: string): string {
  const row = (job: string, state: string, reason: string, called: string): string =>
    `${job}|N/A|${job}|${state}|2026-11-21T10:00:00|2026-11-21T10:00:05|node1|${reason}|${called}`
  const others = Array.from({ length: count - 1 }, (_, at) =>
    row(String(900_000 + at), 'PENDING', 'Priority', `d-zz${String(at).padStart(8, '0')}-1`),
  )
  return `${[...others, row(id, 'RUNNING', 'None', name)].join('\n')}\n`
}

runSchedulerCases({
  name: 'slurm (fake)',
  target: 'hpc',
  open: (site) => new TableHome(site).start(),
  patience: 1.5,
  words: {
    waiting: /^PENDING$/,
    suspended: /^SUSPENDED$/,
    node_failure: /^NODE_FAIL$/,
    out_of_memory: /^OUT_OF_MEMORY$/,
    timeout: /^TIMEOUT$/,
    cancelled: /^CANCELLED/,
    preempted: /^PREEMPTED$/,
  },
  tasks: {
    held: { options: { hold: true } },
    requeued: { options: { scheduler_requeue: true } },
    preemptedForGood: { options: { partition: 'lowc' } },
    preemptedAndRequeued: { options: { partition: 'low', scheduler_requeue: true } },
    long: { options: { partition: 'high', time: '600' } },
    afterSuccess: (id) => ({ options: { dependency: `afterok:${id}` } }),
  },
  manyJobs,
  refusals: [
    { name: 'an account that is none', task: { options: { account: 'nobody' } }, message: /Invalid account/, fix: /option account/ },
    {
      name: 'a partition that is none',
      task: { options: { partition: 'moon' } },
      message: /[Ii]nvalid partition/,
      fix: /option partition/,
    },
    { name: 'a QoS that is none', task: { options: { qos: 'urgent' } }, message: /Invalid qos/, fix: /option qos/ },
    {
      name: 'too many nodes',
      task: { numNodes: 50 },
      message: /More processors|configuration is not available|Node count/,
      fix: /fewer nodes|lower/,
    },
    {
      name: 'more time than its partition allows',
      task: { timeoutMs: 10 * 3_600_000 },
      message: /time limit is invalid/,
      fix: /Lower timeout/,
    },
  ],
})
