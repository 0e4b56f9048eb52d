import { randomBytes } from 'node:crypto'
import { chmodSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { type CommandCall, redirected } from '../fake-commands/command-call.ts'
import { FakeCommands } from '../fake-commands/fake-commands.ts'
import type { FakeScheduler } from '../fake-commands/fake-scheduler.ts'
import { pjacl, pjdel, pjhold, pjrls, pjshowrsc, pjwait } from './other-commands.ts'
import { type PjmCommand, PjmFailure } from './pjm-command.ts'
import { HOSTNAME, MPIEXEC } from './pjm-environment.ts'
import { moveTo, PJM_ENDED, type PjmEnd, type PjmJob, type PjmWord } from './pjm-job.ts'
import { PjmLife } from './pjm-life.ts'
import { type FakePjmOptions, type PjmSettings, resolvePjmSettings } from './pjm-options.ts'
import { endOf, jobsNamed, type PjmState, parentWord } from './pjm-state.ts'
import { pjstat } from './pjstat-command.ts'
import { pjsub } from './pjsub-command.ts'

export type { FakePjmOptions } from './pjm-options.ts'

/** A job or sub-job as tests look at it. */
export interface FakePjmJob {
  /** `239`, `239[1]`, `240_0`. */
  readonly id: string
  readonly name: string
  readonly model: 'NM' | 'BU' | 'ST'
  readonly word: PjmWord
  readonly ec: number
  readonly pc: number
  readonly sn: number
  readonly reason: string
  readonly nodes: number
  /** `-L` and `--mpi` as given, by name. */
  readonly resources: Readonly<Record<string, string>>
  readonly pids: readonly number[]
  readonly ended: boolean
}

/** Ways in which PJM is broken: its manager stopped, or silent. */
export type PjmOutage = 'down' | 'hung'

/** A fake PJM: commands on PATH, one manager in this process, jobs that are real processes of this machine. */
export interface FakePjm extends FakeScheduler {
  /** A job that the fake has, or ever had. */
  job(id: string | number): FakePjmJob | undefined
  /** All of them, sub-jobs and parents too. */
  jobs(): readonly FakePjmJob[]
  /** Puts a job into a state; an end word ends its processes. */
  setState(id: string | number, word: PjmWord, how?: Partial<Omit<PjmEnd, 'word'>>): void
  /** Ends a job as PJM would: 11 time limit, 12 or 23 memory, 20 node down, … */
  endWith(id: string | number, pc: number, how?: Partial<Omit<PjmEnd, 'pc'>>): void
  /** Kills its processes and says nothing of it: the node is gone, the manager does not know yet. */
  vanish(id: string | number): void
  /** Breaks PJM until `recover`. */
  outage(kind: PjmOutage): void
  /** Changes settings on the way: disputed behaviour, limits. */
  change(settings: Partial<Omit<FakePjmOptions, 'directory' | 'groups'>>): void
  /** The command's next output (stdout) is this text, with this exit code in place of its own where given. */
  garble(command: string, text: string, code?: number): void
  /** Both views forget a job. */
  forget(id: string | number): void
  /** The history forgets all that has ended. */
  purgeHistory(): void
  /** Ids are given out again from here on; all jobs from it on are gone. */
  reuseIds(from: number): void
  /** The next pjsub makes its job and never answers, until `recover`. */
  submitThenHang(): void
  /** The next pjsub never answers, and no job is made. */
  submitHangsUnmade(): void
}

const COMMANDS: Readonly<Record<string, PjmCommand>> = { pjsub, pjstat, pjdel, pjhold, pjrls, pjwait, pjacl, pjshowrsc }

/** Starts a fake PJM in a directory. It holds no timer that keeps a process alive; `close` it all the same. */
export async function createFakePjm(options: FakePjmOptions): Promise<FakePjm> {
  const { username } = userInfo()
  const settings = resolvePjmSettings(options, { name: username, group: 'rccs-aot' })
  let offsetMs = 0
  const now = (): number => Date.now() + offsetMs
  // The life is made of the state, right below.
  const state = { settings, jobs: new Map(), forgotten: new Set(), nextId: settings.firstJobId, now } as unknown as PjmState
  state.life = new PjmLife(state, randomBytes(6).toString('hex'))
  const faults = new PjmFaults(state)
  const commands = await FakeCommands.open(settings.directory, Object.keys(COMMANDS), (call) => faults.answer(call))
  for (const [name, text] of Object.entries({ mpiexec: MPIEXEC, hostname: HOSTNAME })) {
    writeFileSync(`${commands.path}/${name}`, text)
    chmodSync(`${commands.path}/${name}`, 0o755)
  }
  const find = (id: string | number): PjmJob => {
    const [job] = jobsNamed(state, String(id))
    if (job === undefined) throw new Error(`the fake PJM has no job ${id}`)
    return job
  }
  const view = (job: PjmJob): FakePjmJob => ({
    id: job.publicId,
    name: job.request.name,
    model: job.model,
    word: job.isParent ? parentWord(state, job) : job.word,
    ec: job.ec,
    pc: job.pc,
    sn: job.sn,
    reason: job.reason,
    nodes: job.request.nodes,
    resources: job.request.resources,
    ended: endOf(state, job) !== undefined,
    get pids() {
      return state.life.processesOf(job)
    },
  })
  return {
    path: commands.path,
    env: commands.env,
    now,
    advance(ms) {
      offsetMs += ms
      state.life.look()
    },
    job(id) {
      const [job] = jobsNamed(state, String(id))
      return job && view(job)
    },
    jobs: () => [...state.jobs.values()].map(view),
    setState(id, word, how = {}) {
      const job = find(id)
      if (PJM_ENDED.has(word)) state.life.end(job, { word, ec: 0, pc: 0, sn: 0, reason: '-', ...how })
      else {
        moveTo(job, word)
        Object.assign(job, { reason: how.reason ?? job.reason })
      }
    },
    endWith: (id, pc, how = {}) => state.life.end(find(id), { word: 'EXT', ec: 0, sn: 0, reason: '-', ...how, pc }),
    vanish: (id) => state.life.killProcesses(find(id)),
    outage: (kind) => faults.break(kind),
    recover: (given) => faults.recover(given?.lost ?? false),
    change: (given) => Object.assign(settings, given),
    delay: (command, ms) => faults.delays.set(command, ms),
    truncateNextOutput: (command, bytes) => faults.edits.set(command, { edit: (text) => Buffer.from(text).subarray(0, bytes).toString() }),
    garble: (command, text, code) => faults.edits.set(command, { edit: () => text, ...(code === undefined ? {} : { code }) }),
    forget: (id) => state.forgotten.add(find(id).publicId),
    purgeHistory() {
      for (const job of state.jobs.values()) if (endOf(state, job) !== undefined) state.forgotten.add(job.publicId)
    },
    reuseIds(from) {
      for (const job of [...state.jobs.values()]) {
        if (job.id < from) continue
        state.life.killProcesses(job)
        state.jobs.delete(job.publicId)
      }
      state.nextId = from
    },
    submitThenHang: () => faults.nextSubmit('made'),
    submitHangsUnmade: () => faults.nextSubmit('unmade'),
    calls: (command) => faults.lines.filter((line) => command === undefined || line.startsWith(`${command} `)).length,
    callLines: () => faults.lines,
    async close() {
      faults.recover(true)
      await commands.close()
      await state.life.close()
      commands.remove('spool')
    },
  }
}

/** What stands between a call and its command: outages, delays, damaged output. */
class PjmFaults {
  readonly delays = new Map<string, number>()
  readonly edits = new Map<string, { readonly edit: (text: string) => string; readonly code?: number }>()
  readonly lines: string[] = []
  readonly #state: PjmState
  /** Called at recovery; calls that hang wait here. */
  #waiting: ((lost: boolean) => void)[] = []
  #outage: PjmOutage | undefined
  #submit: 'made' | 'unmade' | undefined

  constructor(state: PjmState) {
    this.#state = state
  }

  break(kind: PjmOutage): void {
    this.#outage = kind
    this.#state.life.pause(true)
  }

  recover(lost: boolean): void {
    this.#outage = undefined
    this.#state.life.pause(false)
    for (const go of this.#waiting.splice(0)) go(lost)
  }

  nextSubmit(fault: 'made' | 'unmade'): void {
    this.#submit = fault
  }

  async answer(call: CommandCall): Promise<number> {
    this.lines.push([call.command, ...call.argv, ''].join(' '))
    const delay = this.delays.get(call.command) ?? 0
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay))
    if (this.#outage === 'down') {
      // That commands fail while the manager is stopped is sure, their words are not public [I].
      call.err(`[ERR.] PJM 0090 ${call.command} Communication error: the job manager does not respond.\n`)
      return this.#state.settings.errorCode || 1
    }
    if (this.#outage === 'hung') {
      const how = await this.#hang()
      if (how === 'cut off') {
        // What the manager was asked for is carried out when it wakes.
        this.#waiting.push((lost) => void (lost || this.#run(redirected(call)).catch(() => undefined)))
        return 124
      }
      return how === 'lost' ? 1 : this.#run(call)
    }
    if (call.command === 'pjsub' && this.#submit !== undefined) {
      const fault = this.#submit
      this.#submit = undefined
      if (fault === 'made') await this.#run(redirected(call))
      return (await this.#hang()) === 'cut off' ? 124 : 1
    }
    const edit = this.edits.get(call.command)
    if (!edit) return this.#run(call)
    this.edits.delete(call.command)
    let text = ''
    const code = await this.#run(redirected(call, { out: (piece) => (text += piece), err: (piece) => call.err(piece) }))
    call.out(edit.edit(text))
    return edit.code ?? code
  }

  /** Waits for `recover`, or for the limit of the caller. A client that has gone leaves its request in the queue. */
  #hang(): Promise<'goes on' | 'lost' | 'cut off'> {
    const { hangMs } = this.#state.settings
    return new Promise((resolve) => {
      let done = false
      const end = (how: 'goes on' | 'lost' | 'cut off'): void => {
        if (!done) resolve(how)
        done = true
      }
      this.#waiting.push((lost) => end(lost ? 'lost' : 'goes on'))
      if (hangMs > 0) setTimeout(() => end('cut off'), hangMs)
    })
  }

  async #run(call: CommandCall): Promise<number> {
    const command = COMMANDS[call.command]
    if (!command) throw new Error(`the fake PJM has no command ${call.command}`)
    try {
      return await command(this.#state, call)
    } catch (error) {
      if (!(error instanceof PjmFailure)) throw error
      const settings: PjmSettings = this.#state.settings
      const text = error.code === undefined ? `${error.message}\n` : `[ERR.] PJM ${error.code} ${call.command} ${error.message}\n`
      if (settings.errorStream === 'stdout') call.out(text)
      else call.err(text)
      return settings.errorCode
    }
  }
}
