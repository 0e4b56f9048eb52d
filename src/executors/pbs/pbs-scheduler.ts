import type { Scheduler } from '../batch/scheduler.ts'
import { cancelCommand, cancelTasksCommand } from './pbs-cancel.ts'
import { pbsCapabilities } from './pbs-capabilities.ts'
import { compilePbs } from './pbs-compiler.ts'
import { explainCommand, parseExplanation } from './pbs-explain.ts'
import { PBS_FACTS_SCRIPT, parsePbsFacts } from './pbs-facts.ts'
import { type PbsOptions, parsePbsOptions, pbsOptionNames, refusePbsOption } from './pbs-options.ts'
import { pbsHistory, pbsQueue } from './pbs-queries.ts'
import { parseQsub, qsubCommand } from './pbs-submit.ts'

/** OpenPBS and PBS Pro, by their commands: qsub, qstat, qselect, qdel, qsig, qmgr, pbsnodes, pbs_tmrsh. */
export const pbsScheduler: Scheduler<PbsOptions> = {
  kind: 'pbs',
  title: 'PBS',
  summary: 'an OpenPBS or PBS Pro cluster: jobs, arrays, dependencies and limits are its own',
  capabilities: pbsCapabilities,
  optionNames: pbsOptionNames,
  refuseOption: refusePbsOption,
  parseOptions: parsePbsOptions,
  facts: { script: PBS_FACTS_SCRIPT, parse: parsePbsFacts },
  compile: compilePbs,
  submitCommand: qsubCommand,
  parseSubmit: parseQsub,
  queue: pbsQueue,
  history: pbsHistory,
  cancelCommand,
  cancelTasksCommand,
  explain: { command: explainCommand, parse: parseExplanation },
}
