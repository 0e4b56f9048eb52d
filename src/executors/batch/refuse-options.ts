import { InputError } from '../../errors.ts'
import { optionPlaceText } from '../../targets/parse-config.ts'
import { nearestName } from '../../task/nearest-name.ts'
import type { ResolvedTask } from '../executor.ts'
import { taskOptions } from '../task-options.ts'
import { batchTaskOptionNames, refuseBatchOption } from './batch-options.ts'
import type { Scheduler } from './scheduler.ts'

/** Throws InputError `invalid_task` for an option of a task that its target's kind does not have, or whose value it does not take. */
export function refuseTaskOptions<Options>(scheduler: Scheduler<Options>, { name, spec }: ResolvedTask): void {
  const known = [...scheduler.optionNames, ...batchTaskOptionNames]
  for (const [option, value] of Object.entries(taskOptions(spec, scheduler.kind))) {
    if (!known.includes(option)) {
      const near = nearestName(option, known)
      throw new InputError('invalid_task', `task ${name}: ${scheduler.title} has no option "${option}"`, {
        hint:
          near === undefined
            ? `Options: ${known.join(', ')}.`
            : `Did you mean "${near}"? Options of Slurm's own go into native.`.replace('Slurm', scheduler.title),
      })
    }
    const own = scheduler.optionNames.includes(option)
    const refused = own ? scheduler.refuseOption(option, value) : refuseBatchOption(option, value)
    if (refused === undefined) continue
    const { path, must } = typeof refused === 'string' ? { path: [], must: refused } : refused
    throw new InputError('invalid_task', `task ${name}: option ${optionPlaceText(option, path)} must be ${must}`)
  }
}
