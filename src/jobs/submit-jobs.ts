import type { TaskFile } from '../task/task-spec.ts'
import { readClusterSubmission } from './cluster-submission.ts'
import type { SubmitOptions } from './drover.ts'
import type { JobControl } from './job-context.ts'
import { prepareSubmission } from './submission.ts'

/**
 * Records the jobs of a file, all or none, and sets them going; returns their ids. A known `key` gives the jobs it made.
 * `idleStopMs`: the `autostop` of the last task that has one.
 */
export async function submitJobs(
  file: TaskFile,
  options: SubmitOptions,
  control: JobControl,
): Promise<{ readonly ids: readonly string[]; readonly idleStopMs: number | undefined }> {
  const { store, writer, targets, graph, companions, secrets } = control
  const cluster = await readClusterSubmission(file, options, control)
  if (cluster.standing !== undefined) return { ids: [cluster.standing], idleStopMs: undefined }
  const submissions = await prepareSubmission(file, {
    target: (name) => targets.open(name),
    others: (except) => targets.capabilities(except),
    findJob: async (selector) => (await store.job(selector))?.id,
    databaseUri: (name) => targets.databaseUri(name, options.clientDirectory),
    clientDirectory: options.clientDirectory,
    now: () => control.now(),
  })
  const jobs = submissions.map((submission) => submission.job)
  // Secrets first: a job on record is never without them.
  for (const { job, secrets: values } of submissions) if (Object.keys(values).length > 0) secrets.write(job.id, values)
  const { created, ids } = await store.createJobs(jobs, cluster.key ?? options.key)
  if (!created) {
    for (const job of jobs) secrets.remove(job.id)
    return { ids, idleStopMs: undefined }
  }
  targets.noteClusters(submissions)
  writer.announce(ids)
  const events = [{ type: 'state', data: { from: 'created', to: 'queued' } }]
  await Promise.all(
    jobs.map((job) => writer.apply({ jobId: job.id, at: job.createdAt, from: 'created', attempt: 1, to: 'queued', events })),
  )
  for (const { job, task } of submissions) await companions.add(job.id, task)
  await graph.add(jobs)
  return { ids, idleStopMs: submissions.findLast(({ task }) => task.idleStopMs !== undefined)?.task.idleStopMs }
}
