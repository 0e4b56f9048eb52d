import { quoteShell } from '../../driver/quote.ts'
import type { CommandOutcome, NativeJob } from '../batch/scheduler.ts'
import type { QueueNotes } from '../executor.ts'
import { parseQstat } from './pbs-output.ts'
import { pbsTime } from './pbs-times.ts'

/** What PBS's comments mean, and what would help (comments of the scheduler of OpenPBS 23.06 and PBS Pro). */
const REASONS: readonly (readonly [RegExp, string, string?])[] = [
  [
    /^Can Never Run/,
    'no node, or not enough of them, will ever have what it asks for',
    'Cancel it, and ask for less: cores, memory and GPUs per node, or nodes.',
  ],
  [
    /too many failed attempts/,
    'PBS tried to start it and failed, again and again, and holds it',
    'Cancel it, and ask the administrators to look at the nodes.',
  ],
  [
    /Insufficient amount of resource|Not enough (?:free|total) nodes|No available resources|Insufficient amount of (?:server|queue) resource/i,
    'nodes with what it asks for are not free',
    'Ask for fewer nodes, cores, memory or GPUs, or for less time: a shorter job fits into gaps.',
  ],
  [
    /conflict with reservation or top job|top job/i,
    'it would delay a job of a higher priority',
    'A shorter timeout lets it start in a gap before that one.',
  ],
  [/dedicated time|primetime|prime time/i, 'it would run into a time kept for other jobs', 'A shorter timeout may fit before it.'],
  [
    /running job limit|has reached .*limit|would exceed .*limit|limit on/i,
    'a limit on running jobs or resources is reached',
    'Wait for your other jobs, ask for less, or use another queue.',
  ],
  [/Queue not started/i, 'its queue is stopped', 'Wait, or choose another queue: option queue.'],
  [/exclusive/i, 'it wants nodes for itself, and none is empty', 'Leave out exclusive.'],
  [/^depend |^Hold_Types .*s/, 'a job that it is to wait for has not ended'],
  [/^Hold_Types .*o|held by .*operator|held by .*admin/i, 'it is held by the administrators', 'Ask them.'],
  [/^Hold_Types .*u|^Job held by/i, 'it is held by you', 'qrls lets it go.'],
  [/^Execution_Time/, 'its time to begin has not come'],
  [/Reservation/i, 'the reservation that it asks for has not begun'],
]

/** The job, and the queues: one that is stopped is said by no comment. */
export function explainCommand(id: string): string {
  return `TZ=UTC qstat -f ${quoteShell(id)}
echo drover-queues
qstat -Q -f`
}

/** Turns the scheduler's comment into plain words. */
export function parseExplanation({ stdout }: CommandOutcome, job: NativeJob): QueueNotes {
  const [own = '', queues = ''] = stdout.split(/^drover-queues$/m)
  const [record] = parseQstat(own) ?? []
  const queue = record?.attributes.get('queue')
  const stanza = queues.split(/^Queue: /m).find((each) => each.startsWith(`${queue}\n`))
  const native = job.reason ?? 'None'
  const [, reason, advice] = REASONS.find(([pattern]) => pattern.test(native)) ?? []
  const expectedStart = pbsTime(record?.attributes.get('estimated.start_time')) ?? job.expectedStart
  if (stanza !== undefined && /^\s+started = False/m.test(stanza) && job.state === 'queued' && !native.startsWith('Hold_Types'))
    return { reason: `its queue ${queue} is stopped`, nativeReason: native, advice: 'Wait, or choose another queue: option queue.' }
  return {
    reason: reason ?? (native === 'None' ? 'the scheduler has not looked at it yet' : `the scheduler says: ${native}`),
    nativeReason: native,
    ...(advice === undefined ? {} : { advice }),
    ...(expectedStart === undefined ? {} : { expectedStart }),
  }
}
