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
import { parseSbatch, sbatchCommand } from './slurm-submit.ts'

/** A signal for a job that waits is tried for a minute and more (22.05), so only what runs is signalled. */
const asked = (words: string): string => `scancel --state=PENDING ${words}; scancel --state=RUNNING --batch --signal=TERM ${words}`

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
  parseSubmit: parseSbatch,
  queue: slurmQueue,
  history: slurmHistory,
  outputOf: { command: outputCommand, parse: parseOutput },
  cancelCommand(ids, how) {
    const words = quoteArgv(ids)
    // What waits is ended at once; to what runs, the driver says it, and writes down how it ended.
    return how === 'end' ? `scancel ${words}` : asked(words)
  },
  cancelTasksCommand(id, tasks) {
    return asked(quoteArgv(tasks.map((task) => `${id}_${task}`)))
  },
  explain: { command: explainCommand, parse: parseExplanation },
}
