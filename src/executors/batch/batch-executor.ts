import type { Target } from '../../targets/target.ts'
import type { Executor, NativeRef, SiteFacts } from '../executor.ts'
import { askScheduler } from './ask-scheduler.ts'
import { type BatchRefs, compileBatch, schedulerFacts } from './compile-batch.ts'
import { type ForeignOutputs, isForeign, noteForeignOutput } from './foreign-output.ts'
import { nativeNamesOf } from './native-names-of.ts'
import { pollBatch } from './poll-batch.ts'
import { refuseTaskOptions } from './refuse-options.ts'
import type { Scheduler } from './scheduler.ts'
import { type SubmitMemory, submitBatch } from './submit-batch.ts'
import { SubmitGroups } from './submit-groups.ts'

/** The executor of one target of a scheduler. It remembers which submits of this target are in doubt. */
export function createBatchExecutor<Options>(scheduler: Scheduler<Options>, _target: Target, site: SiteFacts): Executor<BatchRefs> {
  const memory: SubmitMemory = { doubts: new Map(), groups: new SubmitGroups() }
  const outputs = new Map<string, ForeignOutputs>()
  const facts = schedulerFacts(site)
  const asking = { user: site.user, accounting: facts.accounting }
  const idsOf = (ref: NativeRef): readonly string[] => ref.nativeId.split(' ').filter((id) => id !== '')
  return {
    kind: scheduler.kind,
    capabilities: { ...scheduler.capabilities, maxArraySize: scheduler.capabilities.maxArraySize },
    plan(task, at, as) {
      refuseTaskOptions(scheduler, task)
      return compileBatch(scheduler, task, at, as)
    },
    submit: (plan, io, secrets) => submitBatch(scheduler, plan, io, secrets, asking, memory),
    async poll(refs, io) {
      const results = await pollBatch(scheduler, refs, io, asking)
      return refs.some(isForeign) ? await noteForeignOutput(scheduler, refs, results, outputs, io) : results
    },
    async list() {
      return []
    },
    async cancel(refs, io, insist = false) {
      // In a script that is not ours nobody hears us ask.
      const [ended, told] = [refs.filter((ref) => insist || isForeign(ref)), refs.filter((ref) => !insist && !isForeign(ref))]
      for (const [how, some] of [
        ['end', ended],
        ['ask', told],
      ] as const) {
        const ids = some.flatMap(idsOf)
        const names = some.flatMap(nativeNamesOf)
        if (ids.length > 0) await io.transport.run(scheduler.cancelCommand(ids, how, names), { signal: io.signal })
      }
    },
    async cancelElements(ref, positions, io, tasks) {
      const [place] = ref.places
      if (place === undefined) return
      // A task that runs several elements is told by the mark; one that waits, or runs that element alone, is ended.
      const mark = `${place.attemptDir}/cancel_elements`
      const [known] = await io.transport.read([{ path: mark, offset: 0, maxBytes: 1024 * 1024 }])
      const before = known === undefined ? '' : Buffer.from(known.bytes).toString('utf8')
      await io.transport.write([], [{ path: mark, mode: 0o600, content: before + positions.map((position) => `${position}\n`).join('') }])
      const parts = idsOf(ref)
      const size = Math.ceil((place.tasks?.count ?? 1) / Math.max(1, parts.length))
      for (const [index, id] of parts.entries()) {
        const own = tasks.filter((task) => Math.floor(task / size) === index).map((task) => task - index * size)
        const command = own.length === 0 ? undefined : scheduler.cancelTasksCommand?.(id, own, nativeNamesOf(ref)[index])
        if (command !== undefined) await io.transport.run(command, { signal: io.signal })
      }
    },
    async explain(ref, io) {
      const [id] = idsOf(ref)
      if (id === undefined) return undefined
      const answer = await askScheduler(scheduler.queue, { ids: [id], user: asking.user }, io)
      if (answer.kind === 'could_not_ask') return { reason: `the scheduler could not be asked: ${answer.reason}`, nativeReason: '' }
      const job = answer.jobs.find((each) => each.id === id)
      if (job === undefined) return undefined
      const outcome = await io.transport.run(scheduler.explain.command(id), { timeoutMs: 60_000, signal: io.signal })
      return scheduler.explain.parse(outcome, job, io.now())
    },
  }
}
