import { type ClusterState, findRecords, isEnded, narrowTo, parseIdSelector } from './cluster-state.ts'
import { CommandFailure } from './slurm-command.ts'
import { type SlurmJob, type SlurmState, STATE_CODES } from './slurm-job.ts'

/** States of `-t PD,R` or `-t all` (undefined). Words and codes, in any case. */
export function readStates(command: string, text: string): ReadonlySet<SlurmState> | undefined {
  if (text.toLowerCase() === 'all') return undefined
  const states = new Set<SlurmState>()
  for (const word of text.toUpperCase().split(',')) {
    const state = (Object.entries(STATE_CODES) as [SlurmState, string][]).find(([name, code]) => name === word || code === word)
    if (!state) {
      throw new CommandFailure(
        `${command}: error: Invalid job state specified: ${text}\n${command}: error: Valid job states include: ${Object.keys(STATE_CODES).join(',')}\n`,
      )
    }
    states.add(state[0])
  }
  return states
}

/** Shown when no state is asked for: what has not ended. */
export function isActive(job: SlurmJob): boolean {
  return !isEnded(job)
}

/** Records of `-j 1,2_3`; waiting elements named one by one are one record of just those. Throws CommandFailure on text that is no id. */
export function recordsOfIds(state: ClusterState, command: string, text: string): readonly SlurmJob[] {
  const found = new Map<SlurmJob, Set<number> | undefined>()
  for (const id of splitIds(text)) {
    const selector = parseIdSelector(id)
    if (!selector && !/^\d/.test(id)) throw new CommandFailure(`${command}: error: Invalid job id: ${id}`)
    // A list in brackets is nothing that squeue 22.05.8 finds.
    if (!selector || id.includes('[')) continue
    for (const job of findRecords(state, selector)) {
      const before = found.get(job)
      const whole = selector.tasks === undefined || (found.has(job) && before === undefined)
      found.set(job, whole ? undefined : new Set([...(before ?? []), ...(selector.tasks ?? [])]))
    }
  }
  return [...found].map(([job, tasks]) => narrowTo(job, tasks))
}

/** `1,2_[3,4],5` at the commas outside brackets. */
export function splitIds(text: string): readonly string[] {
  return text.match(/(?:[^,[\]]|\[[^\]]*\])+/g) ?? []
}
