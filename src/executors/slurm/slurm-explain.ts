import { quoteShell } from '../../driver/quote.ts'
import type { CommandOutcome, NativeJob } from '../batch/scheduler.ts'
import type { QueueNotes } from '../executor.ts'
import { slurmTime } from './slurm-queries.ts'

/** What Slurm's reasons mean, and what would help (squeue(1), JOB REASON CODES). */
const REASONS: readonly (readonly [RegExp, string, string?])[] = [
  [
    /^Resources$/,
    'it is next, as soon as nodes with what it asks for are free',
    'Ask for fewer nodes, cores, memory or GPUs, or for less time: a shorter job fits into gaps.',
  ],
  [/^Priority$/, 'jobs of a higher priority are before it in the queue', 'A shorter timeout lets it start in a gap before them.'],
  [/^Dependency$/, 'a job that it is to wait for has not ended'],
  [/^DependencyNeverSatisfied$/, 'a job that it waits for ended otherwise than it must: it can never start', 'Cancel it.'],
  [/^JobHeldUser$/, 'it is held by you', 'scontrol release lets it go.'],
  [/^(JobHeldAdmin|job requeued in held state)/, 'it is held by the administrators', 'Ask them.'],
  [/^BeginTime$/, 'its time to begin has not come'],
  [/^JobArrayTaskLimit$/, 'as many elements of its array run as may run at one time', 'Raise max_parallel.'],
  [/^QOS/, 'a limit of its QoS is reached', 'Wait for your other jobs, ask for less, or use another QoS.'],
  [/^Assoc/, 'a limit of your account is reached', 'Wait for your other jobs, ask for less, or use another account.'],
  [/^(InvalidAccount|InvalidQOS)$/, 'its account or QoS is not valid any more', 'Cancel it, and give a valid one: options account, qos.'],
  [/^(PartitionDown|PartitionInactive)$/, 'its partition is down', 'Choose another partition, or wait.'],
  [/^PartitionNodeLimit$/, 'it asks for more nodes than its partition has or allows', 'Ask for fewer, or choose another partition.'],
  [/^PartitionTimeLimit$/, 'it asks for more time than its partition allows', 'Lower timeout, or choose another partition.'],
  [/^Reservation/, 'the reservation that it asks for is not there yet'],
  [
    /^ReqNodeNotAvail/,
    'nodes that it asks for are down or reserved (maintenance?)',
    'Leave out nodelist, or a shorter timeout so that it ends before the maintenance.',
  ],
  [/^(NodeDown|BadConstraints)/, 'no node that is up fits what it asks for', 'Change constraint, or ask for less.'],
  [/^Licenses$/, 'a license that it asks for is taken'],
]

/** Expected start, and the jobs before it in its partition. */
export function explainCommand(id: string): string {
  return `TZ=UTC SLURM_TIME_FORMAT=standard squeue --start -h -j ${quoteShell(id)} -o 'start %S %Q %P' | head -n 1
squeue -h -t PD -S -p -o 'pending %Q %P'`
}

/** Turns the scheduler's reason into plain words. */
export function parseExplanation({ stdout }: CommandOutcome, job: NativeJob): QueueNotes {
  const native = job.reason ?? 'None'
  const [, reason, advice] = REASONS.find(([pattern]) => pattern.test(native)) ?? []
  const [, start, priority, partition] = /^start (\S+) (\d+) (\S+)$/m.exec(stdout) ?? []
  const before = [...stdout.matchAll(/^pending (\d+) (\S+)$/gm)].filter(
    ([, other, where]) => where === partition && Number(other) > Number(priority),
  )
  const expectedStart = slurmTime(start) ?? job.expectedStart
  return {
    reason: reason ?? (native === 'None' ? 'the scheduler has not looked at it yet' : `the scheduler says ${native}`),
    nativeReason: native,
    ...(advice === undefined ? {} : { advice }),
    ...(priority === undefined ? {} : { before: before.length }),
    ...(expectedStart === undefined ? {} : { expectedStart }),
  }
}
