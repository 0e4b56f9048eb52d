import type { PbsJob } from './pbs-job.ts'
import type { PbsServer } from './pbs-server.ts'

type Verdict = 'met' | 'never' | 'waits'

/** What becomes of one condition. Seen on OpenPBS 23.06.06: one on a job deleted before it ran waits for ever. */
function verdict(type: string, target: PbsJob | undefined): Verdict {
  if (target === undefined || target.forgotten) return type === 'afterok' || type === 'afternotok' ? 'never' : 'met'
  if (target.state !== 'F') return 'waits'
  if (type === 'afterany') return 'met'
  if (target.substate === 91 && target.exitStatus === undefined) return type === 'afterok' ? 'waits' : 'met'
  const succeeded = target.exitStatus === 0
  return (type === 'afterok') === succeeded ? 'met' : 'never'
}

/** Lets go of what waits for others, or ends it: state F, substate 92 and no Exit_status. */
export function resolveDependencies(server: PbsServer): void {
  for (const job of server.jobs) {
    if (job.state !== 'H' || !job.holds.has('s') || job.request.depend.length === 0) continue
    const verdicts = job.request.depend.flatMap(({ type, ids }) => ids.map((id) => verdict(type, server.find(id))))
    if (verdicts.includes('never')) server.finish(job, 92)
    else if (!verdicts.includes('waits')) {
      job.holds.delete('s')
      server.settle(job)
    }
  }
}
