import { afterAll, beforeAll, describe, test } from 'vitest'
import type { Drover } from '../jobs/drover.ts'
import { arrayCases } from './cases/arrays.ts'
import { cancelCases } from './cases/cancel.ts'
import { dependencyCases } from './cases/dependencies.ts'
import { environmentCases } from './cases/environment.ts'
import { exitCases } from './cases/exit.ts'
import { hostileCases } from './cases/hostile.ts'
import { logCases } from './cases/logs.ts'
import { onceCases } from './cases/once.ts'
import { processCases } from './cases/processes.ts'
import { pruneCases } from './cases/prune.ts'
import { rankCases } from './cases/ranks.ts'
import { recordCases } from './cases/records.ts'
import type { CaseContext, ExecutorCase, ExecutorUnderTest, Fixture } from './executor-fixture.ts'

/** The whole table, by name; what a new executor has to pass. */
export const EXECUTOR_CASES: readonly ExecutorCase[] = [
  ...exitCases,
  ...logCases,
  ...hostileCases,
  ...environmentCases,
  ...rankCases,
  ...cancelCases,
  ...processCases,
  ...onceCases,
  ...recordCases,
  ...arrayCases,
  ...dependencyCases,
  ...pruneCases,
]

const DEADLINE_MS = 60_000

/**
 * Defines a vitest suite with one test per case, for any executor, also one of your own. Cases run side by side: most of
 * them wait. A case that is skipped says why, either by `skip` or because the fixture lacks a hook.
 */
export function runExecutorCases(executor: ExecutorUnderTest): void {
  const deadlineMs = DEADLINE_MS * (executor.patience ?? 1)
  const unknown = Object.keys(executor.skip ?? {}).filter((name) => !EXECUTOR_CASES.some((known) => known.name === name))
  if (unknown.length > 0) throw new Error(`no such executor case: ${unknown.join(', ')}`)

  describe.concurrent(`executor ${executor.name}`, { timeout: deadlineMs * 2 }, () => {
    let shared: Fixture | undefined
    beforeAll(async () => {
      shared = await executor.open()
    }, deadlineMs)
    afterAll(async () => {
      await shared?.close()
    }, deadlineMs)

    for (const each of EXECUTOR_CASES.filter(({ name }) => executor.only?.test(name) ?? true)) {
      const reason =
        executor.skip?.[each.name] ?? (each.fresh?.diskBytes !== undefined && executor.smallDisk ? executor.smallDisk : undefined)
      if (reason !== undefined) {
        test.skip(`${each.name} (${reason})`, () => {})
        continue
      }
      test(each.name, async (context) => {
        const fixture = each.fresh ? await executor.open(each.fresh) : shared
        if (!fixture) throw new Error('the fixture did not open')
        const submitted: string[] = []
        try {
          const missing = (each.needs ?? []).filter((hook) => fixture[hook] === undefined)
          if (missing.length > 0) context.skip(`the fixture offers no ${missing.join(', ')}`)
          await each.run(
            createContext(fixture, { target: executor.target, manyElements: executor.manyElements ?? {}, deadlineMs }, submitted),
          )
        } catch (error) {
          // What a failed case leaves running would take the room of the others.
          await Promise.allSettled(submitted.map((id) => fixture.drover.cancel(id)))
          throw error
        } finally {
          if (each.fresh) await fixture.close()
        }
      })
    }
  })
}

/** What the case gets: members are read afresh, because a restart changes `drover`; a hook that `needs` left out throws. */
function createContext(
  fixture: Fixture,
  own: Pick<CaseContext, 'target' | 'manyElements' | 'deadlineMs'>,
  submitted: string[],
): CaseContext {
  const drover = bindMembers<Drover>(() => fixture.drover, {
    submit: async (...given) => {
      const jobs = await fixture.drover.submit(...given)
      submitted.push(...jobs.map((job) => job.id))
      return jobs
    },
  })
  return bindMembers<CaseContext>(() => fixture as CaseContext, { ...own, drover })
}

/** An object whose members are those of `source` at the time of each use, but for its own. */
function bindMembers<T extends object>(source: () => T, own: Partial<T>): T {
  return new Proxy(own as T, {
    get: (_, key) => {
      if (Object.hasOwn(own, key)) return Reflect.get(own, key)
      const from = source()
      const value: unknown = Reflect.get(from, key, from)
      if (value === undefined && typeof key === 'string' && key !== 'then')
        throw new Error(`the case uses "${key}" and does not name it under needs`)
      return typeof value === 'function' ? value.bind(from) : value
    },
  })
}
