import { attemptPaths } from '../driver/protocol.ts'
import type { JobRow } from '../store/store.ts'
import type { Cause } from '../task/states.ts'
import { type ActiveAttempt, createActiveAttempt } from './active-attempt.ts'
import type { AttemptPlan } from './attempt-plan.ts'
import type { AttemptWorld } from './attempt-world.ts'

/** The restart that the driver of a requeued instance has noted, when it is a newer one. */
export function newRestart({ files, plan }: ActiveAttempt): number | undefined {
  const noted = files.events('job').flatMap(({ word, detail }) => (word === 'requeued' ? [Number(detail['restart'])] : []))
  const restart = Math.max(0, ...noted.filter(Number.isInteger))
  return restart > (plan.requeued?.restart ?? 0) ? restart : undefined
}

/** Each start by the scheduler is an attempt of its own: its own claim, environment, records and logs. */
export async function beginRequeued(active: ActiveAttempt, job: JobRow, restart: number, world: AttemptWorld): Promise<void> {
  const { context } = world
  const submittedAs = active.plan.requeued?.submittedAs ?? active.number
  const first = active.plan.requeued === undefined ? '' : `r${active.plan.requeued.restart}`
  const plan: AttemptPlan = {
    ...active.plan,
    places: active.plan.places.map((place) => ({
      ...place,
      attemptDir: attemptPaths.requeued(place.attemptDir.slice(0, place.attemptDir.length - first.length), restart),
    })),
    requeued: { restart, submittedAs },
  }
  const cause: Cause = { kind: 'preempted', message: `the scheduler took the nodes away and started the job again (restart ${restart})` }
  const nativeId = active.nativeId ?? job.nativeId
  const made = await context.writer.apply({
    jobId: job.id,
    at: context.now(),
    from: job.state,
    attempt: active.number,
    to: 'starting',
    newAttempt: {
      number: active.number + 1,
      plan: JSON.stringify(plan),
      directory: plan.places[0]?.attemptDir ?? '',
      ...(nativeId === undefined ? {} : { nativeId }),
    },
    attemptPatch: { state: 'failed', cause, endedAt: context.now() },
    events: [
      { type: 'attempt_ended', data: { state: 'failed', cause } },
      { type: 'requeued', data: { by: 'scheduler', restart, next_attempt: active.number + 1 } },
    ],
  })
  if (!made) return world.wake(job.id)
  const next = createActiveAttempt({
    job,
    number: active.number + 1,
    plan,
    task: active.task,
    state: 'starting',
    proofGraceMs: active.proofGraceMs,
  })
  if (nativeId !== undefined) next.nativeId = nativeId
  world.watch(next)
  world.wake(job.id)
}
