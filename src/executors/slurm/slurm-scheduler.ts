import { quoteArgv } from '../../driver/quote.ts'
import type { Scheduler } from '../batch/scheduler.ts'
import { slurmCapabilities } from './slurm-capabilities.ts'
import { compileSlurm } from './slurm-compiler.ts'
import { explainCommand, parseExplanation } from './slurm-explain.ts'
import { parseSlurmFacts, SLURM_FACTS_SCRIPT } from './slurm-facts.ts'
import { slurmHeld } from './slurm-held.ts'
import { parseSlurmOptions, refuseSlurmOption, type SlurmOptions, slurmOptionNames } from './slurm-options.ts'
import { outputCommand, parseOutput } from './slurm-output.ts'
import { slurmHistory, slurmQueue } from './slurm-queries.ts'
import { LOOK_FOR_VARIABLES, parseSbatch, sbatchCommand } from './slurm-submit.ts'
import { WITHOUT_OWN } from './slurm-variables.ts'

/** A signal for a job that waits is tried for a minute and more (22.05), so only what runs is signalled. */
const asked = (words: string): string =>
  `${WITHOUT_OWN}; scancel --state=PENDING ${words}; scancel --state=RUNNING --batch --signal=TERM ${words}`

/** Words of scancel for jobs of these names alone: an id that a restarted controller gave out again is another's. */
function namedWords(ids: readonly string[], names: readonly (string | undefined)[] | undefined): readonly string[] {
  if (names === undefined) return [quoteArgv(ids)]
  // It takes one name (scancel(1)).
  return ids.map((id, index) => quoteArgv([...(names[index] === undefined ? [] : [`--name=${names[index]}`]), id]))
}

/** Slurm, by its commands: sbatch, squeue, sacct, scancel, scontrol, sinfo. */
export const slurmScheduler: Scheduler<SlurmOptions> = {
  kind: 'slurm',
  title: 'Slurm',
  summary: 'a Slurm cluster: jobs, arrays, dependencies and limits are its own',
  capabilities: slurmCapabilities,
  optionNames: slurmOptionNames,
  refuseOption: refuseSlurmOption,
  parseOptions: parseSlurmOptions,
  facts: { script: SLURM_FACTS_SCRIPT, parse: parseSlurmFacts },
  compile: compileSlurm,
  held: slurmHeld,
  submitCommand: sbatchCommand,
  beforeSubmits: LOOK_FOR_VARIABLES,
  parseSubmit: parseSbatch,
  queue: slurmQueue,
  history: slurmHistory,
  outputOf: { command: outputCommand, parse: parseOutput },
  cancelCommand(ids, how, names) {
    // What waits is ended at once; to what runs, the driver says it, and writes down how it ended.
    return namedWords(ids, names)
      .map((words) => (how === 'end' ? `${WITHOUT_OWN}; scancel ${words}` : asked(words)))
      .join('; ')
  },
  cancelTasksCommand(id, tasks, name) {
    const words = quoteArgv(tasks.map((task) => `${id}_${task}`))
    return asked(name === undefined ? words : `${quoteArgv([`--name=${name}`])} ${words}`)
  },
  explain: { command: explainCommand, parse: parseExplanation },
}
