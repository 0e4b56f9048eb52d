import { userInfo } from 'node:os'
import { type CommandCall, redirected } from '../fake-commands/command-call.ts'
import { FakeCommands } from '../fake-commands/fake-commands.ts'
import type { FakeScheduler } from '../fake-commands/fake-scheduler.ts'
import { pbsnodes, qalter, qdel, qhold, qmgr, qrls, qsig, tmrsh } from './job-commands.ts'
import { idOf, type PbsJob, type PbsState } from './pbs-job.ts'
import { type FakePbsOptions, resolvePbsSettings } from './pbs-options.ts'
import { answerStopped, type PbsOutage } from './pbs-outages.ts'
import { PbsServer } from './pbs-server.ts'
import { qselect, qstat } from './qstat-command.ts'
import { qsub } from './qsub-command.ts'

/** A job as tests look at it. */
export interface FakePbsJob {
  /** `12.pbshead`, `12[].pbshead`, `12[3].pbshead`. */
  readonly id: string
  readonly name: string
  readonly state: PbsState
  readonly substate: number
  readonly exitStatus: number | undefined
  readonly comment: string | undefined
  readonly hosts: readonly string[]
  /** Pids of its processes. */
  readonly pids: readonly number[]
}

/** A fake OpenPBS 23.06.06: commands on PATH, one server in this process, jobs that are real processes of this machine. */
export interface FakePbs extends FakeScheduler {
  /** By any form of its id. */
  job(id: string): FakePbsJob | undefined
  /** All that the server still knows of, arrays as one. */
  jobs(): readonly FakePbsJob[]
  /** Switches `job_history_enable`; off, what has ended is forgotten at once. */
  setHistory(on: boolean): void
  /** History forgets what has ended. */
  purgeHistory(): void
  /** The server forgets all jobs from this number on, kills their processes, and gives their numbers out again. */
  reuseIds(from?: number): void
  /** The memory limit of a running job is passed. */
  exceedMemory(id: string): void
  /** The limit of a running job is passed: TERM, and KILL after the delay. */
  exceedWalltime(id: string): void
  /** The host of a running job, or subjob, dies with its processes. */
  failNode(id: string): void
  /** A hold of the user's, and its end. */
  hold(id: string): void
  release(id: string): void
  /** As an administrator does by qsig. */
  suspend(id: string): void
  resume(id: string): void
  /** The server knows a job no more; its processes go on. */
  vanish(id: string): void
  /** What has ended is not told of before so many ms have passed; 0 ends it. */
  historyLag(ms: number): void
  /** Breaks PBS until `recover`. */
  outage(kind: PbsOutage): void
  /** Mends it. What waited is answered; a qsub that was cut off meanwhile is carried out (not with `lost`), any other command is not. */
  recover(options?: { readonly lost?: boolean }): void
  /** The server died of a qdel: several ids, one of them unknown. `recover` starts it again. */
  readonly crashed: boolean
  /** The command's next output is this text, or these bytes; with `count`, so many times. */
  garble(command: string, text: string | Buffer, count?: number): void
  /** The command's next call prints this on stderr and ends so, without doing anything. */
  failNext(command: string, code: number, text: string): void
  /** The next qsub says what a broken connection says, and no job is made. */
  loseNextSubmit(): void
  /** The next qsub makes its job, and its answer is lost: it says what a broken connection says. */
  loseNextSubmitAnswer(): void
}

/** The commands of the fake. */
const PBS_COMMANDS = ['qsub', 'qstat', 'qselect', 'qdel', 'qsig', 'qhold', 'qrls', 'qalter', 'qmgr', 'pbsnodes', 'pbs_tmrsh'] as const

interface Faults {
  readonly delays: Map<string, number>
  readonly truncate: Map<string, number>
  readonly garble: Map<string, { readonly bytes: Buffer; count: number }>
  readonly fail: Map<string, { readonly code: number; readonly text: string }>
  loseSubmit: boolean
}

/** A call whose output is changed on its way. */
function faulty(call: CommandCall, faults: Faults): CommandCall {
  const garbled = faults.garble.get(call.command)
  const cut = faults.truncate.get(call.command)
  if (garbled && --garbled.count <= 0) faults.garble.delete(call.command)
  faults.truncate.delete(call.command)
  if (garbled) {
    call.write('out', garbled.bytes)
    return redirected(call, { write: (stream, bytes) => call.write(stream, bytes) })
  }
  if (cut === undefined) return call
  let left = cut
  return redirected(call, {
    out: (text) => {
      const bytes = Buffer.from(text).subarray(0, left)
      left -= bytes.length
      call.write('out', bytes)
    },
    err: (text) => call.err(text),
    write: (stream, bytes) => call.write(stream, bytes),
  })
}

