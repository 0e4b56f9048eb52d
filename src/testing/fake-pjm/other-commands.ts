import type { CommandCall } from '../fake-commands/command-call.ts'
import { PjmFailure } from './pjm-command.ts'
import { moveTo, PJM_ENDED, type PjmJob } from './pjm-job.ts'
import { endOf, jobsNamed, type PjmState, subJobs, viewOf } from './pjm-state.ts'

/** Jobs that operands name, a parent standing for its sub-jobs; throws on one that is not there [P: the words, I: the code]. */
function named(state: PjmState, call: CommandCall): readonly { readonly operand: string; readonly jobs: readonly PjmJob[] }[] {
  const operands = call.argv.filter((word) => /^\d/.test(word))
  return operands.map((operand) => {
    const found = jobsNamed(state, operand).filter((job) => viewOf(state, job) === 'active')
    if (found.length === 0) throw new PjmFailure('0110', `Job ${operand} does not exist.`)
    return { operand, jobs: found.flatMap((job) => (job.isParent ? subJobs(state, job) : [job])) }
  })
}

/** pjdel [V]: the job goes on for a while. */
export function pjdel(state: PjmState, call: CommandCall): number {
  for (const { operand, jobs } of named(state, call)) {
    for (const job of jobs) state.life.delete(job)
    call.out(`[INFO] PJM 0100 pjdel Accepted job ${operand}.\n`)
  }
  return 0
}

/** pjhold; its messages are not public [I]. `-R` is the reason that pjstat shows [P]. */
export function pjhold(state: PjmState, call: CommandCall): number {
  const at = call.argv.indexOf('-R')
  for (const { operand, jobs } of named(state, { ...call, argv: call.argv.filter((_, index) => at < 0 || index !== at + 1) })) {
    for (const job of jobs.filter((each) => each.word === 'QUE')) {
      moveTo(job, 'HLD')
      job.reason = at < 0 ? '-' : (call.argv[at + 1] ?? '-')
    }
    call.out(`[INFO] PJM 0300 pjhold Accepted job ${operand}.\n`)
  }
  return 0
}

/** pjrls; its messages are not public [I]. */
export function pjrls(state: PjmState, call: CommandCall): number {
  for (const { operand, jobs } of named(state, call)) {
    for (const job of jobs.filter((each) => each.word === 'HLD' || each.word === 'ERR')) {
      moveTo(job, 'QUE')
      job.reason = '-'
    }
    call.out(`[INFO] PJM 0400 pjrls Accepted job ${operand}.\n`)
  }
  return 0
}

/** pjwait: `JOBID PC EC SN` after the end [P]. */
export async function pjwait(state: PjmState, call: CommandCall): Promise<number> {
  let left = true
  call.onGone(() => {
    left = false
  })
  for (const operand of call.argv.filter((word) => /^\d/.test(word))) {
    const [job] = jobsNamed(state, operand)
    if (job === undefined) throw new PjmFailure('0110', `Job ${operand} does not exist.`)
    while (left && endOf(state, job) === undefined) await new Promise((resolve) => setTimeout(resolve, 20))
    call.out(`${operand} ${job.pc} ${job.ec} ${job.sn}\n`)
  }
  return 0
}

/** Ended jobs among all, for `pjacl`. */
const live = (state: PjmState): number => [...state.jobs.values()].filter((job) => !job.isParent && !PJM_ENDED.has(job.word)).length

/** pjacl: limits and rights. Its real form is not public: only that it answers is relied on [I]. */
export function pjacl(state: PjmState, call: CommandCall): number {
  const { settings } = state
  call.out(`permission (pjsub-batch)     : enable\npermission (pjsub-bulk)      : ${settings.bulkAllowed ? 'enable' : 'disable'}\n`)
  call.out(`ru-accept                    : ${live(state)} / ${settings.acceptLimit}\n`)
  return 0
}

/** pjshowrsc: free resources. Its real form is not public: only that it answers is relied on [I]. */
export function pjshowrsc(state: PjmState, call: CommandCall): number {
  call.out('[ RSCGRP ]  NODE\n')
  for (const name of state.settings.rscgrps) call.out(` ${name.padEnd(10)} ${state.settings.nodes}\n`)
  return 0
}
