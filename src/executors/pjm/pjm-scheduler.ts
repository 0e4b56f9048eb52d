import { quoteArgv, quoteShell } from '../../driver/quote.ts'
import type { Scheduler } from '../batch/scheduler.ts'
import { pjmCapabilities } from './pjm-capabilities.ts'
import { compilePjm } from './pjm-compiler.ts'
import { explainCommand, parseExplanation } from './pjm-explain.ts'
import { pjmCheck, pjmFacts } from './pjm-facts.ts'
import { type PjmOptions, parsePjmOptions, pjmOptionNames, refusePjmOption } from './pjm-options.ts'
import { pjmHistory, pjmQueue, pjstatCommand } from './pjm-queries.ts'
import type { PjmSite } from './pjm-site.ts'
import { parsePjsub, pjsubCommand } from './pjm-submit.ts'

/** `0-3,7` of tasks, as pjdel takes them: `239[0-3]`, `239[7]`. */
function ranges(id: string, tasks: readonly number[]): readonly string[] {
  const words: string[] = []
  const sorted = tasks.toSorted((a, b) => a - b)
  for (let at = 0; at < sorted.length; ) {
    const first = sorted[at] ?? 0
    let last = first
    while (sorted[++at] === last + 1) last++
    words.push(first === last ? `${id}[${first}]` : `${id}[${first}-${last}]`)
  }
  return words
}

/** What a table shows of a job's name at least. */
const SHOWN_NAME = 10

/**
 * Each id on its own: one that is gone must not keep the others from being deleted. One that was given to another job since,
 * told by `names`, is left alone.
 */
function pjdel(
  site: PjmSite,
  ids: readonly string[],
  operands: (id: string) => readonly string[],
  names: readonly (string | undefined)[],
): string {
  return ids
    .map((id, at) => {
      const deletes = operands(id)
        .map((operand) => `pjdel ${quoteArgv([operand])} </dev/null`)
        .join('; ')
      const name = names[at]
      if (name === undefined) return deletes
      const shown = `$(${quoteArgv([...pjstatCommand(site, 'active'), id])} </dev/null)`
      return `case "${shown}" in *${quoteShell(name.slice(0, SHOWN_NAME))}*) ${deletes} ;; esac`
    })
    .join('; ')
}

/** PJM, the job operation software of Fujitsu's Technical Computing Suite, at one site: pjsub, pjstat, pjdel. */
export function createPjmScheduler(site: PjmSite): Scheduler<PjmOptions> {
  return {
    kind: 'pjm',
    title: 'PJM',
    summary: 'a machine with Fujitsu Technical Computing Suite (PJM): jobs, bulk jobs and limits are its own',
    capabilities: pjmCapabilities,
    optionNames: pjmOptionNames,
    refuseOption: refusePjmOption,
    parseOptions: parsePjmOptions,
    facts: pjmFacts(site),
    check: pjmCheck(site),
    compile: compilePjm,
    submitCommand: pjsubCommand,
    parseSubmit: parsePjsub,
    queue: pjmQueue(site),
    history: pjmHistory(site),
    // There is no public way to signal a job's script alone.
    cancelCommand: (ids, _, names = []) => pjdel(site, ids, (id) => [id], names),
    cancelTasksCommand: (id, tasks, name) => pjdel(site, [id], () => ranges(id, tasks), [name]),
    explain: { command: (id) => explainCommand(site, id), parse: parseExplanation },
  }
}
