import { afterAll, describe, test } from 'vitest'
import { arrayCases } from './arrays.ts'
import { brokenCases } from './broken.ts'
import { cancelCases } from './cancels.ts'
import { CaseContext, type SchedulerCase } from './case-context.ts'
import { dependencyCases } from './dependencies.ts'
import { EndTally } from './end-tally.ts'
import { lifeCases } from './lives.ts'
import type { SchedulerFixture, SchedulerSite, SchedulerUnderTest } from './scheduler-adapter.ts'
import { refusalCases, siteCases } from './sites.ts'
import { submitCases } from './submits.ts'
import { vanishedCases } from './vanished.ts'

/** The whole table; what a batch executor has to pass on a fake of its scheduler. Refusals are the adapter's own rows. */
export const SCHEDULER_CASES: readonly SchedulerCase[] = [
  ...siteCases.toReversed(),
  ...vanishedCases,
  ...brokenCases,
  ...submitCases,
  ...lifeCases,
  ...cancelCases,
  ...arrayCases,
  ...dependencyCases,
]

const DEADLINE_MS = 60_000

/** Homes, each used by one case at a time: what a case breaks, no other sees. */
class Homes {
  readonly #scheduler: SchedulerUnderTest
  readonly #idle = new Map<string, SchedulerFixture[]>()
  readonly #all = new Set<SchedulerFixture>()

  constructor(scheduler: SchedulerUnderTest) {
    this.#scheduler = scheduler
  }

  async take(site: SchedulerSite): Promise<SchedulerFixture> {
    const idle = this.#idle.get(JSON.stringify(site))?.pop()
    if (idle !== undefined) return idle
    const opened = await this.#scheduler.open(site)
    this.#all.add(opened)
    return opened
  }

  async giveBack(site: SchedulerSite, fixture: SchedulerFixture, ok: boolean): Promise<void> {
    fixture.controls.recover()
    fixture.controls.historyLag?.(0)
    // A site that few cases share is not kept while the others want the machine.
    if (ok && Object.keys(site).length === 0) {
      const key = JSON.stringify(site)
      this.#idle.set(key, [...(this.#idle.get(key) ?? []), fixture])
      return
    }
    this.#all.delete(fixture)
    await fixture.close()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((fixture) => fixture.close()))
  }
}

/**
 * Defines a vitest suite of the scheduler table: what a scheduler may do to jobs, and what then must be said of them. At the
 * end it prints `wrong end states: 0 of N`. A case that is skipped says why.
 */
export function runSchedulerCases(scheduler: SchedulerUnderTest): void {
  const deadlineMs = DEADLINE_MS * (scheduler.patience ?? 1)
  const cases = [...SCHEDULER_CASES, ...refusalCases(scheduler.refusals)]
  const unknown = Object.keys(scheduler.skip ?? {}).filter((name) => !cases.some((known) => known.name === name))
  if (unknown.length > 0) throw new Error(`no such scheduler case: ${unknown.join(', ')}`)
  const tally = new EndTally()
  const homes = new Homes(scheduler)

  describe.concurrent(`scheduler ${scheduler.name}`, { timeout: deadlineMs * 3 }, () => {
    afterAll(async () => {
      console.log(`${scheduler.name}: ${tally.summary}`)
      await homes.close()
    }, deadlineMs)

    for (const each of cases) {
      const lacking = [
        ...(each.tasks ?? []).filter((kind) => scheduler.tasks[kind] === undefined),
        ...(each.offers ?? []).filter((kind) => scheduler[kind] === undefined),
      ]
      const reason = scheduler.skip?.[each.name] ?? (lacking.length > 0 ? `the adapter offers no ${lacking.join(', ')}` : undefined)
      if (reason !== undefined) {
        test.skip(`${each.name} (${reason})`, () => {})
        continue
      }
      test(each.name, async (context) => {
        const site = each.site ?? {}
        const fixture = await homes.take(site)
        let ok = false
        try {
          const missing = (each.needs ?? []).filter((control) => fixture.controls[control] === undefined)
          if (missing.length > 0) context.skip(`the scheduler has no ${missing.join(', ')}`)
          await each.run(new CaseContext({ name: each.name, scheduler, fixture, deadlineMs, tally }))
          ok = true
        } finally {
          await homes.giveBack(site, fixture, ok)
        }
      })
    }
  })
}
