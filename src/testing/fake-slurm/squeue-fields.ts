import type { ClusterState } from './cluster-state.ts'
import { printDependencies } from './dependencies.ts'
import { compressHostlist } from './hostlist.ts'
import { cpusPerNode } from './scheduling.ts'
import { CommandFailure } from './slurm-command.ts'
import { publicId, runMs, type SlurmJob, STATE_CODES, shownState } from './slurm-job.ts'
import { printInstant, printSpan } from './slurm-times.ts'

/** Heads of squeue's columns (22.05.8). */
export const QUEUE_HEADERS: Readonly<Record<string, string>> = {
  A: 'JOBID',
  F: 'ARRAY_JOB_ID',
  K: 'ARRAY_TASK_ID',
  i: 'JOBID',
  T: 'STATE',
  t: 'ST',
  r: 'REASON',
  R: 'NODELIST(REASON)',
  V: 'SUBMIT_TIME',
  S: 'START_TIME',
  e: 'END_TIME',
  Q: 'PRIORITY',
  p: 'PRIORITY',
  N: 'NODELIST',
  B: 'EXEC_HOST',
  D: 'NODES',
  j: 'NAME',
  P: 'PARTITION',
  a: 'ACCOUNT',
  l: 'TIME_LIMIT',
  L: 'TIME_LEFT',
  u: 'USER',
  U: 'UID',
  C: 'CPUS',
  c: 'MIN_CPUS',
  m: 'MIN_MEMORY',
  b: 'TRES_PER_NODE',
  M: 'TIME',
  E: 'DEPENDENCY',
  Z: 'WORK_DIR',
  o: 'COMMAND',
  q: 'QOS',
  k: 'COMMENT',
  v: 'RESERVATION',
  f: 'FEATURES',
  n: 'REQ_NODES',
  Y: 'SCHEDNODES',
  g: 'GROUP',
  G: 'GROUP',
}

/** squeue keeps `%i` in 32 bytes, so a long text of waiting indices is cut off, bracket and all (measured on 22.05.8). */
const ID_LENGTH = 31

/** One field of one job. `tasks`: text of the waiting indices. Throws CommandFailure for a field the fake does not have. */
export function printQueueField(state: ClusterState, job: SlurmJob, key: string, tasks: string | undefined, now: number): string {
  const { request } = job
  switch (key) {
    case 'A':
      return String(job.id)
    case 'F':
      return String(job.arrayJobId ?? job.id)
    case 'K':
      return job.arrayTask !== undefined ? String(job.arrayTask) : (tasks ?? 'N/A')
    case 'i':
      return publicId(job, tasks).slice(0, ID_LENGTH)
    case 'T':
      return shownState(job)
    case 't':
      return STATE_CODES[shownState(job)]
    case 'r':
      return job.reason
    case 'R':
      return reasonOrNodes(job)
    case 'V':
      return printInstant(job.submitMs)
    case 'S':
      return instantOrNone(startOf(job))
    case 'e':
      return instantOrNone(endOf(job))
    case 'Q':
      return String(job.priority)
    case 'p':
      return (job.priority / 4_294_967_295).toFixed(14)
    case 'N':
      return compressHostlist(job.nodes)
    case 'B':
      return job.nodes[0] ?? 'n/a'
    case 'D':
      return String(job.nodes.length || request.nodes)
    case 'j':
      return request.name
    case 'P':
      return request.partition
    case 'a':
      return request.account ?? '(null)'
    case 'l':
      return printSpan(job.minutes * 60_000)
    case 'L':
      return job.minutes === Number.POSITIVE_INFINITY ? 'UNLIMITED' : printSpan(job.minutes * 60_000 - runMs(job, now))
    case 'u':
      return state.settings.user.name
    case 'U':
      return String(state.settings.user.uid)
    case 'C':
      return String(cpusPerNode(job) * (job.nodes.length || request.nodes))
    case 'c':
      return String(request.cpusPerTask)
    case 'm':
      return printMemory(request.memoryPerNode ?? request.memoryPerCpu)
    case 'b':
      return request.gresText
    case 'M':
      return printSpan(runMs(job, now))
    case 'E':
      return printDependencies(job)
    case 'Z':
      return request.workDir
    case 'o':
      return request.command
    case 'q':
      return request.qos
    case 'k':
      return request.comment ?? '(null)'
    case 'v':
      return request.reservation ?? '(null)'
    case 'f':
      return request.features ?? '(null)'
    case 'n':
      return request.nodelist.join(',')
    case 'Y':
      return '(null)'
    case 'g':
    case 'G':
      return key === 'G' ? String(state.settings.user.gid) : state.settings.user.name
    default:
      throw new CommandFailure(`fake-slurm: squeue's field %${key} is not there`)
  }
}

/** Start as squeue and scontrol show it: of a waiting job what is expected, of one cancelled before it began the cancellation. */
export function startOf(job: SlurmJob): number | undefined {
  return job.state === 'PENDING' ? (job.expectedStartMs ?? job.beginMs) : job.startMs
}

/** End, of an active job the time its limit allows. */
export function endOf(job: SlurmJob): number | undefined {
  if (job.endMs !== undefined) return job.endMs
  const start = startOf(job)
  const end = start === undefined ? undefined : start + job.minutes * 60_000 + job.suspendedMs
  return end !== undefined && Number.isFinite(end) ? end : undefined
}

function instantOrNone(ms: number | undefined): string {
  return ms === undefined ? 'N/A' : printInstant(ms)
}

/** The reason in parentheses while waiting and after a failure; else the nodes, also of a cancelled job that had none. */
function reasonOrNodes(job: SlurmJob): string {
  const shown = shownState(job)
  const reasoned = ['PENDING', 'FAILED', 'TIMEOUT', 'OUT_OF_MEMORY', 'DEADLINE'].includes(shown)
  return reasoned ? `(${job.reason})` : compressHostlist(job.nodes)
}

/** `64M`, `999G`. */
function printMemory(mib: number): string {
  return mib >= 1024 && mib % 1024 === 0 ? `${mib / 1024}G` : `${mib}M`
}
