import { type ClusterState, waitingText } from './cluster-state.ts'
import { printDependencies } from './dependencies.ts'
import { compressHostlist } from './hostlist.ts'
import { outputPath } from './job-environment.ts'
import { cpusPerNode } from './scheduling.ts'
import { runMs, type SlurmJob, shownState } from './slurm-job.ts'
import { printInstant, printLongSpan } from './slurm-times.ts'
import { endOf, startOf } from './squeue-fields.ts'

/** Lines of `scontrol show job`, without their indent (22.05.8). */
export function printJobRecord(state: ClusterState, job: SlurmJob): readonly string[] {
  const { request } = job
  const { user } = state.settings
  const count = job.nodes.length || request.nodes
  const cpus = cpusPerNode(job)
  const total = cpus * count
  const memory = request.memoryPerNode === undefined ? request.memoryPerCpu * total : request.memoryPerNode * count
  const stdout = outputPath(job, request.output, user.name)
  const at = (ms: number | undefined): string => (ms === undefined ? 'Unknown' : printInstant(ms))
  const eligible = at(job.eligibleMs)
  const gpus = request.gpusPerNode > 0 ? `,gres/gpu=${request.gpusPerNode * count}` : ''
  return [
    firstLine(job),
    `UserId=${user.name}(${user.uid}) GroupId=${user.name}(${user.gid}) MCS_label=N/A`,
    `Priority=${job.priority} Nice=0 Account=${request.account ?? '(null)'} QOS=${request.qos}`,
    `JobState=${shownState(job)} Reason=${job.reason.replaceAll(' ', '_')} Dependency=${printDependencies(job)}`,
    `Requeue=${request.requeue ? 1 : 0} Restarts=${job.restarts} BatchFlag=1 Reboot=0 ExitCode=${job.exitCode}:${job.shownSignal}`,
    `RunTime=${printLongSpan(runMs(job, state.clock.now()))} TimeLimit=${printLongSpan(job.minutes * 60_000)} TimeMin=N/A`,
    `SubmitTime=${printInstant(job.submitMs)} EligibleTime=${eligible}`,
    `AccrueTime=${eligible}`,
    `StartTime=${at(startOf(job))} EndTime=${at(endOf(job))} Deadline=N/A`,
    `SuspendTime=${job.suspendedAtMs === undefined ? 'None' : printInstant(job.suspendedAtMs)} SecsPreSuspend=0 LastSchedEval=${printInstant(job.submitMs)} Scheduler=Main`,
    `Partition=${request.partition} AllocNode:Sid=localhost:0`,
    `ReqNodeList=${compressHostlist(request.nodelist) || '(null)'} ExcNodeList=(null)`,
    `NodeList=${compressHostlist(job.nodes)}`,
    ...(job.nodes[0] === undefined ? [] : [`BatchHost=${job.nodes[0]}`]),
    `NumNodes=${count} NumCPUs=${total} NumTasks=${request.tasks} CPUs/Task=${request.cpusPerTask} ReqB:S:C:T=0:0:*:*`,
    `TRES=cpu=${total},mem=${memory}M,node=${count},billing=${total}${gpus}`,
    `Socks/Node=* NtasksPerN:B:S:C=${request.tasksPerNodeAsked ? request.tasksPerNode : 0}:0:*:* CoreSpec=*`,
    request.memoryPerNode === undefined
      ? `MinCPUsNode=${cpus} MinMemoryCPU=${request.memoryPerCpu}M MinTmpDiskNode=0`
      : `MinCPUsNode=${cpus} MinMemoryNode=${request.memoryPerNode}M MinTmpDiskNode=0`,
    `Features=${request.features ?? '(null)'} DelayBoot=00:00:00`,
    ...(request.reservation === undefined ? [] : [`Reservation=${request.reservation}`]),
    `OverSubscribe=${request.exclusive ? 'NO' : 'OK'} Contiguous=0 Licenses=(null) Network=(null)`,
    `Command=${request.command}`,
    `WorkDir=${request.workDir}`,
    ...(request.comment === undefined ? [] : [`Comment=${request.comment} `]),
    `StdErr=${request.error === undefined ? stdout : outputPath(job, request.error, user.name)}`,
    'StdIn=/dev/null',
    `StdOut=${stdout}`,
    'Power=',
    ...(request.gpusPerNode > 0 ? [`TresPerNode=${request.gresText}`] : []),
  ]
}

function firstLine(job: SlurmJob): string {
  const name = `JobName=${job.request.name}`
  if (job.het) return `JobId=${job.id} HetJobId=${job.het.id} HetJobOffset=${job.het.offset} ${name}`
  if (job.arrayJobId === undefined) return `JobId=${job.id} ${name}`
  const task = job.arrayTask ?? waitingText(job)
  const index = task === undefined ? '' : ` ArrayTaskId=${task}`
  const throttle = job.throttle > 0 ? ` ArrayTaskThrottle=${job.throttle}` : ''
  return `JobId=${job.id} ArrayJobId=${job.arrayJobId}${index}${throttle} ${name}`
}
