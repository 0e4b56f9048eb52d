import { shortWord } from './pjm-states.ts'

/** How PJM is asked at one site: what is not the same everywhere, from the options of its target. */
export interface PjmSite {
  /** Directory of the target, absolute or below the home (`~/…`). */
  readonly root: string
  /** The form that pjstat is asked for. */
  readonly form: 'csv' | 'blocks' | 'table'
  /** Commands in place of `pjstat` and `pjstat -H …`, for sites with a front end of their own. */
  readonly activeCommand?: readonly string[]
  readonly historyCommand?: readonly string[]
  /** False: what has ended is not remembered there. */
  readonly history: boolean
  readonly historyDays: number
  /** Most sub-jobs of one bulk job. */
  readonly bulkLimit: number
  /** The site's own state words → PJM's. */
  readonly states: Readonly<Record<string, string>>
  /** For `target check`: the resource group that jobs go to, where it is known. */
  readonly rscgrp?: string
}

/** 65535: the number a published driver notes; sites may allow fewer. */
const BULK_LIMIT = 65_535
const HISTORY_DAYS = 7

const isWords = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every((each) => typeof each === 'string')

/** Reads the options of a target that were not refused. */
export function parsePjmSite(root: string, options: Readonly<Record<string, unknown>>): PjmSite {
  const { pjstat, active_command, history_command, history, history_days, bulk_limit, states, rscgrp, queue } = options
  const named = rscgrp ?? queue
  return {
    root,
    form: pjstat === 'table' || pjstat === 'blocks' ? pjstat : 'csv',
    ...(isWords(active_command) ? { activeCommand: active_command } : {}),
    ...(isWords(history_command) ? { historyCommand: history_command } : {}),
    history: history !== false,
    historyDays: typeof history_days === 'number' ? history_days : HISTORY_DAYS,
    bulkLimit: typeof bulk_limit === 'number' ? bulk_limit : BULK_LIMIT,
    states: Object.fromEntries(
      Object.entries((states as Readonly<Record<string, unknown>> | undefined) ?? {}).flatMap(([word, value]) => {
        const short = typeof value === 'string' ? shortWord(value) : undefined
        return short === undefined ? [] : [[word.toUpperCase(), short] as const]
      }),
    ),
    ...(typeof named === 'string' ? { rscgrp: named } : {}),
  }
}
