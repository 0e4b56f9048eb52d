import { userInfo } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'
import {
  createFakePbs,
  type FakePbs,
  runSchedulerCases,
  type SchedulerControls,
  type SchedulerFixture,
  type SchedulerSite,
} from '../../src/testing/index.ts'
import { fakeDirectory, type SchedulerHomeOptions } from '../conformance/scheduler-home.ts'
import { PbsHome } from '../executors/pbs-home.ts'
import { runFakeCommand, WrappedCommands } from './wrapped-commands.ts'

// Cases wait more than they work.
vi.setConfig({ maxConcurrency: 8 })

/** Short, so that what is lost is lost soon; long enough for the commands of one question on a machine that is busy. */
const GRACE_SECONDS = 10
/** Somebody's limit on a call to a server that hangs: without one, each of them would take Drover's own of two minutes. */
const HANG_MS = 1_500
/** Eight hosts with room for what the cases run beside each other. */
const NODES = Array.from({ length: 8 }, (_, at) => ({ name: `node${at + 1}`, ncpus: 8 }))
const LIVE = ['Q', 'H', 'W', 'T', 'R', 'S', 'E', 'B']

/** `12[].pbshead_3`, as the table names a task of an array, is PBS's `12[3].pbshead`. */
const subjob = (id: string): string => id.replace(/\[\](.*)_(\d+)$/, '[$2]$1')

class TableHome extends PbsHome implements SchedulerFixture {
  readonly graceMs = GRACE_SECONDS * 1000
  readonly #wrapped: WrappedCommands

  protected constructor(pbs: FakePbs, options: SchedulerHomeOptions) {
    super(pbs, options)
    this.#wrapped = new WrappedCommands(this.base, pbs.path, ['qstat', 'qselect'])
    this.putFirst(this.#wrapped.path)
  }

  static async at(site: SchedulerSite): Promise<TableHome> {
    const pbs = await createFakePbs({
      directory: fakeDirectory('fpbs'),
      nodes: NODES,
      hangMs: HANG_MS,
      killDelayMs: 3_000,
      history: site.history ?? true,
      ...(site.maxArraySize === undefined ? {} : { maxArraySize: site.maxArraySize }),
    })
    return new TableHome(pbs, { budget: site.realBudget ?? false, graceSeconds: GRACE_SECONDS }).start()
  }

  #command(words: readonly string[], input = '', cwd = this.base): Promise<string> {
    return runFakeCommand(this.pbs.path, words, { cwd, env: { ...this.pbs.env, HOME: this.base }, input })
  }

  /** A question is one qselect with the qstat that follows it, or a qstat for a name. */
  #questions(): number {
    const lines = this.pbs.callLines().filter((line) => /^qselect |^qstat -t -f -F \S+(?! -x)(?: |$)/.test(line) && !/ -x\b/.test(line))
    return lines.filter((line, at) => line.startsWith('qselect ') || !lines[at - 1]?.startsWith('qselect ')).length
  }

  readonly controls: SchedulerControls = {
    advance: (ms) => this.pbs.advance(ms),
    outage: (kind) => {
      if (kind !== 'history_down') return this.pbs.outage(kind === 'down' ? 'stopped' : 'hung')
      const failWith = { word: '-x', code: 255, text: 'qstat: cannot connect to server pbshead (errno=15010)' }
      return this.#wrapped.change('qstat', { failWith })
    },
    recover: (options) => {
      this.#wrapped.change('qstat', { failWith: undefined })
      this.pbs.recover(options)
    },
    lives: (id) => LIVE.includes(this.pbs.job(id)?.state ?? ''),
    calls: (what) => {
      if (what === 'queue') return this.#questions()
      if (what === 'history') return this.pbs.callLines().filter((line) => /^qstat -t -f -F \S+ -x\b/.test(line)).length
      return this.pbs.calls(what === 'submit' ? 'qsub' : 'qdel')
    },
    submitForeign: () =>
      this.#command(['qsub', '-N', 'd-otherdrove-1', '-j', 'oe', '-o', join(this.base, 'foreign.log')], 'exec sleep 600\n'),
    submitLate: (attemptDir) => this.#command(['qsub', 'job.sh'], '', attemptDir),
    truncateNext: (what, bytes) => {
      if (what === 'queue') this.pbs.truncateNextOutput('qselect', bytes)
      this.pbs.truncateNextOutput('qstat', bytes)
    },
    garbleNext: (what, text) => {
      // Many jobs are named by qselect before they are told of.
      const ids = [...text.matchAll(/^ {8}"(\d+\.\w+)":\{$/gm)].map(([, id]) => id)
      if (what === 'queue') this.pbs.garble('qselect', ids.length > 0 ? `${ids.join('\n')}\n` : text)
      this.pbs.garble('qstat', text)
    },
    submitThenHang: () => this.pbs.loseNextSubmitAnswer(),
    submitHangsUnmade: () => this.pbs.loseNextSubmit(),
    nodeFail: (id) => this.pbs.failNode(subjob(id)),
    oom: (id) => this.pbs.exceedMemory(id),
    timeout: (id) => this.pbs.exceedWalltime(id),
    foreignCancel: (id) => this.#command(['qdel', id]),
    hold: (id) => this.pbs.hold(id),
    release: (id) => this.pbs.release(id),
    suspend: (id) => this.pbs.suspend(id),
    resume: (id) => this.pbs.resume(id),
    showWord: (word) => this.#wrapped.change('qstat', { sed: word === undefined ? undefined : `s/|job_state=R|/|job_state=${word}|/\n` }),
    banner: (text) => {
      for (const command of ['qstat', 'qselect']) this.#wrapped.change(command, { banner: text })
    },
    // The queue tells of no job that has ended.
    forget: () => {},
    vanish: (id) => this.pbs.vanish(id),
    purgeHistory: () => this.pbs.purgeHistory(),
    reuseIds: (id) => this.pbs.reuseIds(Number.parseInt(id, 10)),
    historyLag: (ms) => this.pbs.historyLag(ms),
    foreignCancelTask: (id, task) => this.#command(['qdel', subjob(`${id}_${task}`)]),
  }
}

