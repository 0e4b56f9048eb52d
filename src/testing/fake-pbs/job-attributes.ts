import { idOf, isOver, type PbsJob } from './pbs-job.ts'
import { SERVER } from './pbs-options.ts'
import { printDuration, printTime } from './pbs-times.ts'

/** An attribute of qstat -f: a text, a number, or several under one name. */
export type AttributeValue = string | number | Readonly<Record<string, string | number>>

function resourcesUsed(job: PbsJob, now: number): Readonly<Record<string, string | number>> {
  const ranMs = (job.obittimeMs ?? now) - (job.stimeMs ?? now)
  const ncpus = job.request.chunks.reduce((sum, chunk) => sum + chunk.ncpus, 0)
  return { cpupercent: 0, cput: '00:00:00', mem: '1384kb', ncpus, vmem: '2500kb', walltime: printDuration(Math.max(0, ranMs)) }
}

function resourceList({ request, walltimeMs }: PbsJob): Readonly<Record<string, string | number>> {
  const { chunks, place, resources } = request
  const sum = (of: (chunk: (typeof chunks)[number]) => number): number => chunks.reduce((total, chunk) => total + of(chunk), 0)
  const [mem, mpiprocs, ngpus] = [sum((chunk) => chunk.memKb), sum((chunk) => chunk.mpiprocs), sum((chunk) => chunk.ngpus)]
  const { walltime: _, ...others } = resources
  return {
    ...(mem > 0 ? { mem: `${mem}kb` } : {}),
    ...(mpiprocs > 0 ? { mpiprocs } : {}),
    ncpus: sum((chunk) => chunk.ncpus),
    ...(ngpus > 0 ? { ngpus } : {}),
    nodect: chunks.length,
    place,
    ...others,
    ...(walltimeMs === undefined ? {} : { walltime: printDuration(walltimeMs) }),
  }
}

function arrayAttributes(job: PbsJob): Readonly<Record<string, AttributeValue>> {
  const { array } = job.request
  if (!array) return {}
  const count = (letters: string): number => job.subjobs.filter((each) => letters.includes(each.state)).length
  const waiting = job.subjobs.filter((each) => 'QHW'.includes(each.state)).map((each) => each.index ?? 0)
  return {
    array: 'True',
    array_state_count: `Queued:${count('QHW')} Running:${count('RS')} Exiting:${count('E')} Expired:${job.state === 'F' ? 0 : count('X')}`,
    array_indices_submitted: array.text,
    array_indices_remaining: ranges(waiting) || '-',
  }
}

/** `0-3,5`. */
function ranges(indices: readonly number[]): string {
  const parts: string[] = []
  for (let at = 0; at < indices.length; at++) {
    const first = indices[at] ?? 0
    let last = first
    while (indices[at + 1] === last + 1) {
      last++
      at++
    }
    parts.push(first === last ? String(first) : `${first}-${last}`)
  }
  return parts.join(',')
}

/** The attributes of a job in the order of qstat -f (OpenPBS 23.06.06). */
export function attributesOf(job: PbsJob, user: string, now: number): readonly (readonly [string, AttributeValue])[] {
  const { request } = job
  const isSubjob = job.index !== undefined
  const ran = job.hosts.length > 0
  const path = (given: string): string => `${SERVER}:${isSubjob ? given.replaceAll('^array_index^', String(job.index)) : given}`
  const depend = request.depend.map(({ type, ids }) => `${type}:${ids.map((id) => `${id}@${SERVER}`).join(':')}`).join(',')
  const slots = new Map<string, number>()
  const execHost = job.hosts.map((host, at) => {
    const slot = slots.get(host) ?? 0
    slots.set(host, slot + 1)
    const ncpus = request.chunks[at]?.ncpus ?? 1
    return `${host}/${slot}${ncpus === 1 ? '' : `*${ncpus}`}`
  })
  const execVnode = job.hosts.map((host, at) => `(${host}:ncpus=${request.chunks[at]?.ncpus ?? 1})`)
  const list: readonly (readonly [string, AttributeValue | undefined])[] = [
    ['Job_Name', job.name],
    ['Job_Owner', `${user}@${SERVER}`],
    ['resources_used', ran && job.obittimeMs !== undefined ? resourcesUsed(job, now) : undefined],
    ['job_state', job.state],
    ['queue', request.queue],
    ['server', SERVER],
    ['Account_Name', request.account],
    ['Checkpoint', isSubjob ? undefined : 'u'],
    ['ctime', printTime(job.ctimeMs)],
    ['depend', depend === '' ? undefined : depend],
    ['Error_Path', path(request.errorPath)],
    ['exec_host', ran ? execHost.join('+') : undefined],
    ['exec_vnode', ran ? execVnode.join('+') : undefined],
    ['Execution_Time', request.beginMs !== undefined && job.state === 'W' ? printTime(request.beginMs) : undefined],
    ['Hold_Types', isSubjob ? undefined : [...job.holds].sort().join('') || 'n'],
    ['Join_Path', request.join],
    ['Keep_Files', request.keep],
    ['Mail_Points', request.mailPoints],
    ['mtime', printTime(job.mtimeMs)],
    ['Output_Path', path(request.outputPath)],
    ['Priority', request.priority],
    ['qtime', printTime(job.ctimeMs)],
    ['Rerunable', request.rerunable ? 'True' : 'False'],
    ['Resource_List', resourceList(job)],
    ['stime', job.stimeMs === undefined ? undefined : printTime(job.stimeMs)],
    ['obittime', job.obittimeMs === undefined ? undefined : printTime(job.obittimeMs)],
    ['jobdir', ran ? request.home : undefined],
    ['substate', job.substate],
    ['Variable_List', request.variables],
    ['comment', job.comment],
    ['etime', job.stimeMs === undefined ? undefined : printTime(job.ctimeMs)],
    ['run_count', job.runCount > 0 ? job.runCount : undefined],
    ['Stageout_status', job.stageoutStatus],
    ['Exit_status', job.exitStatus],
    ['Submit_arguments', isSubjob ? undefined : request.submitArguments],
    ['array_id', job.parent ? idOf(job.parent) : undefined],
    ['array_index', job.index],
    ...Object.entries(isSubjob ? {} : arrayAttributes(job)),
    ['history_timestamp', isOver(job) ? Math.floor(job.mtimeMs / 1000) : undefined],
    ['project', request.project],
    ['Submit_Host', SERVER],
  ]
  return list.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
}
