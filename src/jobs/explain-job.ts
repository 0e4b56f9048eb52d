import { toErrorJson } from '../errors.ts'
import type { JobRow } from '../store/store.ts'
import type { Explanation, LogQuery } from './drover.ts'
import { explainJob } from './explain.ts'
import type { JobControl } from './job-context.ts'
import { jobLogSource } from './job-log-source.ts'
import { readLogs } from './log-reader.ts'
import { readJob, viewWhole } from './read-job.ts'

/** Lines of its log that an explanation shows. */
const TAIL = 10

/** Gathers what explaining a job takes: its events, the end of the log that matters, its upstreams, its place in line. */
export async function explainRow(row: JobRow, control: JobControl): Promise<Explanation> {
  const { store, targets } = control
  const target = targets.opened(row)
  const queue = target?.capacity.explain(row.id, control.now())
  const native = row.state === 'queued' && queue === undefined ? await target?.explainQueue(row.id) : undefined
  const names = new Map<string, string>()
  for (const { id } of queue?.heldBy ?? []) names.set(id, (await store.job(id))?.name ?? id)
  return explainJob(
    await viewWhole(store, row),
    await store.events({ jobId: row.id, after: 0, limit: 1000 }),
    await logTail(row, control),
    {
      now: control.now(),
      upstreams: await Promise.all(
        (await store.dependencies(row.id)).map(async (edge) => ({ ...edge, job: await readJob(store, edge.upstream) })),
      ),
      queue,
      names,
      ...(native === undefined ? {} : { native }),
      ...(row.notBefore === undefined ? {} : { notBefore: row.notBefore }),
      ...(row.cancelRequestedAt === undefined ? {} : { cancelRequestedAt: row.cancelRequestedAt }),
    },
  )
}

/** The first log with text, of the rank or element that the cause names. */
async function logTail(
  row: JobRow,
  { store, writer, targets, signal }: JobControl,
): Promise<Explanation['log_tail'] | { readonly error: string }> {
  const { rank, element, kind } = row.cause ?? {}
  const query: LogQuery = {
    tail: TAIL,
    signal,
    ...(rank === undefined ? {} : { ranks: [rank] }),
    ...(element === undefined ? {} : { elements: [element] }),
    streams: kind === 'setup' ? ['setup'] : kind === 'driver' ? ['driver'] : ['stderr', 'stdout'],
  }
  const source = jobLogSource(row.id, store, writer, (name) => targets.open(name))
  try {
    for await (const { file, bytes } of readLogs(source, query)) {
      const lines = Buffer.from(bytes).toString('utf8').trimEnd().split('\n').slice(-TAIL)
      return { file, lines }
    }
  } catch (error) {
    // What is on record is told all the same.
    signal.throwIfAborted()
    return { error: toErrorJson(error).message }
  }
  return null
}
