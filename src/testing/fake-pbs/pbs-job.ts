import { SERVER } from './pbs-options.ts'

/** One letter of qstat. */
export type PbsState = 'Q' | 'H' | 'W' | 'R' | 'E' | 'S' | 'B' | 'X' | 'F'

/** A chunk of a select statement. */
export interface Chunk {
  readonly ncpus: number
  readonly ngpus: number
  readonly memKb: number
  readonly mpiprocs: number
}

/** What one qsub asked for; subjobs of an array share it. */
export interface PbsRequest {
  readonly name: string
  readonly script: string
  readonly args: readonly string[]
  readonly shell: string
  readonly queue: string
  readonly account: string | undefined
  readonly project: string
  readonly priority: number
  readonly rerunable: boolean
  readonly chunks: readonly Chunk[]
  readonly place: string
  /** Attributes of Resource_List beside those of the chunks, as they were given. */
  readonly resources: Readonly<Record<string, string>>
  readonly walltimeMs: number | undefined
  readonly beginMs: number | undefined
  readonly outputPath: string
  readonly errorPath: string
  readonly join: string
  readonly keep: string
  readonly mailPoints: string
  readonly depend: readonly { readonly type: string; readonly ids: readonly string[] }[]
  readonly variables: Readonly<Record<string, string>>
  readonly home: string
  readonly submitArguments: string
  readonly array: { readonly text: string; readonly indices: readonly number[]; readonly atOnce: number | undefined } | undefined
}

/** A job, an array, or a subjob of one, as the server keeps it. All instants are the fake clock's. */
export interface PbsJob {
  readonly number: number
  /** Of a subjob. */
  readonly index: number | undefined
  readonly parent: PbsJob | undefined
  readonly subjobs: PbsJob[]
  readonly request: PbsRequest
  name: string
  walltimeMs: number | undefined
  state: PbsState
  substate: number
  holds: Set<string>
  comment: string | undefined
  exitStatus: number | undefined
  /** Host of each chunk. */
  hosts: readonly string[]
  readonly ctimeMs: number
  mtimeMs: number
  stimeMs: number | undefined
  obittimeMs: number | undefined
  runCount: number
  stageoutStatus: number | undefined
  failedStarts: number
  /** Asked to end by qdel. */
  deleted: boolean
  killAtMs: number | undefined
  /** Why the server itself ends it: `walltime`, `mem`; `node`: its host died. */
  exceeded: string | undefined
  /** The server says nothing of it any more. */
  forgotten: boolean
}

/** `12.pbshead`, `12[].pbshead`, `12[3].pbshead`. */
export function idOf(job: PbsJob): string {
  const brackets = job.index !== undefined ? `[${job.index}]` : job.request.array ? '[]' : ''
  return `${job.number}${brackets}.${SERVER}`
}

/** True for a job that has come to its end. */
export function isOver(job: PbsJob): boolean {
  return job.state === 'F' || job.state === 'X'
}