/** Starts a fake PBS in a directory. It holds no timer that keeps a process alive; `close` it all the same. */
export async function createFakePbs(options: FakePbsOptions): Promise<FakePbs> {
  const settings = resolvePbsSettings(options, userInfo().username)
  const server = new PbsServer(settings, options.history ?? true)
  const faults: Faults = { delays: new Map(), truncate: new Map(), garble: new Map(), fail: new Map(), loseSubmit: false }
  const lines: string[] = []
  let outage: PbsOutage | undefined
  let crashed = false
  let waiting: ((lost: boolean) => void)[] = []
  /** A qsub that was cut off while the server hung: carried out when it wakes. */
  let cutOff: (() => unknown)[] = []
  const crash = (): void => {
    crashed = true
    outage = 'stopped'
    server.paused = true
  }

  const work = (call: CommandCall): number | Promise<number> => {
    switch (call.command) {
      case 'qsub':
        return qsub(server, call)
      case 'qstat':
        return qstat(server, call)
      case 'qselect':
        return qselect(server, call)
      case 'qdel':
        return qdel(server, call, crash)
      case 'qsig':
        return qsig(server, call)
      case 'qhold':
        return qhold(server, call)
      case 'qrls':
        return qrls(server, call)
      case 'qalter':
        return qalter(server, call)
      case 'qmgr':
        return qmgr(server, call)
      case 'pbsnodes':
        return pbsnodes(server, call)
      default:
        return tmrsh(server, call)
    }
  }

  const hang = (): Promise<'goes on' | 'lost' | 'cut off'> =>
    new Promise((resolve) => {
      const timer = settings.hangMs === undefined ? undefined : setTimeout(() => resolve('cut off'), settings.hangMs)
      waiting.push((lost) => {
        clearTimeout(timer)
        resolve(lost ? 'lost' : 'goes on')
      })
    })

  const answer = async (call: CommandCall): Promise<number> => {
    lines.push([call.command, ...call.argv].join(' '))
    let gone = false
    call.onGone(() => {
      gone = true
    })
    const wait = faults.delays.get(call.command)
    if (wait) await new Promise((resolve) => setTimeout(resolve, wait))
    // The version is printed, and tasks are started, without the server.
    const asksServer = call.command !== 'pbs_tmrsh' && !call.argv.includes('--version')
    if (asksServer && outage === 'stopped') return answerStopped(call, server.clock.now())
    while (asksServer && outage === 'hung') {
      const how = await hang()
      if (how === 'lost') return 1
      if (how === 'goes on') continue
      if (call.command === 'qsub') cutOff.push(() => qsub(server, redirected(call)))
      return 124
    }
    if (gone && call.command !== 'qsub') return 1
    const failure = faults.fail.get(call.command)
    if (failure) {
      faults.fail.delete(call.command)
      call.err(failure.text)
      return failure.code
    }
    if (call.command === 'qsub' && faults.loseSubmit) {
      faults.loseSubmit = false
      await qsub(server, redirected(call, { err: (text) => call.err(text) }))
      call.err('qsub: End of File\n')
      return 183
    }
    return work(faulty(call, faults))
  }

  const commands = await FakeCommands.open(settings.directory, PBS_COMMANDS, answer)

  const view = (job: PbsJob): FakePbsJob => ({
    id: idOf(job),
    name: job.name,
    state: job.state,
    substate: job.substate,
    exitStatus: job.exitStatus,
    comment: job.comment,
    hosts: job.hosts,
    pids: server.pids(job),
  })
  const find = (id: string): PbsJob => {
    const job = server.find(id)
    if (job === undefined) throw new Error(`the fake PBS has no job ${id}`)
    return job
  }
  const wakeAll = (lost = false): void => {
    const [all, requests] = [waiting, cutOff]
    waiting = []
    cutOff = []
    for (const resume of all) resume(lost)
    if (!lost) for (const carryOut of requests) carryOut()
  }
  return {
    path: commands.path,
    env: commands.env,
    now: () => server.clock.now(),
    advance(ms) {
      server.clock.advance(ms)
      server.look()
    },
    job(id) {
      const job = server.find(id)
      return job && view(job)
    },
    jobs: () => server.jobs.filter((job) => !job.forgotten).map(view),
    setHistory(on) {
      server.history = on
      if (!on) for (const job of server.jobs) if (job.state === 'F') job.forgotten = true
    },
    purgeHistory() {
      for (const job of server.jobs) if (job.state === 'F') job.forgotten = true
    },
    reuseIds(from = 1) {
      for (const job of server.jobs) if (job.number >= from) server.drop(job)
      server.nextNumber = from
    },
    exceedMemory(id) {
      const job = server.find(id)
      if (job) server.exceed(job, 'mem')
    },
    exceedWalltime: (id) => server.exceed(find(id), 'walltime'),
    failNode: (id) => server.failNode(find(id)),
    hold(id) {
      find(id).holds.add('u')
      server.settle(find(id))
    },
    release(id) {
      find(id).holds.delete('u')
      server.settle(find(id))
      server.wake()
    },
    suspend: (id) => void server.signal(find(id), 'suspend'),
    resume: (id) => void server.signal(find(id), 'resume'),
    vanish: (id) => void Object.assign(find(id), { forgotten: true }),
    historyLag(ms) {
      server.historyLagMs = ms
    },
    outage(kind) {
      outage = kind
      server.paused = true
      if (kind === 'stopped') wakeAll()
    },
    recover(given) {
      outage = undefined
      crashed = false
      server.paused = false
      wakeAll(given?.lost ?? false)
      server.look()
    },
    get crashed() {
      return crashed
    },
    delay: (command, ms) => void faults.delays.set(command, ms),
    truncateNextOutput: (command, bytes) => void faults.truncate.set(command, bytes),
    garble: (command, text, count = 1) => void faults.garble.set(command, { bytes: Buffer.from(text as string), count }),
    failNext: (command, code, text) => void faults.fail.set(command, { code, text }),
    loseNextSubmit: () => void faults.fail.set('qsub', { code: 183, text: 'qsub: End of File\n' }),
    loseNextSubmitAnswer() {
      faults.loseSubmit = true
    },
    calls: (command) => (command === undefined ? lines.length : lines.filter((line) => line.split(' ', 1)[0] === command).length),
    callLines: () => lines,
    async close() {
      outage = undefined
      await server.close()
      await commands.close()
      commands.remove('spool', 'tmp')
    },
  }
}
