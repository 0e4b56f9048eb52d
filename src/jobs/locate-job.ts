import { compilePrologue } from '../driver/prologue.ts'
import { InputError } from '../errors.ts'
import type { ResolvedTask } from '../executors/executor.ts'
import type { JobRow } from '../store/store.ts'
import { containerImageOf } from '../task/container.ts'
import { isSettled, type State } from '../task/states.ts'
import { readAttemptPlan } from './attempt-plan.ts'
import type { JobLocation } from './drover.ts'
import { compileEnter } from './enter-script.ts'
import type { JobControl } from './job-context.ts'

/** States in which nothing of the first attempt need be on the target yet. */
const UNPLACED: ReadonlySet<State> = new Set(['created', 'queued', 'staging', 'submitting'])

/**
 * Where a rank of a job runs, or ran, and how a person gets there; asks no target.
 *
 * @throws InputError `conflict` for a job that has not started, `invalid_argument` for a rank it does not have
 */
export async function locateJob(
  row: JobRow,
  options: { readonly rank?: number },
  { store, targets }: Pick<JobControl, 'store' | 'targets'>,
): Promise<JobLocation> {
  const task = row.task === undefined ? undefined : (JSON.parse(row.task) as ResolvedTask)
  const attempt = (await store.attempts(row.id)).findLast((each) => each.plan !== undefined)
  const plan = readAttemptPlan(attempt?.plan)
  const settled = isSettled(row.state)
  if (task === undefined || attempt === undefined || plan === undefined || (row.attempt === 1 && UNPLACED.has(row.state))) {
    const never = settled ? 'never started' : 'has not started'
    throw new InputError('conflict', `job ${row.id} ${never} (${row.state}): there is no place to go to`, {
      hint: `Why: drover explain ${row.id}`,
    })
  }
  const rank = options.rank ?? 0
  const place = plan.places.find(({ ranks }) => ranks.includes(rank))
  const workDir = place?.workDirs[place.ranks.indexOf(rank)]
  if (place === undefined || workDir === undefined) {
    const last = plan.ranks.length - 1
    throw new InputError(
      'invalid_argument',
      `job ${row.id} has no rank ${rank}: ${last > 0 ? `its ranks are 0 to ${last}` : 'it has rank 0 alone'}`,
    )
  }
  // A job that waits for its next attempt: what there is to see is the last one.
  const ended = (settled && row.state !== 'lost') || attempt.number < row.attempt
  const { attemptDir } = place
  const target = targets.definition(row)
  const kept = [...Object.keys(task.envs), ...task.secretNames]
  const prologue = target.prologue === undefined ? {} : { prologue: compilePrologue({ text: target.prologue, target: target.name, kept }) }
  const candidates = task.spec.resources.candidates
  return {
    job: row.id,
    attempt: attempt.number,
    rank,
    state: row.state,
    node: plan.ranks.find((each) => each.rank === rank)?.node ?? place.node,
    kind: target.kind,
    attempt_dir: attemptDir,
    work_dir: workDir,
    env_file: `${attemptDir}/env`,
    ended,
    container: task.spec.container !== undefined || candidates.some(({ raw }) => containerImageOf(raw['image_id']) !== undefined),
    enter: compileEnter({ attemptDir, workDir, rank, ended, ...prologue }),
    address: targets.sessionArguments(target, place.node) ?? null,
  }
}
