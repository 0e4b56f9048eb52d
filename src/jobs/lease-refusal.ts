import { type JobEventLine, LEASE_EXIT_CODE } from '../driver/protocol.ts'
import type { Cause } from '../task/states.ts'
import type { RetryDecision } from './retry-policy.ts'

/** Wait after the first refusal in a row, ms; doubled after each further one. */
export const FIRST_REFUSAL_MS = 2_000
/** The longest wait between two tries, ms. */
export const MAX_REFUSAL_MS = 60_000

const WHAT: Readonly<Record<string, string>> = { cpus: 'CPUs', memory: 'memory', gpus: 'GPUs', turn: 'it was not our turn in time' }

/**
 * Why a driver that ended with `code` before anything of the user's had run did so, by its `no_room` or `lease_failed` line
 * (driver/lease-script); undefined where the code is the user's own. A job that was refused goes back in line by itself.
 */
export function leaseCause(driverEvents: readonly JobEventLine[], rank: number, node: string, code: number): Cause | undefined {
  if (code !== LEASE_EXIT_CODE) return undefined
  const event = driverEvents.find(
    ({ word, detail }) => (word === 'no_room' || word === 'lease_failed') && Number(detail['rank'] ?? Number.NaN) === rank,
  )
  if (event === undefined) return undefined
  const where = node === '' ? 'the machine' : node
  if (event.word === 'lease_failed') {
    const message = `what the job takes of ${where} cannot be noted in "leases" below the target's root there (full disk, permissions?); nothing was run`
    return { kind: 'driver', rank, message }
  }
  const holders = (event.detail['by'] ?? '').split(',').filter((id) => id !== '')
  const shown = `${holders.length > 1 ? 'jobs' : 'job'} ${holders.slice(0, 5).join(', ')}${holders.length > 5 ? ` and ${holders.length - 5} more` : ''}`
  const what = WHAT[event.detail['what'] ?? '']
  return { kind: 'rejected', rank, code, message: `no room on ${where}${what === undefined ? '' : ` (${what})`}: held by ${shown}` }
}

/** True of the cause of an attempt that found no room on a shared node. */
export function isRefusal(cause: Cause | undefined): boolean {
  return cause?.kind === 'rejected' && cause.code === LEASE_EXIT_CODE
}

/** Attempts that count as tries of the task: those that found no room ran nothing. */
export function countTries(attempts: readonly { readonly cause?: Cause }[]): number {
  return attempts.filter(({ cause }) => !isRefusal(cause)).length
}

/**
 * What comes after an attempt that found no room: always another, whatever the task's retries say. `before`: the attempts
 * before it, oldest first. `chance`, from 0 to below 1, spreads clients that wait for each other's nodes: up to a quarter less.
 */
export function decideRefusal(cause: Cause, before: readonly { readonly cause?: Cause }[], chance: number): RetryDecision {
  const inRow = before.length - 1 - before.findLastIndex((attempt) => !isRefusal(attempt.cause))
  const wait = Math.min(FIRST_REFUSAL_MS * 2 ** Math.min(inRow, 10), MAX_REFUSAL_MS)
  return { retry: true, notBeforeDelayMs: Math.round(wait * (1 - chance / 4)), why: cause.message }
}
