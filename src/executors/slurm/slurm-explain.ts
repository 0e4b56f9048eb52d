import { quoteShell } from '../../driver/quote.ts'
import type { CommandOutcome, NativeJob } from '../batch/scheduler.ts'
import type { QueueNotes } from '../executor.ts'
import { slurmTime } from './slurm-queries.ts'
import { CLOCK, WITHOUT_OWN } from './slurm-variables.ts'

/** What Slurm's reasons mean, and what would help (squeue(1), JOB REASON CODES, 22.05). */
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
  [/^JobHeldAdmin$/, 'it is held by the administrators', 'Ask them.'],
  [
    /^(?:job requeued in held state|launch failed requeued held|JobHoldMaxRequeue|MaxRequeue)/i,
    'Slurm started it again too often, or it could not be started, and holds it',
    'Read its log; scontrol release lets it go.',
  ],
  [/^(?:BadConstraints|Licenses.*invalid)/, 'no node can ever fit what it asks for', 'Cancel it; change constraint, or ask for less.'],
  [/^BeginTime$/, 'its time to begin has not come (after a requeue Slurm waits two minutes)'],
  [/^JobArrayTaskLimit$/, 'as many elements of its array run as may run at one time', 'Raise max_parallel.'],
  [/^QOSNotAllowed$/, 'its QoS may not be used in this partition or by this account', 'Give another: options qos, partition.'],
  [/^(?:InvalidAccount|InvalidQOS)$/, 'its account or QoS is not valid any more', 'Cancel it, and give a valid one: options account, qos.'],
  [/^AccountNotAllowed$/, 'its account may not use this partition', 'Give another: options account, partition.'],
  [/^(?:PartitionDown|PartitionInactive)$/, 'its partition is down', 'Choose another partition, or wait.'],
  [
    /^(?:PartitionNodeLimit|PartitionConfig)$/,
    'it asks for more nodes, cores or memory than its partition has or allows: it waits for ever',
    'Cancel it; ask for less, or choose another partition: drover target check shows them.',
  ],
  [
    /^PartitionTimeLimit$/,
    'it asks for more time than its partition allows: it waits for ever',
    'Cancel it; lower timeout, or choose another partition.',
  ],
  [/^ReservationDeleted$/, 'the reservation that it asks for was deleted', 'Cancel it, or take another reservation.'],
  [/^Reservation/, 'the reservation that it asks for has not begun'],
  [
    /^(?:ReqNodeNotAvail|Nodes_required_for_job|Nodes required for job)/,
    'nodes that it asks for are down, drained or reserved (maintenance?)',
    'Leave out nodelist, or give a shorter timeout, so that it ends before the maintenance.',
  ],
  [/^(?:NodeDown|FrontEndDown)/, 'a node that it needs is down', 'Wait, or leave out nodelist.'],
  [/^Licenses$/, 'a license that it asks for is taken'],
  [/^DeadLine$/, 'it cannot end before its deadline', 'Cancel it; give a later deadline, or a shorter timeout.'],
  [/^(?:Prolog|Cleaning|Reboot|PowerUp|PowerNotAvail|BurstBuffer\w*)/i, 'its nodes are being made ready'],
  [/^(?:NonZeroExitCode|JobLaunchFailure|SystemFailure|RaisedSignal.*)$/, 'its last start went wrong', 'Read its log.'],
  [/^None$/, 'Slurm has not looked at it yet'],
]

/** What a limit counts, by the middle of its name: `QOSMaxCpuPerUserLimit`. */
const COUNTED: readonly (readonly [RegExp, string])[] = [
  [/CpuRunMinutes|CPURunMinutes/i, 'CPU time of running jobs'],
  [/CpuMinutes|CPUMinutes/i, 'CPU time'],
  [/Cpu/i, 'CPUs'],
  [/GRES/i, 'GPUs and other resources'],
  [/Mem/i, 'memory'],
  [/Node/i, 'nodes'],
  [/WallDuration|Wall/i, 'time'],
  [/SubmitJob/i, 'jobs submitted'],
  [/Job/i, 'jobs at one time'],
  [/Billing/i, 'billing'],
]

/** `QOSMaxCpuPerUserLimit` → `the limit of its QoS on CPUs per user is reached`; undefined: no such reason. */
function limitReason(native: string): readonly [string, string] | undefined {
  const [, owner, what = ''] = /^(QOS|Assoc|MaxJobs|MaxNode|MaxCpu|MaxGRES|MaxMem)(.*)$/.exec(native) ?? []
  if (owner === undefined) return undefined
  const counted = COUNTED.find(([pattern]) => pattern.test(owner + what))?.[1]
  const per = /Per(User|Account|Job|Node)/i.exec(what)?.[1]?.toLowerCase()
  const whose = owner === 'QOS' ? 'its QoS' : 'your account'
  return [
    `the limit of ${whose}${counted === undefined ? '' : ` on ${counted}`}${per === undefined ? '' : ` per ${per}`} is reached`,
    `Wait for your other jobs, ask for less, or use another ${owner === 'QOS' ? 'QoS' : 'account'}.`,
  ]
}

/** Expected start, and the jobs before it in its partition. */
export function explainCommand(id: string): string {
  return `${WITHOUT_OWN}
${CLOCK} squeue --start -h -j ${quoteShell(id)} -o 'start %S %Q %P' | head -n 1
squeue -h -t PD -S -p -o 'pending %Q %P'`
}

/** Turns the scheduler's reason into plain words. */
export function parseExplanation({ stdout }: CommandOutcome, job: NativeJob): QueueNotes {
  const native = job.reason ?? 'None'
  const [, known, help] = REASONS.find(([pattern]) => pattern.test(native)) ?? []
  const [reason, advice] = known === undefined ? (limitReason(native) ?? []) : [known, help]
  const [, start, priority, partition] = /^start (\S+) (\d+) (\S+)$/m.exec(stdout) ?? []
  const before = [...stdout.matchAll(/^pending (\d+) (\S+)$/gm)].filter(
    ([, other, where]) => where === partition && Number(other) > Number(priority),
  )
  const expectedStart = slurmTime(start) ?? job.expectedStart
  return {
    reason: reason ?? `Slurm says ${native}`,
    nativeReason: native,
    ...(advice === undefined ? {} : { advice: advice.replace('scontrol release', `scontrol release ${job.id}`) }),
    // Only these two wait in line.
    ...(priority === undefined || !/^(?:Priority|Resources)$/.test(native) ? {} : { before: before.length }),
    ...(expectedStart === undefined ? {} : { expectedStart }),
  }
}
