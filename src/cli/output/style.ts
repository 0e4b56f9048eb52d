import type { State } from '../../task/states.ts'
import type { Output } from './output-stream.ts'

/** Colours a text for a terminal; the identity where colours are off. */
export interface Style {
  readonly state: (state: State, text?: string) => string
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly bad: (text: string) => string
  readonly good: (text: string) => string
}

const STATE_COLOURS: Readonly<Record<State, number>> = {
  created: 90,
  staging: 36,
  submitting: 36,
  queued: 33,
  starting: 36,
  running: 34,
  finishing: 36,
  suspended: 33,
  succeeded: 32,
  failed: 31,
  cancelled: 35,
  lost: 31,
}

/** Colours only on a terminal, and not where `NO_COLOR` is set (no-color.org) or the terminal is dumb. */
export function styleFor(output: Output, environment: Readonly<Record<string, string | undefined>>): Style {
  const { NO_COLOR: noColor, TERM: term } = environment
  const on = output.isTTY && (noColor === undefined || noColor === '') && term !== 'dumb'
  const paint = (code: number) => (text: string) => (on ? `\u001b[${code}m${text}\u001b[0m` : text)
  return {
    state: (state, text) => paint(STATE_COLOURS[state])(text ?? state),
    bold: paint(1),
    dim: paint(2),
    bad: paint(31),
    good: paint(32),
  }
}
