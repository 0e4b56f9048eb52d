import { DroverError } from '../../errors.ts'
import type { CheckLine } from '../../targets/check-line.ts'
import type { SchedulerFacts } from '../../targets/site-facts.ts'
import type { CommandOutcome, Scheduler } from '../batch/scheduler.ts'
import { pjmHistory, pjmQueue } from './pjm-queries.ts'
import type { PjmSite } from './pjm-site.ts'

/**
 * Reads whether PJM's commands are there and answer. Versions and limits are told in no public form, so nothing is read of them.
 * `parse` throws `transport_failed` when a command is missing or pjstat fails.
 */
export function pjmFacts(site: PjmSite): Scheduler['facts'] {
  return {
    script: `missing=0
for each in pjsub pjstat pjdel; do
  command -v "$each" >/dev/null || { echo "drover: there is no $each" >&2; missing=1; }
done
[ "$missing" = 0 ] && pjstat >/dev/null </dev/null`,
    parse({ code, stderr }: CommandOutcome): SchedulerFacts {
      if (code === 0) {
        return {
          version: '(it tells no version)',
          accounting: site.history,
          maxArraySize: site.bulkLimit,
          partitions: [{ name: site.rscgrp ?? "the site's default resource group", isDefault: true, up: true, nodes: 0 }],
        }
      }
      const missing = /there is no pj/.test(stderr)
      throw new DroverError('transport_failed', `PJM cannot be used there: ${(stderr.trim() || `pjstat ended with ${code}`).slice(-300)}`, {
        level: 'scheduler',
        transient: !missing,
        hint: missing
          ? 'The login node must have pjsub, pjstat and pjdel on the PATH of a non-interactive shell; else set login to one that has.'
          : 'The job manager does not answer: try again, or ask the administrators.',
      })
    },
  }
}

const MARK = 'drover-next'

/** Asks both views as a poll does, and for the limits of this user. */
export function pjmCheck(site: PjmSite): Required<Scheduler>['check'] {
  const [queue, history] = [pjmQueue(site), pjmHistory(site)]
  return {
    script: `${queue.command({ user: '' })}
echo ${MARK}
${site.history ? history.command({ user: '' }) : ':'}
echo ${MARK}
pjacl 2>&1 </dev/null | head -n 20`,
    lines({ stdout, stderr }): readonly CheckLine[] {
      const [active = '', past = '', limits = ''] = stdout.split(`${MARK}\n`)
      const line = (check: string, text: string, query: typeof queue): CheckLine => {
        const answer = query.parse({ code: 0, stdout: text, stderr }, 0)
        if (answer.kind === 'answered') return { check, ok: true, detail: `${answer.jobs.length} jobs of Drover`, fix: null }
        const fix =
          'Set the option pjstat: blocks or table, or active_command and history_command where the site has a front end of its own.'
        return { check, ok: false, detail: answer.reason, fix }
      }
      return [
        line('pjstat', active, queue),
        ...(site.history ? [line('pjstat -H', past, history)] : []),
        { check: 'limits', ok: true, detail: limits.trim().split('\n').join('; ').slice(0, 300) || 'pjacl says nothing', fix: null },
      ]
    },
  }
}
