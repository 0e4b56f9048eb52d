import type { ResolvedTask } from './executor.ts'

/** Work directory of a rank below a root of the target: the job's own, or the directory that the task is linked to. */
export function workDirOf({ code }: Pick<ResolvedTask, 'code'>, root: string, jobId: string, rank: number): string {
  return code?.kind === 'link' ? code.path : `${root}/jobs/${jobId}/work/${rank}`
}