/** What `qstat -t -f -F json` of the release prints of many jobs, in the attributes that are read. */
function manyJobs(count: number, id: string, name: string): string {
  const job = (of: string, called: string, state: string): string =>
    `        "${of}":{
            "Job_Name":"${called}",
            "Job_Owner":"${userInfo().username}@pbshead",
            "job_state":"${state}",
            "queue":"workq",
            "ctime":"Sat Nov 21 10:00:00 2026",
            "Hold_Types":"n",
            "qtime":"Sat Nov 21 10:00:00 2026",
            "Resource_List":{
                "ncpus":1,
                "select":"1:ncpus=1"
            },
            "substate":${state === 'R' ? 42 : 10},
            "project":"_pbs_project_default"
        }`
  const others = Array.from({ length: count - 1 }, (_, at) => job(`${900_000 + at}.pbshead`, `d-zz${String(at).padStart(8, '0')}-1`, 'Q'))
  return `{
    "timestamp":1795255200,
    "pbs_version":"23.06.06",
    "pbs_server":"pbshead",
    "Jobs":{
${[...others, job(id, name, 'R')].join(',\n')}
    }
}
`
}

runSchedulerCases({
  name: 'pbs (fake)',
  target: 'hpc',
  open: (site) => TableHome.at(site),
  patience: 1.5,
  words: { waiting: /^H$/, suspended: /^S$/, cancelled: /^F\/91$/, node_failure: /^F\/93$/, out_of_memory: /^F\/93$/, timeout: /^F\/93$/ },
  tasks: {
    held: { options: { hold: true } },
    long: { options: { walltime: '600:00:00' } },
    afterSuccess: (id) => ({ options: { dependency: `afterok:${id}` } }),
  },
  manyJobs,
  refusals: [
    { name: 'a queue that is none', task: { options: { queue: 'moon' } }, message: /Unknown queue/, fix: /option queue/ },
    {
      name: 'GPUs that the site has not, or names otherwise',
      task: {
        resources: {
          ordered: false,
          candidates: [{ accelerators: [{ type: '*', count: 1 }], acceleratorsOrdered: false, raw: {} }],
        },
      },
      message: /Unknown resource: ngpus/,
      fix: /gpu_resource/,
    },
    { name: 'a resource that is none', task: { options: { select: { colour: 'red' } } }, message: /Unknown resource/, fix: /pbsnodes -a/ },
  ],
  skip: {
    'a site without a history: ends are known by the queue and by records':
      'without a history PBS tells of no job that has ended, so a dead machine leaves no word; the two cases below ask the rest',
    'an array of which a task vanished: that one is lost, and the others are what they are':
      'PBS keeps the subjobs of an array with the array: none vanishes alone',
  },
})
