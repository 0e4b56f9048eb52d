import { quoteArgv } from '../../driver/quote.ts'
import type { CommandOutcome, NativeJob } from '../batch/scheduler.ts'
import type { QueueNotes } from '../executor.ts'
import { pjstatCommand } from './pjm-queries.ts'
import { parsePjstat } from './pjm-rows.ts'
import type { PjmSite } from './pjm-site.ts'

/** What PJM's words for a wait mean, by their beginnings: tables cut them to 16 characters. */
const REASONS: readonly (readonly [RegExp, string, string?])[] = [
  [/^held/, 'it is held', 'pjrls lets it go.'],
  [/^parked/, 'PJM has parked it after an error', 'Release it with pjrls, or cancel it.'],
  [/^INSUFF/, 'not enough of what it asks for is free', 'Ask for fewer nodes, or for less time: a shorter job fits into gaps.'],
  [/^WAIT SCHED/, 'the scheduler has not looked at it yet'],
  [/^DELAY/, 'its start was put off'],
  [/^IMPOSSIBLE SCH/, 'it can never start as it is', 'Ask for less, or choose another resource group.'],
  [/^RSCGRP NOT EXIST/, 'its resource group does not exist', 'Cancel it, and correct the option rscgrp.'],
  [/^RSCGRP STOP/, 'its resource group is stopped', 'Choose another resource group, or wait.'],
  [/^RSCUNIT/, 'its resource unit is stopped or not there', 'Choose another resource unit, or wait.'],
  [
    /^(USER|GROUP|EXCEED)/,
    'a limit of yours or of your group is reached',
    'Wait for your other jobs, or ask for less; pjacl shows the limits.',
  ],
  [/^GATE CHECK/, "the site's own check keeps it back", 'Ask the administrators.'],
  [/^DEADLINE SCHED/, 'a maintenance comes before it could end', 'A shorter timeout lets it start before.'],
]

/** Planned start, with the zone that PJM's times are in. */
export function explainCommand(site: PjmSite, id: string): string {
  return `${quoteArgv([...pjstatCommand(site, 'active'), id])} </dev/null; echo "drover-zone $(date +%z)"`
}

/** Epoch ms of `(06/01 15:03)` or `(2026/06/01 15:03:44)<`: a planned start. Without a year, the one nearest to `now` is meant. */
export function plannedStart(text: string | undefined, zone: string, now: number): number | undefined {
  const [, year, month, day, hour, minute, second] = /^\((?:(\d{4})\/)?(\d\d)\/(\d\d) (\d\d):(\d\d)(?::(\d\d))?\)/.exec(text ?? '') ?? []
  const [, sign, hours, minutes] = /^([+-])(\d\d)(\d\d)$/.exec(zone) ?? []
  if (month === undefined || hours === undefined) return undefined
  const offset = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000
  const at = (given: number): number =>
    Date.UTC(given, Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second ?? 0)) - offset
  if (year !== undefined) return at(Number(year))
  const current = new Date(now).getUTCFullYear()
  return [current - 1, current, current + 1].map(at).toSorted((a, b) => Math.abs(a - now) - Math.abs(b - now))[0]
}

/** Turns PJM's reason into plain words. */
export function parseExplanation({ stdout }: CommandOutcome, job: NativeJob, now: number): QueueNotes {
  const lines = stdout.split('\n')
  const zone = /^drover-zone (\S+)$/m.exec(stdout)?.[1] ?? ''
  const rows = parsePjstat(lines.filter((line) => !line.startsWith('drover-zone')).join('\n')) ?? []
  const row = rows.find((each) => each.get('JOB_ID') === job.id)
  const native = job.reason ?? ''
  const [, reason, advice] = REASONS.find(([pattern]) => pattern.test(native)) ?? []
  const expectedStart = plannedStart(row?.get('START_DATE'), zone, now)
  return {
    reason: reason ?? (native === '' ? 'the scheduler gives no reason' : `the scheduler says ${native}`),
    nativeReason: native,
    ...(advice === undefined ? {} : { advice }),
    ...(expectedStart === undefined ? {} : { expectedStart }),
  }
}
