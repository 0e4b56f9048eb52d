import type { ClusterState } from './cluster-state.ts'
import { SLURM_VERSION } from './slurm-command.ts'
import { printInstant } from './slurm-times.ts'

/** Text of `scontrol show config`: the lines a client may look at, in the order and form of 22.05.8. */
export function printConfiguration(state: ClusterState): string {
  const { settings, clock } = state
  const enforce = [settings.accounts ? 'associations,limits' : '', settings.qos ? 'qos' : ''].filter((word) => word !== '').join(',')
  const seconds = (ms: number): string => `${Math.round(ms / 1000)} sec`
  const lines: readonly (readonly [string, string])[] = [
    ['AccountingStorageEnforce', enforce || 'none'],
    ['AccountingStorageHost', 'localhost'],
    ['AccountingStorageType', settings.accounting ? 'accounting_storage/slurmdbd' : 'accounting_storage/none'],
    ['AccountingStorageUser', 'N/A'],
    ['AuthType', 'auth/munge'],
    ['BOOT_TIME', printInstant(state.bootMs)],
    ['ClusterName', settings.clusterName],
    ['DefMemPerCPU', '64'],
    ['EnforcePartLimits', settings.enforcePartLimits],
    ['FirstJobId', String(settings.firstJobId)],
    ['GresTypes', 'gpu'],
    ['JobFileAppend', '0'],
    ['JobRequeue', '1'],
    ['KillOnBadExit', '0'],
    ['KillWait', seconds(settings.killWaitMs)],
    ['MaxArraySize', String(settings.maxArraySize)],
    ['MaxJobCount', String(settings.maxJobCount)],
    ['MaxJobId', '67043328'],
    ['MaxStepCount', '40000'],
    ['MaxTasksPerNode', '512'],
    ['MessageTimeout', '10 sec'],
    ['MinJobAge', seconds(settings.minJobAgeMs)],
    ['NEXT_JOB_ID', String(state.nextId)],
    ['OverTimeLimit', '0 min'],
    ['PreemptMode', 'REQUEUE'],
    ['PreemptType', 'preempt/partition_prio'],
    ['PriorityType', 'priority/basic'],
    ['PrivateData', 'none'],
    ['ProctrackType', 'proctrack/cgroup'],
    ['ReturnToService', '2'],
    ['SchedulerType', 'sched/backfill'],
    ['SelectType', 'select/cons_tres'],
    ['SelectTypeParameters', 'CR_CORE_MEMORY'],
    ['SlurmctldHost[0]', 'localhost(127.0.0.1)'],
    ['SlurmdTimeout', '10 sec'],
    ['SLURM_CONF', `${settings.directory}/slurm.conf`],
    ['SLURM_VERSION', SLURM_VERSION],
    ['TmpFS', '/tmp'],
    ['UnkillableStepTimeout', '60 sec'],
  ]
  const text = lines.map(([name, value]) => `${name.padEnd(23)} = ${value}`).join('\n')
  return `Configuration data as of ${printInstant(clock.now())}\n${text}\n\nCgroup Support Configuration:\nCgroupPlugin            = cgroup/v1\n\nSlurmctld(primary) at localhost is UP\n`
}
